import Model
import Scheduling
import TestKit
import Testing

/// What the quotas of owners do, in plain sequences.
@Suite struct OwnerQuotaTests {
    private static let machine = Resources(cpu: MilliCPU(8000), memory: .mebibytes(8192))
    private static let one = Resources(cpu: MilliCPU(1000), memory: .mebibytes(1024))
    private static let two = Resources(cpu: MilliCPU(2000), memory: .mebibytes(1024))

    private let first: ServiceName
    private let second: ServiceName
    private let foreign: ServiceName

    init() throws {
        first = try ServiceName("first")
        second = try ServiceName("second")
        foreign = try ServiceName("foreign")
    }

    private static func quotas(_ quota: OwnerQuota) -> OwnerQuotas {
        OwnerQuotas(standard: OwnerQuota(), named: ["ada": quota])
    }

    private func world(_ quota: OwnerQuota, misfits: Int = 64) -> World {
        var world = World(capacity: Self.machine, patience: Patience(misfits: misfits))
        world.perform(world.admission.quotasChanged(Self.quotas(quota)))
        return world
    }

    @Test func jobsOfAllServicesOfAnOwnerShareItsQuota() {
        var world = world(OwnerQuota(cpu: MilliCPU(2000)))
        world.register(first, AdmissionTerms(demand: Self.one, owner: "ada"))
        world.register(second, AdmissionTerms(demand: Self.one, owner: "ada"))
        world.register(foreign, AdmissionTerms(demand: Self.one, owner: "bob"))
        world.add(3, to: first)
        world.add(3, to: second)
        world.add(3, to: foreign)
        #expect(world.running.count { $0.service != foreign } == 2)
        #expect(world.running.count { $0.service == foreign } == 3)
        #expect(world.admission.held(by: "ada") == Resources(cpu: MilliCPU(2000), memory: .mebibytes(2048)))
        world.runAll()
        #expect(world.order.count == 9)
        #expect(world.admission.held(by: "ada") == .zero)
    }

