import Model
import Scheduling
import Testing

/// A restart of a service's instances, as transcripts: events in, actions out.
@Suite struct InstanceRestartTests {
    let name: ServiceName
    let other: ServiceName
    var admission = Admission(capacity: InstanceTests.machine)

    init() throws {
        name = try ServiceName("warm")
        other = try ServiceName("other")
    }

    private mutating func register(
        restart: Int64 = 0,
        generation: Int64 = 1,
        minimum: Int = 0,
        maximum: Int? = nil,
        demand: Resources = InstanceTests.one,
        paused: Bool = false
    ) -> [Admission.Action] {
        let instances = InstanceTerms(generation: generation, restart: restart, minimum: minimum, maximum: maximum)
        let terms = AdmissionTerms(demand: demand, isPaused: paused, instances: instances)
        return admission.serviceRegistered(name, terms).filter { if case .load = $0 { false } else { true } }
    }

    private func id(_ number: UInt64) -> InstanceID { InstanceID(number) }

    /// So many instances that wait for work, the first one for the longest time.
    private mutating func warm(_ count: UInt64) {
        for run in 1...count { _ = admission.runRequested(run, of: name) }
        for number in 1...count { _ = admission.instanceReady(id(number)) }
        for run in 1...count {
            admission.now += .seconds(1)
            _ = admission.ended(.run(run))
        }
    }

    @Test mutating func theNewOneIsReadyBeforeTheOldOneEnds() {
        _ = register(minimum: 1)
        _ = admission.instanceReady(id(1))
        #expect(register(restart: 1, minimum: 1) == [.startInstance(id(2), name)])
        // Nobody waits for the new one while the old one is there.
        #expect(admission.runRequested(1, of: name) == [.startRun(1)])
        #expect(admission.seat(of: .run(1)) == id(1))
        #expect(admission.ended(.run(1)) == [])
        #expect(admission.instanceReady(id(2)) == [.endInstance(id(1), .replaced)])
        #expect(admission.runRequested(2, of: name) == [.startRun(2)])
        #expect(admission.seat(of: .run(2)) == id(2))
        #expect(admission.instanceEnded(id(1)) == [])
        #expect(admission.instanceCount == 1)
    }

    @Test mutating func whatTheOldOneDoesIsDoneFirst() {
        _ = register(minimum: 1)
        _ = admission.instanceReady(id(1))
        _ = admission.runRequested(1, of: name)
        #expect(register(restart: 1, minimum: 1) == [.startInstance(id(2), name)])
        #expect(admission.instanceReady(id(2)) == [])
        #expect(admission.runRequested(2, of: name) == [.startRun(2)])
        #expect(admission.seat(of: .run(2)) == id(2))
        #expect(admission.ended(.run(1)) == [.endInstance(id(1), .replaced)])
    }

    @Test mutating func severalGoOneByOne() {
        _ = register()
        warm(3)
        #expect(register(restart: 1) == [.startInstance(id(4), name)])
        #expect(admission.instanceReady(id(4)) == [.endInstance(id(1), .replaced)])
        #expect(admission.instanceEnded(id(1)) == [.startInstance(id(5), name)])
        // Work goes to the new ones.
        #expect(admission.runRequested(7, of: name) == [.startRun(7)])
        #expect(admission.seat(of: .run(7)) == id(4))
        #expect(admission.instanceReady(id(5)) == [.endInstance(id(2), .replaced)])
        #expect(admission.instanceEnded(id(2)) == [.startInstance(id(6), name)])
        #expect(admission.instanceReady(id(6)) == [.endInstance(id(3), .replaced)])
        #expect(admission.instanceEnded(id(3)) == [])
        #expect(admission.instanceState(of: name).ready == 3)
    }

