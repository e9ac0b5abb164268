import Model
import Scheduling
import TestKit
import Testing

/// What happens to instances, as transcripts: events in, actions out.
@Suite struct InstanceTests {
    static let one = Resources(cpu: MilliCPU(1000), memory: .mebibytes(256))
    static let machine = Resources(cpu: MilliCPU(4000), memory: .mebibytes(1024))

    let name: ServiceName
    let other: ServiceName
    var admission = Admission(capacity: Self.machine)

    init() throws {
        name = try ServiceName("warm")
        other = try ServiceName("other")
    }

    private mutating func register(
        _ name: ServiceName,
        _ instances: InstanceTerms?,
        demand: Resources = one,
        paused: Bool = false
    ) -> [Admission.Action] {
        let terms = AdmissionTerms(demand: demand, isPaused: paused, instances: instances)
        return admission.serviceRegistered(name, terms).filter { if case .load = $0 { false } else { true } }
    }

    /// How many work or start, and how many wait for work.
    private func counts(_ name: ServiceName) -> [Int] {
        let state = admission.instanceState(of: name)
        return [state.busy, state.idle]
    }

    private func id(_ number: UInt64) -> InstanceID { InstanceID(number) }

    // MARK: Cold start, warm use, scale to zero

    @Test mutating func theFirstRunStartsAnInstanceAndTheNextOneFindsItWarm() {
        #expect(register(name, InstanceTerms(generation: 1, idle: .seconds(60))) == [])
        #expect(admission.runRequested(1, of: name) == [.startInstance(id(1), name), .startRun(1)])
        #expect(admission.seat(of: .run(1)) == id(1))
        #expect(admission.free == Self.machine - Self.one)
        #expect(admission.instanceReady(id(1)) == [])
        #expect(admission.ended(.run(1)) == [])
        // It keeps its memory, and nothing of the processors.
        #expect(admission.free == Self.machine - Resources(cpu: .zero, memory: .mebibytes(256)))
        #expect(admission.runRequested(2, of: name) == [.startRun(2)])
        #expect(admission.seat(of: .run(2)) == id(1))
        #expect(admission.free == Self.machine - Self.one)
        _ = admission.ended(.run(2))
        admission.now = .seconds(59)
        #expect(admission.expireInstances() == [])
        admission.now = .seconds(60)
        #expect(admission.expireInstances() == [.endInstance(id(1), .idle)])
        #expect(admission.expireInstances() == [])
        #expect(admission.instanceEnded(id(1)) == [])
        #expect(admission.free == Self.machine)
        #expect(admission.runRequested(3, of: name) == [.startInstance(id(2), name), .startRun(3)])
    }

    @Test mutating func aBurstStartsAsManyAsFitAndTheRestWaits() {
        _ = register(name, InstanceTerms(generation: 1))
        for run in 1...6 as ClosedRange<UInt64> { _ = admission.runRequested(run, of: name) }
        #expect(admission.waitingRuns(of: name) == 2)
        #expect(counts(name) == [4, 0])
        // The next one takes the place, and the instance goes on.
        for number in 1...4 as ClosedRange<UInt64> { _ = admission.instanceReady(id(number)) }
        #expect(admission.ended(.run(2)) == [.startRun(5)])
        #expect(admission.seat(of: .run(5)) == id(2))
    }

    @Test mutating func noMoreThanTheServiceSays() {
        _ = register(name, InstanceTerms(generation: 1, maximum: 2))
        for run in 1...3 as ClosedRange<UInt64> { _ = admission.runRequested(run, of: name) }
        #expect(admission.instanceCount == 2)
        let reason = admission.reason(for: name, demand: Self.one, isFirst: true)
        #expect("\(reason)".contains("instances.max: 2"), "\(reason)")
    }

    @Test mutating func severalInvocationsShareAnInstance() {
        _ = register(name, InstanceTerms(generation: 1, places: 2))
        #expect(admission.runRequested(1, of: name) == [.startInstance(id(1), name), .startRun(1)])
        // In the one that starts, though there is room for another one.
        #expect(admission.runRequested(2, of: name) == [.startRun(2)])
        #expect(admission.seat(of: .run(2)) == id(1))
        #expect(admission.free == Self.machine - Self.one)
        #expect(admission.runRequested(3, of: name) == [.startInstance(id(2), name), .startRun(3)])
        _ = admission.instanceReady(id(1))
        _ = admission.instanceReady(id(2))
        _ = admission.ended(.run(1))
        #expect(counts(name) == [2, 0])
        _ = admission.ended(.run(2))
        #expect(counts(name) == [1, 1])
        // The one that works already is taken before the idle one.
        #expect(admission.runRequested(4, of: name) == [.startRun(4)])
        #expect(admission.seat(of: .run(4)) == id(2))
    }