    @Test func aJobOverTheQuotaSaysSo() {
        var world = world(OwnerQuota(cpu: MilliCPU(1000)))
        world.register(first, AdmissionTerms(demand: Self.one, owner: "ada"))
        world.add(2, to: first)
        let reason = world.admission.reason(for: first, demand: Self.one, isFirst: true)
        #expect(reason == .atQuota(demand: Self.one, QuotaExcess(limit: .cpu(MilliCPU(1000)), held: Self.one)))
        #expect(
            reason.description
                == "waits for its owner's quota of 1 cpu: it needs 1 cpu and 1 GiB, and the owner's jobs and runs have "
                + "1 cpu and 1 GiB under way")
    }

    @Test func whatCanNeverFitTheQuotaSaysSoAndBlocksNobody() {
        var world = world(OwnerQuota(memory: .mebibytes(1024)), misfits: 0)
        let large = Resources(cpu: MilliCPU(100), memory: .mebibytes(1025))
        world.register(second, AdmissionTerms(demand: large, owner: "ada"))
        world.register(first, AdmissionTerms(demand: Self.one, owner: "ada"))
        world.add(1, to: second)
        world.add(3, to: first)
        world.runAll()
        #expect(world.order == [first, first, first])
        let reason = world.admission.reason(for: second, demand: large, isFirst: true)
        #expect(reason == .demandsMoreThanQuota(demand: large, limit: .memory(.mebibytes(1024))))
    }

    @Test func anotherQuotaHoldsAtOnce() {
        var world = world(OwnerQuota(cpu: MilliCPU(1000)))
        world.register(first, AdmissionTerms(demand: Self.one, owner: "ada"))
        world.add(6, to: first)
        #expect(world.running.count == 1)
        world.perform(world.admission.quotasChanged(Self.quotas(OwnerQuota(cpu: MilliCPU(3000)))))
        #expect(world.running.count == 3)
        // Less than what runs: that goes on, and nothing starts before it has ended.
        world.perform(world.admission.quotasChanged(Self.quotas(OwnerQuota(cpu: MilliCPU(1000)))))
        world.endFirst(after: .seconds(1))
        world.endFirst(after: .seconds(1))
        #expect(world.running.count == 1)
        world.perform(world.admission.quotasChanged(.none))
        #expect(world.running.count == 4)
    }

    @Test func runsCountAndWait() {
        var world = world(OwnerQuota(cpu: MilliCPU(1000)))
        world.register(first, AdmissionTerms(demand: Self.one, owner: "ada"))
        world.add(1, to: first)
        world.perform(world.admission.runRequested(1, of: first))
        #expect(world.runningRuns.isEmpty)
        world.endFirst(after: .seconds(1))
        #expect(world.runningRuns == [1])
    }

    @Test func aLargeJobIsNotStarvedBySmallOnesOfTheSameOwner() {
        var world = world(OwnerQuota(cpu: MilliCPU(2000)), misfits: 3)
        world.register(first, AdmissionTerms(demand: Self.one, owner: "ada"))
        world.register(second, AdmissionTerms(demand: Self.two, owner: "ada"))
        world.add(100, to: first)
        world.add(1, to: second)
        var starts = 0
        while !world.order.contains(second), starts < 50 {
            world.endFirst(after: .seconds(1))
            starts += 1
        }
        #expect(world.order.firstIndex(of: second) ?? 50 <= 8, "\(world.order)")
        if case .quotaIsKept = world.admission.reason(for: first, demand: Self.one, isFirst: true) {
            Issue.record("the room is kept though nobody waits for it any more")
        }
    }

    @Test func jobsAreNotStarvedByRunsOfTheSameOwner() {
        var world = world(OwnerQuota(cpu: MilliCPU(1000)), misfits: 3)
        world.register(first, AdmissionTerms(demand: Self.one, owner: "ada"))
        world.register(second, AdmissionTerms(demand: Self.one, owner: "ada"))
        world.perform(world.admission.runRequested(1, of: second))
        world.add(1, to: first)
        for run in 2..<20 as Range<UInt64> {
            world.perform(world.admission.runRequested(run, of: second))
            for running in world.runningRuns {
                world.runningRuns.remove(running)
                world.perform(world.admission.ended(.run(running), after: .seconds(1)))
            }
        }
        #expect(world.order == [first])
    }

    @Test func instancesWithoutWorkGiveWayToTheirOwnersWork() {
        var world = world(OwnerQuota(memory: .mebibytes(1024)))
        let terms = InstanceTerms(generation: 1, idle: .seconds(1000))
        world.register(first, AdmissionTerms(demand: Self.one, owner: "ada", instances: terms))
        world.register(second, AdmissionTerms(demand: Self.one, owner: "ada", instances: terms))
        world.add(1, to: first)
        for id in world.instances.keys { world.perform(world.admission.instanceReady(id)) }
        world.runAll()
        // Kept, within the quota, and not counted as work.
        #expect(world.instances.count == 1 && world.admission.held(by: "ada") == .zero)
        world.add(1, to: second)
        #expect(world.running.map(\.service) == [second])
        #expect(Array(world.instances.values) == [second])
    }

    @Test func noMoreInstancesAreKeptThanTheQuotaAllows() {
        var world = world(OwnerQuota(memory: .mebibytes(2048)))
        let terms = InstanceTerms(generation: 1, minimum: 5)
        world.register(first, AdmissionTerms(demand: Self.one, owner: "ada", instances: terms))
        #expect(world.instances.count == 2)
        world.register(foreign, AdmissionTerms(demand: Self.one, owner: "bob", instances: terms))
        #expect(world.instances.values.count { $0 == foreign } == 5)
    }
}

/// What holds for any sequence of events; a failure prints its seed.
@Suite struct OwnerQuotaPropertyTests {
    @Test(arguments: 0..<150 as Range<UInt64>) func noOwnerHoldsMoreAndNobodyStarves(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var crowd = try Crowd(&random)
        for _ in 0..<600 { crowd.step(&random) }
        #expect(crowd.failures.isEmpty, "seed \(seed): \(crowd.failures.prefix(3))")
        crowd.finish()
        #expect(crowd.left == 0, "seed \(seed): \(crowd.state)")
    }
}

/// Random work of owners with quotas.
private struct Crowd {
    var world: World
    var failures: [String] = []
    private let patience: Patience
    private var quotas: [String: OwnerQuota] = [:]
    private var terms: [ServiceName: AdmissionTerms] = [:]
    private var runs: [UInt64: ServiceName] = [:]
    private var nextRun: UInt64 = 1
    /// Starts of others of the same owner since the first job of a service waits.
    private var waited: [ServiceName: Int] = [:]

