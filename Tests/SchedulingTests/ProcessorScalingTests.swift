import Model
import Testing

@testable import Scheduling

/// How many instances their use of processors asks for.
@Suite struct ProcessorScalingTests {
    typealias Sample = ProcessorScaling.Sample

    private var scaling = ProcessorScaling(.init(minimum: 1, maximum: 10, threshold: 50))

    /// One look at instances for which nothing was known before.
    @Test(
        arguments: [
            // Twice the threshold: twice as many; half of it needs time, see below.
            (Sample(usage: [1.0]), 2), (Sample(usage: [1.0, 1.0]), 4), (Sample(usage: [0.9, 0.3]), 3),
            // Within the tolerance.
            (Sample(usage: [0.5, 0.5]), 2), (Sample(usage: [0.55, 0.55]), 2), (Sample(usage: [0.56, 0.56]), 3),
            (Sample(usage: [0.45, 0.45]), 2),
            // Never more than twice as many, or four more.
            (Sample(usage: [5.0]), 5), (Sample(usage: [2.0, 2.0]), 6), (Sample(usage: [3, 3, 3, 3, 3]), 10),
            // Those that start, or were not measured, count as doing nothing where more are asked for.
            (Sample(usage: [1.0], starting: 1), 2), (Sample(usage: [1.0, 1.0], unmeasured: 1), 4),
            (Sample(usage: [1.0], starting: 3), 4),
            // Nothing was measured.
            (Sample(), 1), (Sample(unmeasured: 3), 3), (Sample(starting: 2), 2),
        ] as [(Sample, Int)])
    func growth(_ sample: Sample, _ wanted: Int) {
        var scaling = scaling
        #expect(scaling.wanted(sample, now: .zero) == wanted)
    }

    /// The same, when nothing has asked for more in the last five minutes.
    @Test(
        arguments: [
            (Sample(usage: [0.25, 0.25]), 1), (Sample(usage: [0.25, 0.25, 0.25, 0.25]), 2),
            (Sample(usage: [0, 0, 0, 0, 0]), 1), (Sample(usage: [0.1, 0.1, 0.1], unmeasured: 0), 1),
            // One that was not measured may use all that it has: 0.1 and 1 of two are more than 0.5 each.
            (Sample(usage: [0.1], unmeasured: 1), 2), (Sample(usage: [0.1, 0.1, 0.1], unmeasured: 1), 3),
        ] as [(Sample, Int)])
    func decline(_ sample: Sample, _ wanted: Int) {
        var scaling = scaling
        for second in stride(from: 0, through: 285, by: 15) {
            _ = scaling.wanted(sample, now: .seconds(second))
        }
        #expect(scaling.wanted(sample, now: .seconds(300)) == wanted)
    }

    @Test func fewerComeOnlyAfterFiveQuietMinutes() {
        var scaling = scaling
        #expect(scaling.wanted(Sample(usage: [1, 1]), now: .zero) == 4)
        let quiet = Sample(usage: [0, 0, 0, 0])
        for second in stride(from: 15, through: 285, by: 15) {
            #expect(scaling.wanted(quiet, now: .seconds(second)) == 4)
        }
        // A short need in between begins the time anew, for as many as it asked for.
        #expect(scaling.wanted(Sample(usage: [0.3, 0.3, 0.3, 0.3]), now: .seconds(299)) == 4)
        #expect(scaling.wanted(quiet, now: .seconds(301)) == 3)
        #expect(scaling.wanted(Sample(usage: [0, 0, 0]), now: .seconds(598)) == 3)
        #expect(scaling.wanted(Sample(usage: [0, 0, 0]), now: .seconds(599)) == 1)
    }

    /// What an earlier need asked for is kept, but does not come back once it is gone.
    @Test func theWindowAsksForNothing() {
        var scaling = scaling
        #expect(scaling.wanted(Sample(usage: [1, 1, 1]), now: .zero) == 6)
        #expect(scaling.wanted(Sample(usage: [0.5]), now: .seconds(15)) == 1)
    }

    @Test func boundsOfTheService() {
        var scaling = ProcessorScaling(.init(minimum: 2, maximum: 3, threshold: 80))
        #expect(scaling.wanted(Sample(usage: [1, 1]), now: .zero) == 3)
        #expect(scaling.wanted(Sample(usage: [1, 1, 1]), now: .seconds(15)) == 3)
        #expect(scaling.wanted(Sample(usage: [0]), now: .seconds(1000)) == 2)
        #expect(scaling.wanted(Sample(), now: .seconds(1015)) == 2)
        // Scaled to zero: what is there and does nothing may go.
        var scaledToZero = ProcessorScaling(.init(minimum: 0, maximum: 3, threshold: 80))
        #expect(scaledToZero.wanted(Sample(), now: .zero) == 0)
        #expect(scaledToZero.wanted(Sample(usage: [0]), now: .seconds(15)) == 0)
    }

    /// Rounding errors do not ask for one more; nonsense asks for nothing.
    @Test(arguments: 1...100)
    func numbers(threshold: Int) {
        for count in 1...9 {
            var scaling = ProcessorScaling(.init(minimum: 1, maximum: 100, threshold: threshold))
            let twice = Double(threshold) / 50
            let wanted = scaling.wanted(Sample(usage: Array(repeating: twice, count: count)), now: .zero)
            #expect(wanted == 2 * count)
        }
        for nonsense in [Double.nan, .infinity, -1] {
            var scaling = ProcessorScaling(.init(minimum: 1, maximum: 100, threshold: threshold))
            let wanted = scaling.wanted(Sample(usage: [nonsense, 0.1]), now: .zero)
            #expect((1...2).contains(wanted))
        }
    }
}