    /// The one that takes an old one's place is one more than there may be, for that time.
    @Test mutating func alsoWhereThereAreAsManyAsThereMayBe() {
        _ = register(minimum: 1, maximum: 1)
        _ = admission.instanceReady(id(1))
        #expect(register(restart: 1, minimum: 1, maximum: 1) == [.startInstance(id(2), name)])
        _ = admission.runRequested(1, of: name)
        // Its place is in the one that starts, for there is no other; a third one is too much.
        #expect(admission.runRequested(2, of: name) == [.startRun(2)])
        #expect(admission.seat(of: .run(2)) == id(2))
        #expect(admission.runRequested(3, of: name) == [])
        #expect(admission.instanceReady(id(2)) == [])
        #expect(admission.ended(.run(1)) == [.endInstance(id(1), .replaced)])
    }

    @Test mutating func withoutMemoryForBothTheOldOneEndsFirst() {
        let large = Resources(cpu: MilliCPU(1000), memory: .mebibytes(600))
        _ = register(minimum: 1, demand: large)
        _ = admission.instanceReady(id(1))
        #expect(register(restart: 1, minimum: 1, demand: large) == [.endInstance(id(1), .replaced)])
        #expect(admission.instanceEnded(id(1)) == [.startInstance(id(2), name)])
        #expect(admission.instanceReady(id(2)) == [])
    }

    @Test mutating func withoutAProcessorForBothTheRestartWaitsButNotForEver() {
        _ = admission.serviceRegistered(
            other, AdmissionTerms(demand: Resources(cpu: MilliCPU(3500), memory: .mebibytes(64))))
        _ = register(minimum: 1)
        _ = admission.instanceReady(id(1))
        _ = admission.runRequested(100, of: other)
        #expect(register(restart: 1, minimum: 1) == [])
        admission.now += Admission.restartPatience - .seconds(1)
        #expect(admission.expireInstances() == [])
        admission.now += .seconds(1)
        #expect(admission.expireInstances() == [.endInstance(id(1), .replaced)])
        #expect(admission.instanceEnded(id(1)) == [])
        #expect(admission.ended(.run(100)) == [.startInstance(id(2), name)])
    }

    @Test mutating func oneThatStartsForNobodyIsOfNoUse() {
        #expect(register(minimum: 1) == [.startInstance(id(1), name)])
        #expect(
            register(restart: 1, minimum: 1) == [.endInstance(id(1), .replaced), .startInstance(id(2), name)])
        #expect(admission.instanceEnded(id(1)) == [])
        #expect(admission.instanceReady(id(2)) == [])
    }

    @Test mutating func newOnesThatNeverGetReadyLeaveTheOldOnes() {
        _ = register(minimum: 1)
        _ = admission.instanceReady(id(1))
        #expect(register(restart: 1, minimum: 1) == [.startInstance(id(2), name)])
        #expect(admission.instanceEnded(id(2)) == [])
        admission.now += .seconds(2)
        #expect(admission.expireInstances() == [.startInstance(id(3), name)])
        #expect(admission.instanceEnded(id(3)) == [])
        #expect(admission.runRequested(1, of: name) == [.startRun(1)])
        #expect(admission.seat(of: .run(1)) == id(1))
        // Another order is tried at once.
        #expect(register(restart: 2, minimum: 1) == [.startInstance(id(4), name)])
    }

    @Test mutating func aPauseOrAnUpdateEndsTheRestart() {
        _ = register()
        warm(2)
        #expect(register(restart: 1) == [.startInstance(id(3), name)])
        #expect(
            register(restart: 1, paused: true) == [
                .endInstance(id(1), .replaced), .endInstance(id(2), .replaced), .endInstance(id(3), .replaced),
            ])
        for number in 1...3 as ClosedRange<UInt64> { #expect(admission.instanceEnded(id(number)) == []) }
        _ = register(restart: 1)
        _ = admission.runRequested(10, of: name)
        _ = admission.instanceReady(id(4))
        _ = admission.ended(.run(10))
        #expect(register(restart: 2) == [.startInstance(id(5), name)])
        #expect(
            register(restart: 2, generation: 2) == [
                .endInstance(id(4), .replaced), .endInstance(id(5), .replaced),
            ])
    }

    @Test mutating func aServiceWithoutInstancesHasNothingToRestart() {
        _ = register()
        #expect(register(restart: 1) == [])
        #expect(admission.runRequested(1, of: name) == [.startInstance(id(1), name), .startRun(1)])
    }
}