    init(_ random: inout SeededGenerator) throws {
        patience = Patience(misfits: Int.random(in: 0...5, using: &random), runStreak: 3)
        world = World(
            capacity: Resources(cpu: MilliCPU(8000), memory: .mebibytes(8192)), patience: patience)
        for owner in ["a", "b"] {
            quotas[owner] = OwnerQuota(
                cpu: MilliCPU(Int64.random(in: 1000...4000, using: &random)),
                memory: Bool.random(using: &random) ? .mebibytes(Int64.random(in: 1024...4096, using: &random)) : nil)
        }
        world.perform(
            world.admission.quotasChanged(OwnerQuotas(standard: OwnerQuota(), named: quotas)))
        for index in 0..<Int.random(in: 2...5, using: &random) {
            let name = try ServiceName("s\(index)")
            let owner = ["a", "b", "c"].randomElement(using: &random) ?? "a"
            // All can be had under the least quota.
            let demand = Resources(
                cpu: MilliCPU(Int64.random(in: 1...1000, using: &random)),
                memory: .mebibytes(Int64.random(in: 1...1024, using: &random)))
            var new = AdmissionTerms(demand: demand, owner: owner)
            if Int.random(in: 0..<3, using: &random) == 0 {
                new.instances = InstanceTerms(
                    generation: 1, minimum: Int.random(in: 0...3, using: &random),
                    places: Int.random(in: 1...3, using: &random))
            }
            terms[name] = new
            world.register(name, new)
        }
    }

    /// What waits, and why.
    var state: String {
        terms.keys.sorted().map { name in
            let reason = world.admission.reason(for: name, demand: terms[name]?.demand ?? .zero, isFirst: true)
            return "\(name) of \(terms[name]?.owner ?? ""): \(world.queued[name]?.count ?? 0) jobs, "
                + "\(world.admission.waitingRuns(of: name)) runs, \(reason)"
        }.joined(separator: "\n")
    }

    var left: Int { world.queued.values.reduce(0) { $0 + $1.count } }

    mutating func step(_ random: inout SeededGenerator) {
        guard let name = terms.keys.sorted().randomElement(using: &random) else { return }
        let before = (world.order.count, world.startedRuns)
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<3: world.add(Int.random(in: 1...4, using: &random), to: name)
        case 3:
            runs[nextRun] = name
            world.perform(world.admission.runRequested(nextRun, of: name))
            nextRun += 1
        case 4: world.perform(world.admission.expireInstances())
        case 5:
            for id in world.instances.keys.sorted() { world.perform(world.admission.instanceReady(id)) }
        case 6: endRun(&random)
        default:
            guard let index = world.running.indices.randomElement(using: &random) else { return }
            world.end(at: index, after: .seconds(1))
        }
        count(since: before)
        check()
    }

    private mutating func endRun(_ random: inout SeededGenerator) {
        guard let run = world.runningRuns.sorted().randomElement(using: &random) else { return }
        world.runningRuns.remove(run)
        world.perform(world.admission.ended(.run(run), after: .seconds(1)))
    }

    private mutating func count(since before: (jobs: Int, runs: Int)) {
        let started = world.order[before.jobs...]
        let total = started.count + world.startedRuns - before.runs
        for name in terms.keys {
            let isBlocked: Bool
            switch world.admission.reason(for: name, demand: terms[name]?.demand ?? .zero, isFirst: true) {
            case .atQuota, .quotaIsKept: isBlocked = world.queued[name]?.isEmpty == false
            default: isBlocked = false
            }
            waited[name] = isBlocked && !started.contains(name) ? waited[name, default: 0] + total : 0
        }
    }

    private mutating func check() {
        for (owner, quota) in quotas {
            let held = world.admission.held(by: owner)
            if let cpu = quota.cpu, held.cpu > cpu { failures.append("\(owner) holds \(held.cpu) cpu") }
            if let memory = quota.memory, held.memory > memory { failures.append("\(owner) holds \(held.memory)") }
        }
        // Everybody of the same owner may come first, each after having been passed over.
        let bound = (patience.misfits + 2) * 4 * terms.count + 400
        for (name, count) in waited where count > bound { failures.append("\(name) saw \(count) others start") }
    }

    /// Lets all that waits come to its end.
    mutating func finish() {
        for _ in 0..<100_000 where left > 0 {
            for id in world.instances.keys.sorted() { world.perform(world.admission.instanceReady(id)) }
            for run in world.runningRuns.sorted() {
                world.runningRuns.remove(run)
                world.perform(world.admission.ended(.run(run), after: .seconds(1)))
            }
            guard !world.running.isEmpty || !world.runningRuns.isEmpty else { return }
            world.endFirst(after: .seconds(1))
        }
    }
}