    @Test mutating func jobsAndRunsUseTheSameInstances() {
        _ = register(name, InstanceTerms(generation: 1))
        let started = admission.loaded([1], of: name, after: 0, limit: 64)
        #expect(started == [.startInstance(id(1), name), .startJob(1, name)])
        _ = admission.instanceReady(id(1))
        #expect(admission.seat(of: .job(1)) == id(1))
        #expect(admission.ended(.job(1)) == [])
        #expect(admission.runRequested(1, of: name) == [.startRun(1)])
        #expect(admission.seat(of: .run(1)) == id(1))
    }

    // MARK: Wear

    @Test mutating func anInstanceEndsAfterItsInvocations() {
        _ = register(name, InstanceTerms(generation: 1, maximumInvocations: 2))
        _ = admission.runRequested(1, of: name)
        _ = admission.instanceReady(id(1))
        #expect(admission.ended(.run(1)) == [])
        _ = admission.runRequested(2, of: name)
        #expect(admission.ended(.run(2)) == [.endInstance(id(1), .worn)])
        // The next one does not wait for its end.
        #expect(admission.runRequested(3, of: name) == [.startInstance(id(2), name), .startRun(3)])
    }

    @Test mutating func anOldInstanceTakesNothingMore() {
        _ = register(name, InstanceTerms(generation: 1, maximumAge: .seconds(10)))
        _ = admission.runRequested(1, of: name)
        _ = admission.instanceReady(id(1))
        _ = admission.ended(.run(1))
        admission.now = .seconds(10)
        #expect(admission.runRequested(2, of: name) == [.startInstance(id(2), name), .startRun(2)])
        #expect(admission.expireInstances() == [.endInstance(id(1), .worn)])
    }

    // MARK: Update, pause, removal, shutdown

    @Test mutating func afterAnUpdateOldInstancesFinishAndNewOnesServe() {
        _ = register(name, InstanceTerms(generation: 1))
        for run in 1...2 as ClosedRange<UInt64> { _ = admission.runRequested(run, of: name) }
        for number in 1...2 as ClosedRange<UInt64> { _ = admission.instanceReady(id(number)) }
        _ = admission.ended(.run(2))
        #expect(register(name, InstanceTerms(generation: 2)) == [.endInstance(id(2), .replaced)])
        #expect(admission.runRequested(3, of: name) == [.startInstance(id(3), name), .startRun(3)])
        #expect(admission.ended(.run(1)) == [.endInstance(id(1), .replaced)])
        // Whatever else is the same, nothing is ended.
        #expect(register(name, InstanceTerms(generation: 2, idle: .seconds(5))) == [])
    }

    @Test mutating func aPausedOrRemovedServiceKeepsNoInstances() {
        _ = register(name, InstanceTerms(generation: 1))
        _ = admission.runRequested(1, of: name)
        _ = admission.instanceReady(id(1))
        _ = admission.ended(.run(1))
        #expect(register(name, InstanceTerms(generation: 1), paused: true) == [.endInstance(id(1), .replaced)])
        _ = admission.instanceEnded(id(1))
        _ = register(name, InstanceTerms(generation: 1))
        _ = admission.runRequested(2, of: name)
        _ = admission.instanceReady(id(2))
        #expect(admission.serviceRemoved(name) == [])
        #expect(admission.ended(.run(2)) == [.endInstance(id(2), .replaced)])
        _ = admission.instanceEnded(id(2))
        #expect(admission.free == Self.machine)
    }

    @Test mutating func whenTheClusterStopsInstancesEndWithTheirWork() {
        _ = register(name, InstanceTerms(generation: 1, minimum: 1))
        #expect(admission.instanceCount == 1)
        _ = admission.instanceReady(id(1))
        _ = admission.runRequested(1, of: name)
        _ = admission.runRequested(2, of: name)
        _ = admission.instanceReady(id(2))
        _ = admission.ended(.run(2))
        #expect(admission.stop() == [.endInstance(id(2), .stopping)])
        #expect(admission.ended(.run(1)) == [.endInstance(id(1), .stopping)])
        #expect(admission.instanceEnded(id(1)) == [])
        #expect(admission.instanceEnded(id(2)) == [])
        #expect(admission.instanceCount == 0)
    }

