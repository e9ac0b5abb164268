import Model
import Scheduling
import TestKit
import Testing

@Suite struct AdmissionTests {
    static let small = Resources(cpu: MilliCPU(500), memory: .mebibytes(256))
    static let large = Resources(cpu: MilliCPU(2000), memory: .mebibytes(1024))
    static let machine = Resources(cpu: MilliCPU(2000), memory: .mebibytes(2048))

    let alpha: ServiceName
    let beta: ServiceName

    init() throws {
        alpha = try ServiceName("alpha")
        beta = try ServiceName("beta")
    }

    /// An admission whose services have told that their queues hold those jobs.
    func admission(_ queues: [(ServiceName, Resources, [Int64])], misfits: Int = 64) -> (
        Admission, [Admission.Action]
    ) {
        var admission = Admission(capacity: Self.machine, patience: Patience(misfits: misfits))
        var actions: [Admission.Action] = []
        for (name, demand, _) in queues { _ = admission.serviceRegistered(name, AdmissionTerms(demand: demand)) }
        for (name, _, jobs) in queues {
            actions += admission.loaded(jobs, of: name, after: 0, limit: Admission.window)
        }
        return (admission, actions)
    }

    @Test func asksForTheQueueOfANewService() {
        var admission = Admission(capacity: Self.machine)
        let first = admission.serviceRegistered(alpha, AdmissionTerms(demand: Self.small))
        #expect(first == [.load(alpha, after: 0, limit: Admission.window)])
        // Not asked twice while the answer is under way.
        #expect(admission.jobsAdded(to: alpha) == [])
        // What came meanwhile may have been missed, so an empty answer is not believed.
        #expect(
            admission.loaded([], of: alpha, after: 0, limit: Admission.window)
                == [.load(alpha, after: 0, limit: Admission.window)]
        )
        #expect(admission.loaded([], of: alpha, after: 0, limit: Admission.window) == [])
    }

    @Test func startsWhatFitsInOrder() {
        let (admission, actions) = admission([(alpha, Self.small, [1, 2, 3, 4, 5, 6])])
        #expect(actions == [1, 2, 3, 4].map { .startJob($0, alpha) })
        #expect(admission.free.cpu == .zero)
        #expect(admission.runningCount == 4)
    }

    @Test func alternatesBetweenServices() {
        var (admission, actions) = admission([(alpha, Self.large, [1, 3]), (beta, Self.large, [2, 4])])
        var order = actions
        for ended in [1, 2, 3, 4] as [Int64] {
            actions = admission.ended(.job(ended))
            order += actions
        }
        let starts = order.filter { if case .startJob = $0 { true } else { false } }
        #expect(starts == [.startJob(1, alpha), .startJob(2, beta), .startJob(3, alpha), .startJob(4, beta)])
    }

    @Test func endingTwiceFreesOnce() {
        var (admission, _) = admission([(alpha, Self.small, [1])])
        _ = admission.ended(.job(1))
        _ = admission.ended(.job(1))
        #expect(admission.free == Self.machine)
    }

    @Test func aLargeJobIsNotStarved() {
        var (admission, _) = admission(
            [(alpha, Self.small, [1, 3, 4, 5, 6, 7, 8, 9, 10, 11]), (beta, Self.large, [2])],
            misfits: 3
        )
        var started: [Int64] = []
        var running: [Int64] = [1, 3, 4, 5]
        for _ in 0..<20 where !running.isEmpty {
            let ended = running.removeFirst()
            for case .startJob(let job, _) in admission.ended(.job(ended)) {
                started.append(job)
                running.append(job)
            }
        }
        #expect(started.contains(2))
        // After three passes nothing else may start before it.
        #expect((started.firstIndex(of: 2) ?? .max) <= 3)
    }

    @Test func aJobThatCanNeverFitBlocksNobody() {
        let huge = Resources(cpu: MilliCPU(64_000), memory: .mebibytes(1))
        let (admission, actions) = admission([(beta, huge, [1]), (alpha, Self.small, [2])], misfits: 0)
        #expect(actions.contains(.startJob(2, alpha)))
        guard case .demandsMoreThanCapacity = admission.reason(for: beta, demand: huge, isFirst: true) else {
            Issue.record("the reason does not name the capacity")
            return
        }
    }

    @Test func runsGoFirst() {
        var (admission, _) = admission([(alpha, Self.large, [1, 2])])
        _ = admission.serviceRegistered(beta, AdmissionTerms(demand: Self.small))
        #expect(admission.runRequested(7, of: beta) == [])
        #expect(admission.ended(.job(1)) == [.startRun(7)])
        #expect(admission.ended(.run(7)) == [.startJob(2, alpha)])
    }

    @Test func aWithdrawnRunGivesItsPlaceUp() {
        var (admission, _) = admission([(alpha, Self.large, [1, 2])])
        _ = admission.runRequested(7, of: alpha)
        #expect(admission.runWithdrawn(7) == [])
        #expect(admission.ended(.job(1)) == [.startJob(2, alpha)])
    }

    @Test func aRemovedServiceStartsNothing() {
        var (admission, _) = admission([(alpha, Self.large, [1, 2])])
        _ = admission.serviceRemoved(alpha)
        #expect(admission.ended(.job(1)) == [])
        #expect(admission.free == Self.machine)
    }

    @Test func nothingStartsAfterStop() {
        var (admission, _) = admission([(alpha, Self.large, [1, 2])])
        #expect(admission.stop() == [])
        #expect(admission.ended(.job(1)) == [])
        #expect(admission.reason(for: alpha, demand: Self.large, isFirst: true) == .stopping)
    }

    @Test func aReturnedJobIsReadAgain() {
        var (admission, _) = admission([(alpha, Self.large, [1, 2])])
        #expect(admission.jobReturned(to: alpha) == [.load(alpha, after: 0, limit: Admission.window)])
        #expect(admission.ended(.job(1)) == [])
        #expect(
            admission.loaded([1, 2], of: alpha, after: 0, limit: Admission.window) == [.startJob(1, alpha)]
        )
    }

    /// Any order of events: what is taken never exceeds the capacity, no job starts twice, all start in the end, each
    /// service's in order.
    @Test(arguments: 0..<40 as Range<UInt64>) func holdsItsPromisesInAnyOrder(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var simulation = try Simulation(random: &random)
        for _ in 0..<600 { simulation.step(&random) }
        simulation.drain()
        #expect(simulation.isComplete, "seed \(seed)")
        #expect(simulation.overbooked == false, "seed \(seed)")
        #expect(simulation.startedInOrder, "seed \(seed)")
    }
}

