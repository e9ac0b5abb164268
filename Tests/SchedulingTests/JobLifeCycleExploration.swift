import Model
import Scheduling
import Testing

/// All orders of events, with a crash at each point: nothing ends twice, nothing gets stuck, no result makes two events.
///
/// The world is small: one job with two results, of which one stays here and one goes to another storage, a queue in memory, one
/// worker, a store that remembers what it was given for a job. Whatever the worker does falls into two steps between which the
/// program may die: the deed itself and the record of it.
@Suite("The life cycle of a job, explored")
struct JobLifeCycleExploration {
    /// What the worker has in hand.
    enum Work: Hashable {
        case idle
        /// The attempt runs; whether its begin is recorded yet.
        case running(isRecorded: Bool)
        /// The script has ended well.
        case ended(isRecorded: Bool)
        /// Results are in the store; the end is not recorded yet.
        case stored
    }

    struct World: Hashable {
        // Durable.
        var cycle = JobLifeCycle()
        /// Whether it waits for its next attempt.
        var waits = false
        var deliveriesLeft = 0
        /// Whether the results are on the disk.
        var results = false
        /// Events that the own store made for the result.
        var localEvents = 0
        var isInStore = false
        // Memory.
        var isQueued = false
        var work = Work.idle
        // What an observer counts.
        var finishes = 0
        var told = 0
        var rounds = 0
        // What may still go wrong.
        var crashes: Int
        var cancels = 1
        var failures = 3
    }

    static let policy = RetryPolicy(script: 1, infrastructure: 1)

    /// The shell: performs actions.
    static func perform(_ actions: [JobLifeCycle.Action], _ world: inout World) {
        for action in actions {
            switch action {
            case .beginAttempt, .endAttempt, .deliver: break
            case .stopWork: world.work = .idle
            case .storeResults: world.work = world.results ? .ended(isRecorded: true) : .idle
            case .dropDeliveries: world.deliveriesLeft = 0
            case .enqueue:
                world.waits = false
                world.isQueued = true
            case .retry: world.waits = true
            case .finish: world.finishes += 1
            case .tellFailure: world.told += 1
            }
        }
    }

    /// What the world can do next; those that are faults or people's wishes come with `true`.
    static func moves(_ world: World) -> [(isFault: Bool, world: World)] {
        var moves: [(Bool, World)] = []
        func move(isFault: Bool = false, _ change: (inout World) -> Void) {
            var next = world
            change(&next)
            moves.append((isFault, next))
        }
        /// Records; a refusal means that somebody else has ended the job, and the worker drops it.
        func record(_ events: [JobLifeCycle.Event], _ world: inout World, work: Work) {
            if let actions = world.cycle.handle(events) {
                world.work = work
                perform(actions, &world)
            } else {
                world.work = .idle
            }
        }
        switch world.work {
        case .idle:
            if world.isQueued, !world.waits {
                move { next in
                    next.isQueued = false
                    if next.cycle.state == .queued { next.work = .running(isRecorded: false) }
                }
            }
            if world.waits {
                move { next in
                    next.waits = false
                    next.isQueued = true
                }
            }
        case .running(isRecorded: false):
            move { record([.started, .scriptStarted], &$0, work: .running(isRecorded: true)) }
        case .running(isRecorded: true):
            move { next in
                next.results = true
                next.work = .ended(isRecorded: false)
            }
            if world.failures > 0 {
                for failure in [AttemptFailure.script(exitCode: 1), .infrastructure, .timeout] {
                    move(isFault: true) { next in
                        next.failures -= 1
                        record([.attemptFailed(failure, policy: policy, jitter: 0)], &next, work: .idle)
                    }
                }
            }
        case .ended(isRecorded: false):
            move { record([.scriptSucceeded], &$0, work: .ended(isRecorded: true)) }
        case .ended(isRecorded: true):
            move { next in
                // The store remembers what this job gave it.
                if !next.isInStore { next.localEvents += 1 }
                next.isInStore = true
                next.work = .stored
            }
            if world.failures > 0 {
                move(isFault: true) { next in
                    next.failures -= 1
                    record([.attemptFailed(.infrastructure, policy: policy, jitter: 0)], &next, work: .idle)
                }
            }
        case .stored:
            move { next in
                let before = next.cycle
                record([.resultsStored(awaitingDelivery: true)], &next, work: .idle)
                if next.cycle != before { next.deliveriesLeft = 1 }
            }
        }
        if world.deliveriesLeft > 0, world.cycle.state == .delivering {
            move { next in
                next.deliveriesLeft = 0
                if let actions = next.cycle.handle(.delivered) { perform(actions, &next) }
            }
        }
        if world.cancels > 0 {
            move(isFault: true) { next in
                next.cancels -= 1
                if let actions = next.cycle.handle(.cancelled) { perform(actions, &next) }
            }
        }
        if world.cycle.state.isUnsuccessful, world.rounds == 0 {
            move(isFault: true) { next in
                next.rounds += 1
                // A new round is a new job as far as the store is concerned.
                (next.finishes, next.told, next.isInStore, next.localEvents) = (0, 0, false, 0)
                if let actions = next.cycle.handle(.sentAgain) { perform(actions, &next) }
            }
        }
        if world.crashes > 0 {
            for resultsAreWhole in [true, false] {
                move(isFault: true) { next in
                    next.crashes -= 1
                    next.work = .idle
                    next.isQueued = false
                    if !resultsAreWhole { next.results = false }
                    if let actions = next.cycle.handle(.programEnded(resultsAreWhole: resultsAreWhole)) {
                        let waits = next.waits
                        perform(actions, &next)
                        // A job that waits for its next attempt goes on waiting.
                        if waits, next.cycle.state == .queued, next.isQueued {
                            next.isQueued = false
                            next.waits = true
                        }
                    }
                }
            }
        }
        return moves
    }

    @Test("with up to three crashes, three failures, a cancel and a second round")
    func everything() {
        var seen: Set<World> = []
        var open = [World(isQueued: true, crashes: 3)]
        seen.insert(open[0])
        while let world = open.popLast() {
            check(world)
            for (_, next) in Self.moves(world) where seen.insert(next).inserted { open.append(next) }
        }
        #expect(seen.count > 1000)
        #expect(Set(seen.map(\.cycle.state)).union([.stagingIn]) == Set(JobState.allCases))
    }

    private func check(_ world: World) {
        #expect(world.finishes == (world.cycle.state.isFinal ? 1 : 0), "\(world)")
        #expect(world.told == ([.failed, .dead].contains(world.cycle.state) ? 1 : 0), "\(world)")
        #expect(world.localEvents <= 1, "\(world)")
        if world.cycle.state == .succeeded { #expect(world.isInStore && world.deliveriesLeft == 0, "\(world)") }
        // Left alone, it comes to its end: there is always exactly one thing to do, and no circle.
        var current = world
        var steps = 0
        while !current.cycle.state.isFinal || current.work != .idle {
            let next = Self.moves(current).filter { !$0.isFault }
            guard let first = next.first, steps < 40 else {
                Issue.record("stuck: \(world)")
                return
            }
            current = first.world
            steps += 1
        }
    }
}