    // MARK: Crashes

    @Test mutating func theInvocationOfAnInstanceThatCrashesMovesToAnother() {
        _ = register(name, InstanceTerms(generation: 1))
        _ = admission.runRequested(1, of: name)
        _ = admission.instanceReady(id(1))
        #expect(admission.instanceEnded(id(1)) == [.startInstance(id(2), name)])
        #expect(admission.seat(of: .run(1)) == id(2))
        #expect(admission.free == Self.machine - Self.one)
        _ = admission.instanceReady(id(2))
        #expect(admission.ended(.run(1)) == [])
        #expect(counts(name) == [0, 1])
    }

    @Test mutating func whoGivesUpLeavesTheOtherInstance() {
        _ = register(name, InstanceTerms(generation: 1))
        _ = admission.runRequested(1, of: name)
        #expect(admission.instanceEnded(id(1)) == [.startInstance(id(2), name)])
        _ = admission.ended(.run(1))
        #expect(admission.seat(of: .run(1)) == nil)
        #expect(admission.instanceReady(id(2)) == [])
        #expect(counts(name) == [0, 1])
    }

    @Test mutating func nothingReplacesACrashedOneWhileTheClusterStops() {
        _ = register(name, InstanceTerms(generation: 1))
        _ = admission.runRequested(1, of: name)
        _ = admission.stop()
        #expect(admission.instanceEnded(id(1)) == [])
        #expect(admission.seat(of: .run(1)) == nil)
        _ = admission.ended(.run(1))
        #expect(admission.free == Self.machine)
    }

    // MARK: Kept ahead

    @Test mutating func instancesAreKeptThoughNothingIsToBeDone() {
        let terms = InstanceTerms(generation: 1, minimum: 2, idle: .seconds(1))
        #expect(register(name, terms) == [.startInstance(id(1), name), .startInstance(id(2), name)])
        for number in 1...2 as ClosedRange<UInt64> { _ = admission.instanceReady(id(number)) }
        admission.now = .seconds(1000)
        #expect(admission.expireInstances() == [])
        // One that is lost is replaced.
        #expect(admission.instanceEnded(id(1)) == [.startInstance(id(3), name)])
    }

    @Test mutating func oneThatNeverGetsReadyIsTriedMoreAndMoreSeldom() {
        #expect(register(name, InstanceTerms(generation: 1, minimum: 1)) == [.startInstance(id(1), name)])
        var number: UInt64 = 1
        for pause in [2, 4, 8, 16, 32, 60, 60] as [Int] {
            #expect(admission.instanceEnded(id(number)) == [])
            admission.now += .seconds(pause) - .milliseconds(1)
            #expect(admission.expireInstances() == [])
            admission.now += .milliseconds(1)
            number += 1
            #expect(admission.expireInstances() == [.startInstance(id(number), name)])
        }
        // An update is tried at once.
        _ = admission.instanceEnded(id(number))
        #expect(register(name, InstanceTerms(generation: 2, minimum: 1)) == [.startInstance(id(number + 1), name)])
    }

    // MARK: Memory

    @Test mutating func idleInstancesGiveWayToAJobThatNeedsTheMemory() {
        let large = Resources(cpu: MilliCPU(1000), memory: .mebibytes(600))
        _ = register(name, InstanceTerms(generation: 1))
        _ = register(other, nil, demand: large)
        for run in 1...3 as ClosedRange<UInt64> { _ = admission.runRequested(run, of: name) }
        for number in 1...3 as ClosedRange<UInt64> { _ = admission.instanceReady(id(number)) }
        for run in [2, 1, 3] as [UInt64] {
            admission.now += .seconds(1)
            _ = admission.ended(.run(run))
        }
        // 256 of 1024 MiB are free: two of the three are in the way, those that waited longest.
        let ends = admission.loaded([7], of: other, after: 0, limit: 64)
        #expect(ends == [.endInstance(id(2), .reclaimed), .endInstance(id(1), .reclaimed)])
        #expect(admission.jobsAdded(to: other).contains(.endInstance(id(3), .reclaimed)) == false)
        #expect(admission.instanceEnded(id(2)) == [])
        #expect(admission.instanceEnded(id(1)) == [.startJob(7, other)])
        #expect(counts(name) == [0, 1])
    }

