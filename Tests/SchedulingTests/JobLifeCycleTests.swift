import Model
import Scheduling
import Testing

@Suite("The life cycle of a job")
struct JobLifeCycleTests {
    typealias Event = JobLifeCycle.Event
    typealias Action = JobLifeCycle.Action

    static let policy = RetryPolicy(
        script: 1, timeout: 0, infrastructure: 2, exitCodes: [75], backoff: .seconds(4), maximumBackoff: .seconds(6))

    static func failed(_ failure: AttemptFailure, jitter: Double = 1) -> Event {
        .attemptFailed(failure, policy: policy, jitter: jitter)
    }

    /// What each event does in each state; what is not in the table is refused and changes nothing.
    static let steps: [(JobState, Event, JobState, [Action])] = [
        (.queued, .started, .stagingIn, [.beginAttempt(8)]),
        (.queued, .cancelled, .cancelled, [.finish]),
        (.queued, .programEnded(resultsAreWhole: true), .queued, [.enqueue]),
        (.queued, .programEnded(resultsAreWhole: false), .queued, [.enqueue]),
        (.queued, .sentAgain, .queued, [.enqueue]),
        (.stagingIn, .scriptStarted, .running, []),
        (.stagingIn, failed(.infrastructure), .queued, [.endAttempt(.infrastructure), .retry(after: .seconds(4))]),
        (.stagingIn, failed(.input), .failed, [.endAttempt(.input), .finish, .tellFailure]),
        (.stagingIn, failed(.timeout), .failed, [.endAttempt(.timeout), .finish, .tellFailure]),
        (.stagingIn, failed(.output), .failed, [.endAttempt(.output), .finish, .tellFailure]),
        (.stagingIn, failed(.script(exitCode: 1)), .failed, [.endAttempt(.script), .finish, .tellFailure]),
        (.stagingIn, failed(.script(exitCode: 75)), .queued, [.endAttempt(.script), .retry(after: .seconds(4))]),
        (.stagingIn, .cancelled, .cancelled, [.endAttempt(.cancelled), .stopWork, .finish]),
        (.stagingIn, .programEnded(resultsAreWhole: true), .queued, [.endAttempt(.lost), .enqueue]),
        (.stagingIn, .programEnded(resultsAreWhole: false), .queued, [.endAttempt(.lost), .enqueue]),
        (.running, .scriptSucceeded, .stagingOut, []),
        (.running, failed(.infrastructure), .queued, [.endAttempt(.infrastructure), .retry(after: .seconds(4))]),
        (.running, failed(.input), .failed, [.endAttempt(.input), .finish, .tellFailure]),
        (.running, failed(.timeout), .failed, [.endAttempt(.timeout), .finish, .tellFailure]),
        (.running, failed(.output), .failed, [.endAttempt(.output), .finish, .tellFailure]),
        (.running, failed(.script(exitCode: 1)), .failed, [.endAttempt(.script), .finish, .tellFailure]),
        (.running, failed(.script(exitCode: 75)), .queued, [.endAttempt(.script), .retry(after: .seconds(4))]),
        (.running, .cancelled, .cancelled, [.endAttempt(.cancelled), .stopWork, .finish]),
        (.running, .programEnded(resultsAreWhole: true), .queued, [.endAttempt(.lost), .enqueue]),
        (.running, .programEnded(resultsAreWhole: false), .queued, [.endAttempt(.lost), .enqueue]),
        (.stagingOut, .resultsStored(awaitingDelivery: false), .succeeded, [.endAttempt(.succeeded), .finish]),
        (.stagingOut, .resultsStored(awaitingDelivery: true), .delivering, [.endAttempt(.succeeded), .deliver]),
        (.stagingOut, failed(.infrastructure), .queued, [.endAttempt(.infrastructure), .retry(after: .seconds(4))]),
        (.stagingOut, failed(.input), .failed, [.endAttempt(.input), .finish, .tellFailure]),
        (.stagingOut, failed(.timeout), .failed, [.endAttempt(.timeout), .finish, .tellFailure]),
        (.stagingOut, failed(.output), .failed, [.endAttempt(.output), .finish, .tellFailure]),
        (.stagingOut, failed(.script(exitCode: 1)), .failed, [.endAttempt(.script), .finish, .tellFailure]),
        (.stagingOut, failed(.script(exitCode: 75)), .queued, [.endAttempt(.script), .retry(after: .seconds(4))]),
        (.stagingOut, .cancelled, .cancelled, [.endAttempt(.cancelled), .stopWork, .finish]),
        (.stagingOut, .resultsLost, .queued, [.endAttempt(.lost), .enqueue]),
        (.stagingOut, .programEnded(resultsAreWhole: true), .stagingOut, [.storeResults]),
        (.stagingOut, .programEnded(resultsAreWhole: false), .queued, [.endAttempt(.lost), .enqueue]),
        (.delivering, .delivered, .succeeded, [.finish]),
        (.delivering, .cancelled, .cancelled, [.dropDeliveries, .finish]),
        (.delivering, .programEnded(resultsAreWhole: true), .delivering, [.deliver]),
        (.delivering, .programEnded(resultsAreWhole: false), .delivering, [.deliver]),
        (.succeeded, .programEnded(resultsAreWhole: true), .succeeded, []),
        (.succeeded, .programEnded(resultsAreWhole: false), .succeeded, []),
        (.failed, .programEnded(resultsAreWhole: true), .failed, []),
        (.failed, .programEnded(resultsAreWhole: false), .failed, []),
        (.failed, .sentAgain, .queued, [.enqueue]),
        (.cancelled, .programEnded(resultsAreWhole: true), .cancelled, []),
        (.cancelled, .programEnded(resultsAreWhole: false), .cancelled, []),
        (.cancelled, .sentAgain, .queued, [.enqueue]),
        (.dead, .programEnded(resultsAreWhole: true), .dead, []),
        (.dead, .programEnded(resultsAreWhole: false), .dead, []),
        (.dead, .sentAgain, .queued, [.enqueue]),
    ]