/// A disk with queues, and a machine that runs what admission starts.
private struct Simulation {
    var admission: Admission
    let demands: [ServiceName: Resources]
    var queued: [ServiceName: [Int64]] = [:]
    var loads: [(ServiceName, Int64, Int)] = []
    var running: [Int64: ServiceName] = [:]
    var started: [ServiceName: [Int64]] = [:]
    var next: Int64 = 1
    var overbooked = false

    init(random: inout SeededGenerator) throws {
        let capacity = Resources(cpu: MilliCPU(4000), memory: .mebibytes(4096))
        admission = Admission(
            capacity: capacity, patience: Patience(misfits: Int.random(in: 0...8, using: &random)))
        var demands: [ServiceName: Resources] = [:]
        for index in 0..<Int.random(in: 1...5, using: &random) {
            demands[try ServiceName("s\(index)")] = Resources(
                cpu: MilliCPU(Int64.random(in: 1...4000, using: &random)),
                memory: .mebibytes(Int64.random(in: 1...4096, using: &random))
            )
        }
        self.demands = demands
        for (name, demand) in demands.sorted(by: { $0.key < $1.key }) {
            perform(admission.serviceRegistered(name, AdmissionTerms(demand: demand)))
        }
    }

    mutating func perform(_ actions: [Admission.Action]) {
        for action in actions {
            switch action {
            case .startJob(let job, let name):
                queued[name]?.removeAll { $0 == job }
                running[job] = name
                started[name, default: []].append(job)
            case .startRun, .startInstance, .endInstance: break
            case .load(let name, let after, let limit): loads.append((name, after, limit))
            }
        }
        let taken = running.values.reduce(Resources.zero) { $0 + (demands[$1] ?? .zero) }
        if !taken.fits(in: admission.capacity) { overbooked = true }
    }

    mutating func answerLoad(at index: Int) {
        let (name, after, limit) = loads.remove(at: index)
        let jobs = (queued[name] ?? []).filter { $0 > after }.prefix(limit)
        perform(admission.loaded(Array(jobs), of: name, after: after, limit: limit))
    }

    mutating func step(_ random: inout SeededGenerator) {
        switch Int.random(in: 0..<3, using: &random) {
        case 0:
            guard let name = demands.keys.sorted().randomElement(using: &random) else { return }
            queued[name, default: []].append(next)
            next += 1
            perform(admission.jobsAdded(to: name))
        case 1:
            guard let index = loads.indices.randomElement(using: &random) else { return }
            answerLoad(at: index)
        default:
            guard let job = running.keys.sorted().randomElement(using: &random) else { return }
            running[job] = nil
            perform(admission.ended(.job(job)))
        }
    }

    mutating func drain() {
        while !loads.isEmpty || !running.isEmpty {
            while !loads.isEmpty { answerLoad(at: 0) }
            guard let job = running.keys.min() else { continue }
            running[job] = nil
            perform(admission.ended(.job(job)))
        }
    }

    var isComplete: Bool {
        let all = started.values.flatMap { $0 }
        return all.count == Int(next - 1) && Set(all).count == all.count && queued.values.allSatisfy(\.isEmpty)
    }

    var startedInOrder: Bool { started.values.allSatisfy { $0 == $0.sorted() } }
}