    @Test mutating func onesThatAreKeptGiveWayLastAndComeBack() {
        let large = Resources(cpu: MilliCPU(1000), memory: .mebibytes(1024))
        #expect(register(name, InstanceTerms(generation: 1, minimum: 1)) == [.startInstance(id(1), name)])
        _ = admission.instanceReady(id(1))
        _ = register(other, nil, demand: large)
        #expect(admission.runRequested(1, of: other) == [.endInstance(id(1), .reclaimed)])
        #expect(admission.instanceEnded(id(1)) == [.startRun(1)])
        #expect(admission.ended(.run(1)) == [.startInstance(id(2), name)])
    }

    @Test mutating func whileTheMachineIsShortIdleInstancesEnd() {
        _ = register(name, InstanceTerms(generation: 1))
        _ = admission.runRequested(1, of: name)
        _ = admission.instanceReady(id(1))
        _ = admission.ended(.run(1))
        #expect(admission.hold(for: "no memory") == [.endInstance(id(1), .reclaimed)])
    }

    @Test mutating func theLimitsOfAServiceCountItsInstances() {
        var terms = AdmissionTerms(demand: Self.one, instances: InstanceTerms(generation: 1))
        terms.totalMemory = .mebibytes(512)
        _ = admission.serviceRegistered(name, terms)
        for run in 1...3 as ClosedRange<UInt64> { _ = admission.runRequested(run, of: name) }
        #expect(admission.instanceCount == 2)
        _ = admission.instanceReady(id(1))
        // Its own idle one is taken, though the limit is reached.
        #expect(admission.ended(.run(1)) == [.startRun(3)])
    }
}

/// Whatever happens in whatever order.
@Suite struct InstancePropertyTests {
    @Test(arguments: 0..<60)
    func nothingIsOverbookedAndNothingIsLeft(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var run = try InstanceRun(&random)
        for _ in 0..<400 { run.step(&random) }
        run.finish()
        #expect(run.failures == [], "seed \(seed)")
    }
}

/// A shell that starts and ends instances in any order, and crashes them.
private struct InstanceRun {
    var admission: Admission
    let names: [ServiceName]
    var terms: [ServiceName: AdmissionTerms] = [:]
    var starting: [InstanceID] = []
    var ready: [InstanceID] = []
    var ending: [InstanceID] = []
    var running: [UInt64] = []
    var service: [UInt64: ServiceName] = [:]
    /// What each instance, and each run without one, took when it started.
    var demands: [InstanceID: Resources] = [:]
    var cold: [UInt64: Resources] = [:]
    var next: UInt64 = 0
    var failures: [String] = []
    /// Whether a service was registered anew.
    var hasChanged = false

    init(_ random: inout SeededGenerator) throws {
        admission = Admission(capacity: Resources(cpu: MilliCPU(4000), memory: .mebibytes(2048)))
        names = try (0..<4).map { try ServiceName("s\($0)") }
        for name in names { register(name, &random) }
    }

    mutating func register(_ name: ServiceName, _ random: inout SeededGenerator) {
        var instances: InstanceTerms?
        if Int.random(in: 0..<4, using: &random) > 0 {
            instances = InstanceTerms(
                generation: Int64.random(in: 0..<3, using: &random), restart: Int64.random(in: 0..<3, using: &random),
                minimum: Int.random(in: 0...2, using: &random),
                maximum: Bool.random(using: &random) ? Int.random(in: 1...3, using: &random) : nil,
                places: Int.random(in: 1...3, using: &random), idle: .seconds(Int.random(in: 1...20, using: &random)),
                maximumInvocations: Bool.random(using: &random) ? Int.random(in: 1...5, using: &random) : nil,
                maximumAge: Bool.random(using: &random) ? .seconds(30) : nil)
        }
        let new = AdmissionTerms(
            demand: Resources(
                cpu: MilliCPU(Int64.random(in: 1...3000, using: &random)),
                memory: .mebibytes(Int64.random(in: 0...1500, using: &random))),
            isPaused: Int.random(in: 0..<8, using: &random) == 0, instances: instances)
        terms[name] = new
        perform(admission.serviceRegistered(name, new))
    }