    static let events: [Event] = [
        .started, .scriptStarted, .scriptSucceeded, .resultsStored(awaitingDelivery: true),
        .resultsStored(awaitingDelivery: false), .delivered, failed(.script(exitCode: 1)),
        failed(.script(exitCode: 75)), failed(.timeout), failed(.infrastructure), failed(.input), failed(.output),
        .cancelled, .resultsLost, .programEnded(resultsAreWhole: true), .programEnded(resultsAreWhole: false),
        .sentAgain,
    ]

    @Test("each event in each state", arguments: JobState.allCases)
    func table(state: JobState) {
        for event in Self.events {
            var cycle = JobLifeCycle(state: state, attempts: 7)
            let actions = cycle.handle(event)
            if let (_, _, next, wanted) = Self.steps.first(where: { $0.0 == state && $0.1 == event }) {
                #expect(actions == wanted && cycle.state == next, "\(state), \(event)")
            } else {
                #expect(actions == nil && cycle == JobLifeCycle(state: state, attempts: 7), "\(state), \(event)")
            }
        }
    }

    /// Events with the states after them.
    static let transcripts: [[(Event, JobState)]] = [
        [
            (.started, .stagingIn), (.scriptStarted, .running), (.scriptSucceeded, .stagingOut),
            (.resultsStored(awaitingDelivery: false), .succeeded),
        ],
        [
            (.started, .stagingIn), (.scriptStarted, .running), (failed(.script(exitCode: 75)), .queued),
            (.started, .stagingIn), (.scriptStarted, .running), (failed(.script(exitCode: 75)), .dead),
            (.sentAgain, .queued), (.started, .stagingIn), (.scriptStarted, .running),
            (failed(.script(exitCode: 75)), .queued), (.started, .stagingIn), (.scriptStarted, .running),
            (.scriptSucceeded, .stagingOut), (.resultsStored(awaitingDelivery: true), .delivering),
            (.delivered, .succeeded),
        ],
        // Each kind of failure has its own limit.
        [
            (.started, .stagingIn), (failed(.infrastructure), .queued), (.started, .stagingIn),
            (failed(.script(exitCode: 75)), .queued), (.started, .stagingIn), (failed(.infrastructure), .queued),
            (.started, .stagingIn), (failed(.infrastructure), .dead),
        ],
        // What is never tried again fails at once, also after what was.
        [
            (.started, .stagingIn), (failed(.infrastructure), .queued), (.started, .stagingIn),
            (failed(.timeout), .failed),
        ],
        // Crashes do not count.
        Array(
            repeatElement([(.started, .stagingIn), (.programEnded(resultsAreWhole: true), .queued)], count: 20).joined()
        ) + [(.started, .stagingIn), (failed(.infrastructure), .queued)],
    ]

    @Test(arguments: transcripts.indices)
    func transcript(index: Int) {
        var cycle = JobLifeCycle()
        for (place, (event, state)) in Self.transcripts[index].enumerated() {
            #expect(cycle.handle(event) != nil, "\(place): \(event)")
            #expect(cycle.state == state, "\(place): \(event)")
        }
    }

    @Test("several events at once happen all or not at all")
    func together() {
        var cycle = JobLifeCycle()
        #expect(cycle.handle([.started, .delivered]) == nil)
        #expect(cycle == JobLifeCycle())
        #expect(
            cycle.handle([.started, .scriptStarted, .scriptSucceeded, .resultsStored(awaitingDelivery: false)])
                == [.beginAttempt(1), .endAttempt(.succeeded), .finish])
        #expect(cycle.state == .succeeded)
    }

    @Test(
        "pauses double, end at the ceiling, and are spread",
        arguments: [
            (1, 0.0, 2000), (1, 1.0, 4000), (1, 0.5, 3000), (2, 1.0, 6000), (3, 0.0, 3000), (99, 1.0, 6000),
            (1, -7.0, 2000), (1, 7.0, 4000), (Int.max, 1.0, 6000),
        ])
    func pauses(failures: Int, jitter: Double, milliseconds: Int) {
        #expect(Self.policy.pause(afterFailures: failures, jitter: jitter) == .milliseconds(milliseconds))
    }
}