/// What the pool does with that, as transcripts.
@Suite struct WantedInstancesTests {
    let name: ServiceName
    var admission = Admission(capacity: InstanceTests.machine)

    init() throws { name = try ServiceName("page") }

    private mutating func register(
        generation: Int64 = 1,
        places: Int = 1,
        minimum: Int = 1,
        maximum: Int? = 3,
        paused: Bool = false
    ) -> [Admission.Action] {
        let instances = InstanceTerms(
            generation: generation, minimum: minimum, maximum: maximum, places: places, idle: .seconds(60))
        let terms = AdmissionTerms(demand: InstanceTests.one, isPaused: paused, instances: instances)
        return admission.serviceRegistered(name, terms).filter { if case .load = $0 { false } else { true } }
    }

    private func id(_ number: UInt64) -> InstanceID { InstanceID(number) }

    @Test mutating func moreAreStartedAndKept() {
        _ = register()
        _ = admission.instanceReady(id(1))
        #expect(admission.want(2, instancesOf: name) == [.startInstance(id(2), name)])
        _ = admission.instanceReady(id(2))
        admission.now = .seconds(1000)
        #expect(admission.expireInstances() == [])
        // Never more than there may be.
        #expect(admission.want(9, instancesOf: name) == [.startInstance(id(3), name)])
        _ = admission.instanceReady(id(3))
        // Fewer end when they have had nothing to do for long enough.
        #expect(admission.want(1, instancesOf: name) == [])
        admission.now = .seconds(1059)
        #expect(admission.expireInstances() == [.endInstance(id(1), .idle), .endInstance(id(2), .idle)])
        admission.now = .seconds(2000)
        #expect(admission.expireInstances() == [])
    }

    @Test mutating func requestsHaveWhatTheyNeedWhateverIsWanted() {
        _ = register()
        _ = admission.instanceReady(id(1))
        #expect(admission.want(1, instancesOf: name) == [])
        _ = admission.runRequested(1, of: name)
        #expect(admission.runRequested(2, of: name) == [.startInstance(id(2), name), .startRun(2)])
    }

    @Test mutating func theWorkIsSpreadOverAsManyAsAreWanted() {
        _ = register(places: 8)
        _ = admission.instanceReady(id(1))
        _ = admission.runRequested(1, of: name)
        // One place is as good as another, and the others could end.
        _ = admission.runRequested(2, of: name)
        #expect(admission.seat(of: .run(2)) == id(1))
        _ = admission.want(2, instancesOf: name)
        _ = admission.instanceReady(id(2))
        _ = admission.runRequested(3, of: name)
        #expect(admission.seat(of: .run(3)) == id(2))
        _ = admission.runRequested(4, of: name)
        #expect(admission.seat(of: .run(4)) == id(2))
        _ = admission.want(1, instancesOf: name)
        for run in 3...4 as ClosedRange<UInt64> { _ = admission.ended(.run(run)) }
        _ = admission.runRequested(5, of: name)
        #expect(admission.seat(of: .run(5)) == id(1))
    }

    /// Without a processor for another one, a place in the one that works is better than none.
    @Test mutating func theWorkIsNotSpreadWhereThereIsNoProcessor() throws {
        _ = register(places: 8)
        _ = admission.instanceReady(id(1))
        _ = admission.want(2, instancesOf: name)
        _ = admission.instanceReady(id(2))
        _ = admission.runRequested(1, of: name)
        let other = try ServiceName("other")
        _ = admission.serviceRegistered(
            other, AdmissionTerms(demand: Resources(cpu: MilliCPU(2500), memory: .mebibytes(64))))
        _ = admission.runRequested(2, of: other)
        #expect(admission.runRequested(3, of: name) == [.startRun(3)])
        #expect(admission.seat(of: .run(3)) == admission.seat(of: .run(1)))
    }

    @Test mutating func anotherDefinitionBeginsAnew() {
        _ = register()
        _ = admission.instanceReady(id(1))
        _ = admission.want(3, instancesOf: name)
        let actions = register(generation: 2)
        #expect(actions.count { if case .startInstance = $0 { true } else { false } } == 1)
        _ = admission.want(3, instancesOf: name)
        #expect(register(generation: 2, paused: true).allSatisfy { if case .endInstance = $0 { true } else { false } })
        _ = admission.serviceRemoved(name)
        #expect(admission.want(3, instancesOf: name) == [])
    }

    @Test mutating func wantedOnesGiveWayLast() throws {
        let other = try ServiceName("other")
        _ = register(minimum: 0)
        _ = admission.want(1, instancesOf: name)
        _ = admission.instanceReady(id(1))
        _ = admission.serviceRegistered(
            other, AdmissionTerms(demand: InstanceTests.one, instances: InstanceTerms(generation: 1)))
        _ = admission.runRequested(1, of: other)
        _ = admission.instanceReady(id(2))
        admission.now = .seconds(5)
        _ = admission.ended(.run(1))
        let large = try ServiceName("large")
        _ = admission.serviceRegistered(
            large, AdmissionTerms(demand: Resources(cpu: MilliCPU(1000), memory: .mebibytes(700))))
        // The other one has waited for a shorter time, but nobody wants it.
        #expect(admission.runRequested(2, of: large) == [.endInstance(id(2), .reclaimed)])
    }
}
