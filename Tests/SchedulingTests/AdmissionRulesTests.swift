import Model
import Scheduling
import TestKit
import Testing

/// What priorities, weights, limits, pauses and holds do, in plain sequences.
@Suite struct AdmissionRulesTests {
    /// A machine with a world of queues, in which each job takes as long as it is told to.
    private static func world(slots: Int64 = 1, weights: [String: Int] = [:], _ patience: Patience = Patience())
        -> World
    {
        World(
            capacity: Resources(cpu: MilliCPU(slots * 1000), memory: .mebibytes(4096)), patience: patience,
            weights: weights)
    }

    private static let one = Resources(cpu: MilliCPU(1000), memory: .mebibytes(64))

    @Test func theHigherPriorityGoesFirst() throws {
        var world = Self.world()
        let (low, high) = (try ServiceName("low"), try ServiceName("high"))
        world.register(low, AdmissionTerms(demand: Self.one, priority: 0))
        world.register(high, AdmissionTerms(demand: Self.one, priority: 5))
        world.add(3, to: low)
        world.add(3, to: high)
        world.runAll()
        // The first one started before the other service had anything.
        #expect(world.order == [low, high, high, high, low, low])
    }

    @Test func priorityEndsWherePatienceEnds() throws {
        var world = Self.world(Patience(priority: 4))
        let (low, high) = (try ServiceName("low"), try ServiceName("high"))
        world.register(high, AdmissionTerms(demand: Self.one, priority: 100))
        world.register(low, AdmissionTerms(demand: Self.one, priority: -100))
        world.add(40, to: high)
        world.add(3, to: low)
        world.runAll()
        let places = world.order.indices.filter { world.order[$0] == low }
        // Four starts of others for each of two services, then it is among equals once.
        #expect(places == [9, 18, 27])
    }

    @Test func ownersShareByWeight() throws {
        var world = Self.world(weights: ["a": 3])
        let (first, second) = (try ServiceName("first"), try ServiceName("second"))
        world.register(first, AdmissionTerms(demand: Self.one, owner: "a"))
        world.register(second, AdmissionTerms(demand: Self.one, owner: "b"))
        world.add(400, to: first)
        world.add(400, to: second)
        for _ in 0..<400 { world.endFirst(after: .seconds(1)) }
        let share = world.order.count { $0 == first }
        #expect((295...305).contains(share), "\(share) of \(world.order.count)")
    }

    @Test func manyServicesOfOneOwnerGetNoMoreThanOneOfAnother() throws {
        var world = Self.world()
        let lone = try ServiceName("lone")
        for index in 0..<9 {
            world.register(try ServiceName("many\(index)"), AdmissionTerms(demand: Self.one, owner: "a"))
        }
        world.register(lone, AdmissionTerms(demand: Self.one, owner: "b"))
        for index in 0..<9 { world.add(100, to: try ServiceName("many\(index)")) }
        world.add(100, to: lone)
        for _ in 0..<180 { world.endFirst(after: .seconds(1)) }
        #expect((88...92).contains(world.order.count { $0 == lone }))
    }

    @Test func longJobsCountAsLong() throws {
        var world = Self.world()
        let (long, short) = (try ServiceName("long"), try ServiceName("short"))
        world.register(long, AdmissionTerms(demand: Self.one, owner: "a"))
        world.register(short, AdmissionTerms(demand: Self.one, owner: "b"))
        world.add(100, to: long)
        world.add(1000, to: short)
        for _ in 0..<500 { world.endFirst { $0 == long ? .seconds(10) : .seconds(1) } }
        let times = world.seconds
        #expect(abs((times[long] ?? 0) - (times[short] ?? 0)) <= 30, "\(times)")
    }

    @Test func whoWasAwaySavesNoClaimUp() throws {
        var world = Self.world()
        let (busy, back) = (try ServiceName("busy"), try ServiceName("back"))
        world.register(busy, AdmissionTerms(demand: Self.one, owner: "a"))
        world.register(back, AdmissionTerms(demand: Self.one, owner: "b"))
        world.add(1000, to: busy)
        for _ in 0..<500 { world.endFirst(after: .seconds(1)) }
        world.order = []
        world.add(100, to: back)
        for _ in 0..<20 { world.endFirst(after: .seconds(1)) }
        #expect((9...11).contains(world.order.count { $0 == back }))
    }

