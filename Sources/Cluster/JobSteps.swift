package import Logging
package import Model
package import ObjectEngine
import Scheduling
package import StateStore
import Synchronization
import SystemPackage

/// Takes the steps of jobs' lives: records each, then does what it asks for beside the job's own work.
///
/// All ends of jobs come through here, so that each is counted and cleaned up after, once.
package final class JobSteps: Sendable {
    /// So many owners of marks are forgotten at once.
    private static let batch = 128

    private struct Marks {
        /// Jobs under way that have put results into this cluster's store.
        var owners: Set<String> = []
        /// Those that have ended since.
        var ended: [String] = []
    }

    private let data: DataDirectory
    private let store: ObjectStore
    private let state: ClusterState
    private let deliverySignal: Signal
    private let retrySignal: Signal
    private let notifications: Notifications
    private let now: @Sendable () -> Instant
    private let jitter: @Sendable () -> Double
    private let logger: Logger
    private let marks = Mutex(Marks())
    let timing = InvocationMetrics()

    /// - Parameters:
    ///   - retrySignal: rung when a job waits for its next attempt, or a failure output for its notice.
    ///   - jitter: random numbers from 0 to 1, which spread the attempts of jobs that failed together.
    package init(
        data: DataDirectory,
        store: ObjectStore,
        state: ClusterState,
        deliverySignal: Signal,
        retrySignal: Signal,
        notifications: Notifications,
        now: @escaping @Sendable () -> Instant,
        jitter: @escaping @Sendable () -> Double = { Double.random(in: 0...1) },
        logger: Logger
    ) {
        self.data = data
        self.store = store
        self.state = state
        self.deliverySignal = deliverySignal
        self.retrySignal = retrySignal
        self.notifications = notifications
        self.now = now
        self.jitter = jitter
        self.logger = logger
    }

    /// The event of an attempt that failed, under the service's policy.
    func failure(_ failure: JobFailure, of service: RegisteredService) -> JobLifeCycle.Event {
        .attemptFailed(failure.kind, policy: service.definition.retry ?? RetryPolicy(), jitter: jitter())
    }

    /// Takes a step; `nil` where it comes too late.
    func take(
        _ events: [JobLifeCycle.Event],
        of job: Int64,
        _ result: AttemptResult = AttemptResult(),
        deliveries: [NewDelivery] = [],
        notice: NewFailureNotice? = nil
    ) async throws(StateStoreError) -> JobChange? {
        let change = try await state.handle(
            events, of: job, at: now(), result, deliveries: deliveries, notice: notice)
        guard let change else { return nil }
        await perform(change, telling: notice?.target)
        return change
    }

    /// Does what a recorded step asks for.
    ///
    /// - Parameter target: who has a notice of the failure, where the step is one.
    func perform(_ change: JobChange, telling target: FailureOutput? = nil) async {
        if change.actions.contains(.tellFailure), case .webhook(let name) = target { notifications.ring(name) }
        for action in change.actions {
            switch action {
            case .deliver: deliverySignal.send()
            case .retry(let pause): waits(change.job, pause)
            case .tellFailure: retrySignal.send()
            case .endAttempt(let outcome): timing.attemptEnded(outcome)
            case .finish: await finished(change)
            case .dropDeliveries: deliveriesWithdrawn()
            case .beginAttempt, .stopWork, .storeResults, .enqueue: break
            }
        }
    }

    /// Nobody waits any more for what a job had to deliver: there may be room, and uploads that are to be aborted.
    func deliveriesWithdrawn() { deliverySignal.send() }

    private func waits(_ job: JobRecord, _ pause: Duration) {
        var metadata = job.metadata
        metadata["attempt"] = "\(job.attempts)"
        metadata["message"] = "\(job.message ?? "")"
        metadata["retry.seconds"] = "\(pause.seconds)"
        logger.warning("an attempt failed; the job waits for the next one", metadata: metadata)
        retrySignal.send()
    }

    private func finished(_ change: JobChange) async {
        let job = change.job
        timing.ended(job)
        var metadata = job.metadata
        metadata["state"] = "\(job.state)"
        if let message = job.message { metadata["message"] = "\(message)" }
        if let run = job.run { metadata["run.seconds"] = "\(run.seconds)" }
        logger.info("job ended", metadata: metadata)
        // Only who succeeded is never sent on its way again.
        if job.state == .succeeded, job.input == nil {
            await remove(data.events.appending(job.name.text), by: Folder.removeFile)
        }
        if change.previous == .delivering { await remove(data.deliveries.appending(job.name.text), by: Folder.remove) }
        await forgetPuts(of: job)
    }

    private func remove(_ path: FilePath, by removal: @escaping @Sendable (FilePath) throws -> Void) async {
        do { try await Folder.offload { try removal(path) } } catch {
            logger.warning("what a job left cannot be removed", metadata: ["path": "\(path)", "error": "\(error)"])
        }
    }

    // MARK: Marks of what was put

    /// Who puts the results of a job's round into this cluster's store, for `putFile(…onceFor:)`.
    func owner(of job: JobRecord) -> String {
        let owner = job.putOwner
        marks.withLock { _ = $0.owners.insert(owner) }
        return owner
    }

    private func forgetPuts(of job: JobRecord) async {
        let ended = marks.withLock { marks -> [String] in
            guard marks.owners.remove(job.putOwner) != nil else { return [] }
            marks.ended.append(job.putOwner)
            guard marks.ended.count >= Self.batch else { return [] }
            defer { marks.ended = [] }
            return marks.ended
        }
        await forget(ended)
    }

    private func forget(_ owners: [String]) async {
        do { try await store.forgetPuts(by: owners) } catch {
            // The next start forgets them.
            logger.warning("marks of ended jobs stay for now", metadata: ["error": "\(error)"])
        }
    }

    /// Forgets what jobs have put that ended before this start.
    func forgetEndedPuts() async throws {
        var last = ""
        while true {
            let owners = try await store.putOwners(after: last, limit: 500)
            guard let end = owners.last else { return }
            var ended: [String] = []
            for owner in owners {
                let number = Int64(owner.prefix { $0 != "." })
                let job: JobRecord? = if let number { try await state.jobToRun(number)?.job } else { nil }
                if job?.state.isFinal ?? true || job?.putOwner != owner { ended.append(owner) }
            }
            await forget(ended)
            last = end
        }
    }
}

extension JobRecord {
    /// A round that begins anew may put the same again.
    fileprivate var putOwner: String { "\(number).\(round)" }

    var metadata: Logger.Metadata { ["job.name": "\(name)", "service": "\(service)"] }
}
