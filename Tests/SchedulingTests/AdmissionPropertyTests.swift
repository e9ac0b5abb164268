import Model
import Scheduling
import TestKit
import Testing

/// What holds for any sequence of events; a failure prints its seed.
@Suite struct AdmissionPropertyTests {
    /// Each job that fits the machine starts within `Patience.bound` starts of others, whatever else comes: floods of other
    /// services and owners, runs without end, higher priorities, greater weights, sizes that hardly fit.
    @Test(arguments: 0..<150 as Range<UInt64>) func nothingStarves(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var chaos = try Chaos(random: &random)
        for _ in 0..<1000 { chaos.step(&random) }
        #expect(chaos.failures.isEmpty, "seed \(seed): \(chaos.failures.prefix(3))")
        #expect(chaos.world.order.count > 30, "seed \(seed): the sequence starts too little to say something")
    }

    /// Owners who always have something waiting get the machine in proportion to their weights.
    @Test(arguments: 0..<60 as Range<UInt64>) func sharesConvergeToTheWeights(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let owners = (0..<Int.random(in: 2...5, using: &random)).map { "o\($0)" }
        let weights = Dictionary(uniqueKeysWithValues: owners.map { ($0, Int.random(in: 1...8, using: &random)) })
        let slots = Int64.random(in: 1...6, using: &random)
        let capacity = Resources(cpu: MilliCPU(slots * 1000), memory: .mebibytes(64_000))
        var world = World(capacity: capacity, weights: weights)
        var owner: [ServiceName: String] = [:]
        for (index, name) in owners.enumerated() {
            for number in 0..<Int.random(in: 1...3, using: &random) {
                let service = try ServiceName("s\(index)-\(number)")
                owner[service] = name
                world.register(
                    service, AdmissionTerms(demand: Resources(cpu: MilliCPU(1000), memory: .mebibytes(64)), owner: name)
                )
                world.add(4000, to: service)
            }
        }
        // Some services' jobs take ten times as long as others'.
        let lengths = Dictionary(
            uniqueKeysWithValues: owner.keys.sorted().map { ($0, Double.random(in: 0.5...5, using: &random)) })
        for _ in 0..<3000 {
            let index = Int.random(in: 0..<world.running.count, using: &random)
            let length = (lengths[world.running[index].service] ?? 1) * Double.random(in: 0.5...1.5, using: &random)
            world.end(at: index, after: .milliseconds(Int64(length * 1000)))
        }
        let total = world.seconds.values.reduce(0, +)
        for name in owners {
            let had = world.seconds.filter { owner[$0.key] == name }.values.reduce(0, +) / total
            let due = Double(weights[name] ?? 1) / Double(weights.values.reduce(0, +))
            #expect(abs(had - due) <= 0.03, "seed \(seed): \(name) had \(had), due are \(due)")
        }
    }
}

/// Random events, and a watch over all that admission has promised.
private struct Chaos {
    var world: World
    var terms: [ServiceName: AdmissionTerms] = [:]
    let names: [ServiceName]
    var failures: [String] = []
    /// Starts of others since the first job of a service could have started.
    private var waited: [ServiceName: Int] = [:]
    private var nextRun: UInt64 = 1
    private var runService: [UInt64: ServiceName] = [:]
    private let patience: Patience
    private let hog: ServiceName

    init(random: inout SeededGenerator) throws {
        let capacity = Resources(cpu: MilliCPU(4000), memory: .mebibytes(4096))
        patience = Patience(
            misfits: Int.random(in: 0...8, using: &random), priority: Int.random(in: 0...8, using: &random),
            turns: Int.random(in: 1...8, using: &random), runStreak: Int.random(in: 1...5, using: &random))
        world = World(capacity: capacity, patience: patience, weights: ["a": 1000, "b": 1])
        names = try (0..<Int.random(in: 2...6, using: &random)).map { try ServiceName("s\($0)") }
        hog = names[0]
        for name in names { register(name, &random) }
    }