    @Test(arguments: [
        (AdmissionTerms(demand: Self.one, maximumParallel: 2), "max_parallel: 2"),
        (AdmissionTerms(demand: Self.one, totalCPU: MilliCPU(2500)), "total_cpu: 2.5"),
        (AdmissionTerms(demand: Self.one, totalMemory: .mebibytes(191)), "total_memory: 191 MiB"),
    ])
    func aServicesOwnLimitHolds(terms: AdmissionTerms, text: String) throws {
        var world = Self.world(slots: 8)
        let (limited, other) = (try ServiceName("limited"), try ServiceName("other"))
        world.register(limited, terms)
        world.register(other, AdmissionTerms(demand: Self.one))
        world.add(5, to: limited)
        #expect(world.running.count == 2)
        #expect(
            world.admission.reason(for: limited, demand: Self.one, isFirst: true).description
                == "as much of its service is under way as the service allows (\(text))")
        world.add(3, to: other)
        #expect(world.running.count == 5)
        world.endFirst(after: .seconds(1))
        #expect(world.order.last == limited)
        // Raised, it holds for those that wait, too.
        world.register(limited, AdmissionTerms(demand: Self.one))
        #expect(world.queued[limited]?.isEmpty == true)
    }

    @Test func runsHaveALimitOfTheirOwn() throws {
        var world = Self.world(slots: 8)
        let name = try ServiceName("s")
        world.register(name, AdmissionTerms(demand: Self.one, maximumParallel: 3, maximumRuns: 1))
        #expect(world.admission.runRequested(1, of: name) == [.startRun(1)])
        #expect(world.admission.runRequested(2, of: name) == [])
        world.add(9, to: name)
        #expect(world.running.count == 2)
        #expect(world.admission.waitingRuns(of: name) == 1 && world.admission.waitingRuns == 1)
        // The place is the next run's, the limit of three holds.
        #expect(world.admission.ended(.run(1)) == [.startRun(2)])
    }

    @Test func aStreamOfRunsLeavesJobsTheirTurns() throws {
        var world = Self.world(Patience(runStreak: 3))
        let (sync, queue) = (try ServiceName("sync"), try ServiceName("queue"))
        world.register(sync, AdmissionTerms(demand: Self.one))
        world.register(queue, AdmissionTerms(demand: Self.one))
        for run in 1...20 as ClosedRange<UInt64> { world.perform(world.admission.runRequested(run, of: sync)) }
        world.add(4, to: queue)
        var runs: UInt64 = 1
        while runs <= 20 {
            world.perform(world.admission.ended(.run(runs)))
            if world.running.isEmpty { runs += 1 } else { world.endFirst(after: .zero) }
            if world.startedRuns > Int(runs) { runs = UInt64(world.startedRuns) }
        }
        #expect(world.order.count == 4)
    }

    @Test func runsOfServicesTakeTurns() throws {
        var world = Self.world()
        let (flood, other) = (try ServiceName("flood"), try ServiceName("other"))
        world.register(flood, AdmissionTerms(demand: Self.one))
        world.register(other, AdmissionTerms(demand: Self.one))
        for run in 1...9 as ClosedRange<UInt64> { _ = world.admission.runRequested(run, of: flood) }
        _ = world.admission.runRequested(10, of: other)
        #expect(world.admission.ended(.run(1)) == [.startRun(10)])
        #expect(world.admission.ended(.run(10)) == [.startRun(2)])
        #expect(world.admission.runWithdrawn(3) == [])
        #expect(world.admission.ended(.run(2)) == [.startRun(4)])
        // Runs that wait outlive their service: each has a client.
        #expect(world.admission.serviceRemoved(flood).count == 5)
    }

    @Test func aPausedServiceStartsNothingAndReadsNothing() throws {
        var world = Self.world(slots: 4)
        let (paused, other) = (try ServiceName("paused"), try ServiceName("other"))
        var terms = AdmissionTerms(demand: Self.one, priority: 100, isPaused: true)
        world.register(paused, terms)
        world.register(other, AdmissionTerms(demand: Self.one))
        world.add(2, to: paused)
        world.add(2, to: other)
        #expect(world.order == [other, other])
        #expect(world.admission.reason(for: paused, demand: Self.one, isFirst: false) == .paused)
        terms.isPaused = false
        world.register(paused, terms)
        #expect(world.order == [other, other, paused, paused])
    }

    @Test func aHeldClusterStartsNothingAndSaysWhy() throws {
        var world = Self.world(slots: 4)
        let name = try ServiceName("s")
        world.register(name, AdmissionTerms(demand: Self.one))
        world.perform(world.admission.hold(for: "the disk is full"))
        world.add(2, to: name)
        #expect(world.admission.runRequested(1, of: name) == [])
        #expect(world.order.isEmpty)
        let reason = world.admission.reason(for: name, demand: Self.one, isFirst: true)
        #expect(reason.description == "the cluster starts nothing: the disk is full")
        world.perform(world.admission.hold(for: nil))
        #expect(world.order == [name, name] && world.startedRuns == 1)
    }

    @Test("a job that comes back while it still holds its place is not lost", arguments: [true, false])
    func returnedWhileUnderWay(loadIsUnderWay: Bool) throws {
        var admission = Admission(capacity: Self.one)
        let name = try ServiceName("s")
        _ = admission.serviceRegistered(name, AdmissionTerms(demand: Self.one))
        _ = admission.loaded([1], of: name, after: 0, limit: Admission.window)
        // The executor has put it back into the queue, its place is free only afterwards.
        var actions: [Admission.Action] = []
        if loadIsUnderWay {
            // After 1, and then after 0, which is out of date when the job comes back once more.
            #expect(admission.jobsAdded(to: name) == [.load(name, after: 1, limit: Admission.window)])
            #expect(admission.jobReturned(to: name) == [])
            actions = admission.loaded([], of: name, after: 1, limit: Admission.window)
        } else {
            actions = admission.jobReturned(to: name)
        }
        #expect(actions == [.load(name, after: 0, limit: Admission.window)])
        #expect(admission.jobReturned(to: name) == [])
        #expect(
            admission.loaded([], of: name, after: 0, limit: Admission.window)
                == [.load(name, after: -1, limit: Admission.window)])
        #expect(admission.loaded([1], of: name, after: -1, limit: Admission.window) == [])
        #expect(admission.ended(.job(1)) == [.load(name, after: 0, limit: Admission.window)])
        #expect(admission.loaded([1], of: name, after: 0, limit: Admission.window) == [.startJob(1, name)])
    }

    @Test func theExpectedPauseFollowsWhatJobsTake() throws {
        var world = Self.world(slots: 2)
        let name = try ServiceName("s")
        world.register(name, AdmissionTerms(demand: Self.one))
        world.add(9, to: name)
        #expect(world.admission.expectedPause(of: name) == nil)
        world.endFirst(after: .seconds(8))
        #expect(world.admission.expectedPause(of: name) == .seconds(4))
        world.endFirst(after: .seconds(100_000_000))
        #expect(world.admission.expectedPause(of: name) == .seconds(3600))
        #expect(world.admission.expectedPause(of: try ServiceName("none")) == nil)
    }
}