    mutating func perform(_ actions: [Admission.Action]) {
        for action in actions {
            switch action {
            case .startJob: break
            case .load: break
            case .startRun(let number):
                running.append(number)
                if admission.seat(of: .run(number)) == nil {
                    cold[number] = service[number].flatMap { terms[$0]?.demand }
                }
                let isPooled = service[number].flatMap { terms[$0]?.instances } != nil
                if isPooled, admission.seat(of: .run(number)) == nil { failures.append("run \(number) has no seat") }
            case .startInstance(let id, let name):
                starting.append(id)
                demands[id] = terms[name]?.demand
            case .endInstance(let id, _):
                if let index = ready.firstIndex(of: id) {
                    ready.remove(at: index)
                } else if let index = starting.firstIndex(of: id) {
                    starting.remove(at: index)
                } else {
                    failures.append("\(id) is ended twice, or never was")
                }
                if running.contains(where: { admission.seat(of: .run($0)) == id }) {
                    failures.append("\(id) is ended with an invocation in it")
                }
                ending.append(id)
            }
        }
        checkBooking()
        for case .load(let name, let after, let limit) in actions {
            perform(admission.loaded([], of: name, after: after, limit: limit))
        }
    }

    private mutating func checkBooking() {
        let busy = Set(running.compactMap { admission.seat(of: .run($0)) }).union(starting)
        var held = running.compactMap { cold[$0] }.reduce(Resources.zero, +)
        for id in starting + ready + ending {
            let demand = demands[id] ?? .zero
            held = held + (busy.contains(id) ? demand : Resources(cpu: .zero, memory: demand.memory))
        }
        // The successor of one that crashed may demand more than that did.
        if !held.fits(in: admission.capacity), !hasChanged { failures.append("more is held than there is: \(held)") }
        if admission.free != admission.capacity - held { failures.append("free are \(admission.free), held \(held)") }
    }

    mutating func step(_ random: inout SeededGenerator) {
        admission.now += .milliseconds(Int.random(in: 0...3000, using: &random))
        let name = names.randomElement(using: &random) ?? names[0]
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<7:
            next += 1
            service[next] = name
            perform(admission.runRequested(next, of: name))
        case 7..<12: endRun(&random)
        case 12..<15: if !starting.isEmpty { makeReady(Int.random(in: 0..<starting.count, using: &random)) }
        case 15: if !ending.isEmpty { gone(ending.remove(at: Int.random(in: 0..<ending.count, using: &random))) }
        case 16: if !ready.isEmpty { gone(ready.remove(at: Int.random(in: 0..<ready.count, using: &random))) }
        case 17: if !starting.isEmpty { gone(starting.remove(at: Int.random(in: 0..<starting.count, using: &random))) }
        case 18: perform(admission.expireInstances())
        default:
            switch Int.random(in: 0..<8, using: &random) {
            case 0, 1:
                hasChanged = true
                register(name, &random)
            case 2: perform(admission.want(Int.random(in: 0...5, using: &random), instancesOf: name))
            case 3:
                guard var new = terms[name] else { break }
                new.instances?.restart += 1
                terms[name] = new
                perform(admission.serviceRegistered(name, new))
            default: break
            }
        }
        for number in running where service[number].flatMap({ terms[$0]?.instances }) != nil {
            if let id = admission.seat(of: .run(number)), ending.contains(id) {
                failures.append("run \(number) sits in \(id), which ends")
            }
        }
    }

    private mutating func makeReady(_ index: Int) {
        let id = starting.remove(at: index)
        ready.append(id)
        perform(admission.instanceReady(id))
    }

    private mutating func gone(_ id: InstanceID) { perform(admission.instanceEnded(id)) }

    private mutating func endRun(_ random: inout SeededGenerator) {
        guard let index = running.indices.randomElement(using: &random) else { return }
        perform(admission.ended(.run(running.remove(at: index)), after: .milliseconds(5)))
    }

    /// The cluster stops; then nothing is held any more.
    mutating func finish() {
        perform(admission.stop())
        while let number = running.popLast() { perform(admission.ended(.run(number))) }
        while let id = ending.popLast() { perform(admission.instanceEnded(id)) }
        if admission.instanceCount > 0 { failures.append("\(admission.instanceCount) instances are left") }
        if admission.free != admission.capacity {
            failures.append("\(admission.free) of \(admission.capacity) are free")
        }
    }
}