    private mutating func register(_ name: ServiceName, _ random: inout SeededGenerator) {
        var new = AdmissionTerms(
            demand: Resources(
                cpu: MilliCPU(Int64.random(in: 1...4000, using: &random)),
                memory: .mebibytes(Int64.random(in: 1...4096, using: &random))),
            owner: ["a", "b", "c"].randomElement(using: &random) ?? "a",
            priority: Int.random(in: -100...100, using: &random))
        if Bool.random(using: &random) { new.maximumParallel = Int.random(in: 1...5, using: &random) }
        if Bool.random(using: &random) { new.maximumRuns = Int.random(in: 1...3, using: &random) }
        if Int.random(in: 0..<4, using: &random) == 0 {
            new.totalCPU = new.demand.cpu + MilliCPU(Int64.random(in: 0...4000, using: &random))
        }
        new.isPaused = Int.random(in: 0..<8, using: &random) == 0
        terms[name] = new
        // The order of its promises begins anew.
        waited[name] = 0
        observe { $0.register(name, new) }
    }

    mutating func step(_ random: inout SeededGenerator) {
        let hog = hog
        let name = names.randomElement(using: &random) ?? hog
        switch Int.random(in: 0..<16, using: &random) {
        case 0..<3: observe { $0.add(Int.random(in: 1...4, using: &random), to: name) }
        case 3: observe { $0.add(40, to: hog) }
        case 4..<6:
            let run = nextRun
            nextRun += 1
            runService[run] = name
            observe { $0.perform($0.admission.runRequested(run, of: name)) }
        case 6: if Int.random(in: 0..<10, using: &random) == 0 { register(name, &random) }
        case 7: hold(Int.random(in: 0..<3, using: &random) == 0)
        case 8..<12: endRun(&random)
        default:
            guard let index = world.running.indices.randomElement(using: &random) else { return endRun(&random) }
            let time = Duration.milliseconds(Int64.random(in: 0...100_000, using: &random))
            observe { $0.end(at: index, after: time) }
        }
        check()
    }

    private mutating func hold(_ isHeld: Bool) {
        observe { $0.perform($0.admission.hold(for: isHeld ? "full" : nil)) }
    }

    private mutating func endRun(_ random: inout SeededGenerator) {
        guard let run = world.runningRuns.sorted().randomElement(using: &random) else { return }
        world.runningRuns.remove(run)
        observe { $0.perform($0.admission.ended(.run(run), after: .seconds(1))) }
    }

    /// Does something, and counts for each service that could start how often others did.
    private mutating func observe(_ event: (inout World) -> Void) {
        let (jobs, runs) = (world.order.count, world.startedRuns)
        event(&world)
        let started = world.order[jobs...]
        let total = started.count + world.startedRuns - runs
        for name in names {
            let own = started.count { $0 == name }
            if own > 0 || !couldStart(name) { waited[name] = 0 } else { waited[name, default: 0] += total }
        }
    }

    private func couldStart(_ name: ServiceName) -> Bool {
        guard let terms = terms[name], world.queued[name]?.isEmpty == false, !terms.isPaused else { return false }
        return underLimits(name, terms)
    }

    private func held(by name: ServiceName) -> (count: Int, runs: Int) {
        let runs = world.runningRuns.count { runService[$0] == name }
        return (world.running.count { $0.service == name } + runs, runs)
    }

    private func underLimits(_ name: ServiceName, _ terms: AdmissionTerms) -> Bool {
        let way = held(by: name)
        if let limit = terms.maximumParallel, way.count >= limit { return false }
        // Demands change while others run, so what they hold is asked of admission itself.
        if case .atLimit = world.admission.reason(for: name, demand: terms.demand, isFirst: true) { return false }
        return true
    }

    private mutating func check() {
        let bound = patience.bound(services: names.count)
        for (name, count) in waited where count > bound {
            failures.append("\(name) saw \(count) starts of others, more than \(bound)")
        }
        let admission = world.admission
        if admission.free.cpu > admission.capacity.cpu || admission.free.memory > admission.capacity.memory {
            failures.append("more is free than there is")
        }
        for name in names {
            guard world.queued[name]?.isEmpty == false, let demand = terms[name]?.demand else { continue }
            let reason = admission.reason(for: name, demand: demand, isFirst: true)
            if reason.description.isEmpty { failures.append("\(name) waits without a reason") }
            // Who could start at once and does not waits for somebody else's turn, so somebody runs or is reserved for.
            if reason == .awaitsItsTurn, world.running.isEmpty, world.runningRuns.isEmpty {
                failures.append("\(name) waits for its turn on an idle machine")
            }
        }
    }
}
