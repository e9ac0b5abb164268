package import Logging
import Model
package import Scheduling
import ServiceLifecycle
package import StateStore
import Synchronization

/// Starts jobs and synchronous runs as `Admission` decides.
///
/// The decisions are made in a value under a lock; what they ask for is done by the tasks of `run()`.
package final class JobScheduler: Service {
    private struct State {
        var admission: Admission
        var nextRun: Admission.RunNumber = 1
        var waitingRuns: [Admission.RunNumber: CheckedContinuation<Void, any Error>] = [:]
        /// Jobs under way, to be cancelled one by one.
        var cancellations: [Int64: (service: ServiceName, cancel: @Sendable () -> Void)] = [:]
    }

    private let state: Mutex<State>
    private let store: ClusterState
    private let actions: AsyncStream<Admission.Action>
    private let perform: AsyncStream<Admission.Action>.Continuation
    private let execute: @Sendable (Int64) async -> Void
    /// How many synchronous runs may wait for room.
    private let maximumWaitingRuns: Int
    /// How long running jobs may go on after the order to stop.
    private let grace: Duration
    private let logger: Logger

    package init(
        capacity: Resources,
        store: ClusterState,
        maximumWaitingRuns: Int = 256,
        grace: Duration,
        logger: Logger,
        execute: @escaping @Sendable (Int64) async -> Void
    ) {
        state = Mutex(State(admission: Admission(capacity: capacity)))
        self.store = store
        self.maximumWaitingRuns = maximumWaitingRuns
        self.grace = grace
        self.logger = logger
        self.execute = execute
        // Not more than one action a waiting job in the window, a run or a service.
        (actions, perform) = AsyncStream.makeStream(of: Admission.Action.self, bufferingPolicy: .unbounded)
    }

    package var capacity: Resources { state.withLock { $0.admission.capacity } }
    package var free: Resources { state.withLock { $0.admission.free } }

    // MARK: What happened

    func serviceRegistered(_ service: RegisteredService) {
        decide { $0.serviceRegistered(service.name, demand: service.demand) }
    }

    func serviceRemoved(_ name: ServiceName) { decide { $0.serviceRemoved(name) } }

    func jobsAdded(to name: ServiceName) { decide { $0.jobsAdded(to: name) } }

    func jobWithdrawn(_ job: Int64, of name: ServiceName) { decide { $0.jobWithdrawn(job, of: name) } }

    func jobReturned(to name: ServiceName) { decide { $0.jobReturned(to: name) } }

    func reason(for service: ServiceName, demand: Resources, isFirst: Bool) -> WaitReason {
        state.withLock { $0.admission.reason(for: service, demand: demand, isFirst: isFirst) }
    }

    private func decide(_ change: (inout Admission) -> [Admission.Action]) {
        for action in state.withLock({ change(&$0.admission) }) { perform.yield(action) }
    }

    // MARK: Synchronous runs

    /// Takes the resources of a run, waiting until they are free, for the time of `body`.
    ///
    /// - Throws: `ClusterError` with `busy` where too many wait already, `stopping`, `invalid` where the demand exceeds the capacity;
    ///   `CancellationError`; what `body` throws.
    func withResources<T>(_ demand: Resources, _ body: () async throws -> T) async throws -> T {
        let number = try await acquire(demand)
        defer { decide { $0.ended(.run(number)) } }
        return try await body()
    }

    private func acquire(_ demand: Resources) async throws -> Admission.RunNumber {
        let number = try state.withLock { state throws(ClusterError) -> Admission.RunNumber in
            guard !state.admission.isStopping else { throw Self.stopping }
            guard demand.fits(in: state.admission.capacity) else {
                let reason = WaitReason.demandsMoreThanCapacity(demand: demand, capacity: state.admission.capacity)
                throw ClusterError(code: .invalid, message: "the service \(reason)")
            }
            guard state.admission.waitingRuns < maximumWaitingRuns else {
                throw ClusterError(code: .busy, message: "\(maximumWaitingRuns) runs wait already; try again later")
            }
            state.nextRun += 1
            return state.nextRun
        }
        try await withGracefulShutdownHandler {
            try await withTaskCancellationHandler {
                try await wait(number, demand)
            } onCancel: {
                withdraw(number, CancellationError())
            }
        } onGracefulShutdown: { [self] in
            withdraw(number, Self.stopping)
        }
        return number
    }

    private func wait(_ number: Admission.RunNumber, _ demand: Resources) async throws {
        try await withCheckedThrowingContinuation { continuation in
            let isStopping = state.withLock { state in
                if !state.admission.isStopping { state.waitingRuns[number] = continuation }
                return state.admission.isStopping
            }
            guard !isStopping else { return continuation.resume(throwing: Self.stopping) }
            decide { $0.runRequested(number, demand: demand) }
            // It may have come before there was anything to withdraw.
            if Task.isCancelled { withdraw(number, CancellationError()) }
            if Task.isShuttingDownGracefully { withdraw(number, Self.stopping) }
        }
    }

    private func withdraw(_ number: Admission.RunNumber, _ error: any Error) {
        let waiting = state.withLock { $0.waitingRuns.removeValue(forKey: number) }
        guard let waiting else { return }
        decide { $0.runWithdrawn(number) }
        // Had it been admitted already, its ticket is given back.
        decide { $0.ended(.run(number)) }
        waiting.resume(throwing: error)
    }

    private static let stopping = ClusterError(
        code: .stopping,
        message: "the cluster is stopping; try again in a moment"
    )

    // MARK: Running

    package func run() async throws {
        await withGracefulShutdownHandler {
            var timer: Task<Void, any Error>?
            await withDiscardingTaskGroup { group in
                for await action in actions { handle(action, in: &group) }
                timer = graceTimer()
            }
            timer?.cancel()
        } onGracefulShutdown: { [self] in
            stop()
        }
    }

    private func handle(_ action: Admission.Action, in group: inout DiscardingTaskGroup) {
        switch action {
        case .startJob(let job, let service):
            group.addTask { [self] in
                await executeCancellably(job, of: service)
                decide { $0.ended(.job(job)) }
            }
        case .startRun(let number):
            let waiting = state.withLock { $0.waitingRuns.removeValue(forKey: number) }
            if let waiting { waiting.resume() } else { decide { $0.ended(.run(number)) } }
        case .load(let service, let after, let limit):
            group.addTask { [self] in await load(service, after: after, limit: limit) }
        }
    }

    private func load(_ service: ServiceName, after: Int64, limit: Int) async {
        do {
            let jobs = try await store.waitingJobs(of: service, after: after, limit: limit)
            decide { $0.loaded(jobs, of: service, after: after, limit: limit) }
        } catch {
            logger.error("the queue cannot be read", metadata: ["service": "\(service)", "error": "\(error)"])
            state.withLock { $0.admission.loadFailed(of: service) }
            guard (try? await Task.sleep(for: .seconds(1))) != nil else { return }  // Cancelled: the cluster stops.
            jobsAdded(to: service)
        }
    }

    /// Runs a job in a task that `cancel` can reach.
    private func executeCancellably(_ job: Int64, of service: ServiceName) async {
        let task = state.withLock { state in
            // Awaited right below, and cancelled with this task or by `cancel`, which waits for the lock.
            let task = Task { [execute] in await execute(job) }
            state.cancellations[job] = (service, { task.cancel() })
            return task
        }
        await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        state.withLock { $0.cancellations[job] = nil }
    }

    /// Stops a job that is under way; false where it is not.
    func cancel(_ job: Int64) -> Bool {
        let cancellation = state.withLock { $0.cancellations[job] }
        cancellation?.cancel()
        return cancellation != nil
    }

    /// Stops all jobs of a service that are under way.
    func cancelJobs(of service: ServiceName) {
        let cancellations = state.withLock { $0.cancellations.values.filter { $0.service == service } }
        for cancellation in cancellations { cancellation.cancel() }
    }

    /// Stops all jobs that are under way; they stay as they are in the store, and run again at the next start.
    package func cancelAll() {
        for job in state.withLock({ Array($0.cancellations.values) }) { job.cancel() }
    }

    private func stop() {
        let waiting = state.withLock { state in
            state.admission.stop()
            let waiting = Array(state.waitingRuns.values)
            state.waitingRuns = [:]
            return waiting
        }
        perform.finish()
        for continuation in waiting { continuation.resume(throwing: Self.stopping) }
    }

    /// Cancels the jobs under way when the grace time is over; they run again at the next start.
    private func graceTimer() -> Task<Void, any Error> {
        let running = state.withLock { $0.admission.runningCount }
        if running > 0 {
            logger.info("waiting for running jobs", metadata: ["jobs": "\(running)", "grace": "\(grace)"])
        }
        // Ended by its own end, or cancelled by `run` right after the jobs have ended.
        return Task { [self] in
            try await Task.sleep(for: grace)
            logger.warning("the grace time is over; jobs are stopped and run again at the next start")
            cancelAll()
        }
    }
}
