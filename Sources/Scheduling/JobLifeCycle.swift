package import Model

/// Where a job stands between its creation and its end, and what has to happen next.
///
/// A pure state machine: no clock, no I/O. The store holds its state and takes each step in a transaction together with
/// what the step records; then the shell performs the actions. A program that dies between the two asks with
/// `programEnded` what is to be done, so nothing hangs on an action that was not performed.
///
/// Tries are counted by round: a job that somebody sends on its way again has all its attempts anew.
package struct JobLifeCycle: Sendable, Hashable {
    /// What happened to a job.
    package enum Event: Sendable, Hashable {
        /// It got its resources, and an attempt begins.
        case started
        /// Its input is there, and its script starts.
        case scriptStarted
        /// Its script ended well, and its results are on disk.
        case scriptSucceeded
        /// Its results are in this cluster's store, or wait in its delivery folder for other storages.
        case resultsStored(awaitingDelivery: Bool)
        /// The last result has arrived at another storage.
        case delivered
        /// Nothing waits for other storages any more, but something was given up.
        case deliveryGivenUp
        /// The attempt failed.
        ///
        /// - `jitter`: a random number from 0 to 1, which spreads the next attempts of jobs that failed together.
        case attemptFailed(AttemptFailure, policy: RetryPolicy, jitter: Double)
        /// Somebody does not want it any more.
        case cancelled
        /// Its results are gone before they were stored.
        case resultsLost
        /// The program had ended and starts again.
        ///
        /// - `resultsAreWhole`: whether results of a script that had ended can be trusted.
        case programEnded(resultsAreWhole: Bool)
        /// Somebody wants it to run again, or not to wait for its next attempt.
        case sentAgain
    }

    /// What has to be done; in this order.
    package enum Action: Sendable, Hashable {
        /// Record that the attempt of that number has begun.
        case beginAttempt(Int)
        /// Record how the attempt under way ended.
        case endAttempt(AttemptOutcome)
        /// End the script and everything else that works on the job.
        case stopWork
        /// Go on with staging out.
        case storeResults
        /// Take the waiting results to other storages.
        case deliver
        /// Forget the results that still wait for other storages.
        case dropDeliveries
        /// It waits in the queue, from now on.
        case enqueue
        /// It waits in the queue after that pause.
        case retry(after: Duration)
        /// It has ended: count it, and remove what nobody needs any more.
        case finish
        /// Tell the service's failure output.
        case tellFailure
    }

    /// How many attempts of the round failed, by what limits them.
    package struct Failures: Sendable, Hashable {
        package var script = 0
        package var timeout = 0
        package var infrastructure = 0

        package init(script: Int = 0, timeout: Int = 0, infrastructure: Int = 0) {
            (self.script, self.timeout, self.infrastructure) = (script, timeout, infrastructure)
        }

        package var total: Int { script + timeout + infrastructure }

        fileprivate mutating func count(_ failure: AttemptFailure) -> Int {
            switch failure {
            case .script:
                script += 1
                return script
            case .timeout:
                timeout += 1
                return timeout
            case .infrastructure:
                infrastructure += 1
                return infrastructure
            case .input, .output: return 1
            }
        }
    }

    package private(set) var state: JobState
    /// How many attempts have begun, in all rounds.
    package private(set) var attempts: Int
    package private(set) var failures: Failures

    package init(state: JobState = .queued, attempts: Int = 0, failures: Failures = Failures()) {
        (self.state, self.attempts, self.failures) = (state, attempts, failures)
    }

    /// Takes a step.
    ///
    /// - Returns: what has to be done; `nil` where the event cannot be, or comes too late: then nothing changes.
    package mutating func handle(_ event: Event) -> [Action]? {
        switch event {
        case .started: start()
        case .scriptStarted: step(from: .stagingIn, to: .running, [])
        case .scriptSucceeded: step(from: .running, to: .stagingOut, [])
        case .resultsStored(awaitingDelivery: true):
            step(from: .stagingOut, to: .delivering, [.endAttempt(.succeeded), .deliver])
        case .resultsStored(awaitingDelivery: false):
            step(from: .stagingOut, to: .succeeded, [.endAttempt(.succeeded), .finish])
        case .delivered: step(from: .delivering, to: .succeeded, [.finish])
        case .deliveryGivenUp: step(from: .delivering, to: .failed, [.finish, .tellFailure])
        case .attemptFailed(let failure, let policy, let jitter): fail(failure, policy, jitter)
        case .cancelled: cancel()
        case .resultsLost: step(from: .stagingOut, to: .queued, [.endAttempt(.lost), .enqueue])
        case .programEnded(let resultsAreWhole): resume(resultsAreWhole)
        case .sentAgain: sendAgain()
        }
    }

    /// As `handle`, for several events that happened together: all or none.
    package mutating func handle(_ events: [Event]) -> [Action]? {
        var next = self
        var actions: [Action] = []
        for event in events {
            guard let more = next.handle(event) else { return nil }
            actions += more
        }
        self = next
        return actions
    }

    private mutating func step(from old: JobState, to new: JobState, _ actions: [Action]) -> [Action]? {
        guard state == old else { return nil }
        state = new
        return actions
    }

    private mutating func start() -> [Action]? {
        guard state == .queued else { return nil }
        state = .stagingIn
        attempts += 1
        return [.beginAttempt(attempts)]
    }

    private mutating func fail(_ failure: AttemptFailure, _ policy: RetryPolicy, _ jitter: Double) -> [Action]? {
        guard state.holdsResources else { return nil }
        let end = Action.endAttempt(failure.outcome)
        let allowed = policy.retries(after: failure)
        if failures.count(failure) <= allowed {
            state = .queued
            return [end, .retry(after: policy.pause(afterFailures: failures.total, jitter: jitter))]
        }
        // A failure that is never tried again is the function's answer; else the answer is not known yet.
        state = allowed == 0 ? .failed : .dead
        return [end, .finish, .tellFailure]
    }

    private mutating func cancel() -> [Action]? {
        guard !state.isFinal else { return nil }
        let actions: [Action] =
            switch state {
            case .stagingIn, .running, .stagingOut: [.endAttempt(.cancelled), .stopWork, .finish]
            case .delivering: [.dropDeliveries, .finish]
            case .queued, .succeeded, .failed, .cancelled, .dead: [.finish]
            }
        state = .cancelled
        return actions
    }

    private mutating func resume(_ resultsAreWhole: Bool) -> [Action]? {
        switch state {
        case .queued: return [.enqueue]
        case .stagingOut where resultsAreWhole: return [.storeResults]
        case .stagingIn, .running, .stagingOut:
            // Not counted: whoever pulls the plug ten times does not want ten dead jobs.
            state = .queued
            return [.endAttempt(.lost), .enqueue]
        case .delivering: return [.deliver]
        case .succeeded, .failed, .cancelled, .dead: return []
        }
    }

    private mutating func sendAgain() -> [Action]? {
        guard state == .queued || state.isUnsuccessful else { return nil }
        if state != .queued { failures = Failures() }
        state = .queued
        return [.enqueue]
    }
}

extension RetryPolicy {
    /// How long to wait after so many failures: exponential, with a ceiling, and between half of it and all of it.
    ///
    /// - Parameter jitter: a random number from 0 to 1.
    package func pause(afterFailures count: Int, jitter: Double) -> Duration {
        let limit = Backoff(first: backoff, ceiling: maximumBackoff).limit(afterAttempt: count)
        return limit * (0.5 + min(max(jitter, 0), 1) / 2)
    }
}
