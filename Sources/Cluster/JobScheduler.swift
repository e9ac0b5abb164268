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
    struct State {
        var admission: Admission
        /// Set where more waits for other storages than may.
        var deliveryLimit: ByteCount?
        /// The services that wait for that.
        var heldDeliverers: Set<ServiceName> = []
        /// How often somebody had the instances of a service replaced.
        var restarts: [ServiceName: Int64] = [:]
        var nextRun: Admission.RunNumber = 1
        var waitingRuns:
            [Admission.RunNumber: (service: ServiceName, continuation: CheckedContinuation<Void, any Error>)] =
                [:]
        /// Jobs under way, to be cancelled one by one.
        var cancellations: [Int64: (service: ServiceName, cancel: @Sendable () -> Void)] = [:]
    }

    let state: Mutex<State>
    /// Why nothing new is stored, in words; apart from the rest, since each upload asks.
    let storage = Mutex<String?>(nil)
    private let store: ClusterState
    private let actions: AsyncStream<Admission.Action>
    let perform: AsyncStream<Admission.Action>.Continuation
    private let execute: @Sendable (Int64, JobScheduler) async -> Void
    let instances: InstanceHost
    let scaling = InstanceScaling()
    let use = InvocationUse()
    /// The moment that `Admission` counts time from.
    private let start = ContinuousClock.now
    /// How many synchronous runs may wait for room.
    let maximumWaitingRuns: Int
    /// How long running jobs may go on after the order to stop.
    private let grace: Duration
    private let logger: Logger

    /// - Parameters:
    ///   - shares: the weights of owners, at least 1; those without one have 1.
    ///   - execute: executes a job, in the place that `seat(of:)` tells.
    package init(
        capacity: Resources,
        shares: [String: Int] = [:],
        store: ClusterState,
        maximumWaitingRuns: Int = 256,
        grace: Duration,
        instances: InstanceHost,
        logger: Logger,
        execute: @escaping @Sendable (Int64, JobScheduler) async -> Void
    ) {
        state = Mutex(State(admission: Admission(capacity: capacity, weights: shares)))
        self.store = store
        self.maximumWaitingRuns = maximumWaitingRuns
        self.grace = grace
        self.logger = logger
        self.execute = execute
        self.instances = instances
        // Not more than one action a waiting job in the window, a run or a service.
        (actions, perform) = AsyncStream.makeStream(of: Admission.Action.self, bufferingPolicy: .unbounded)
    }

    package var capacity: Resources { state.withLock { $0.admission.capacity } }
    /// What no invocation holds; instances without work give way.
    package var free: Resources { state.withLock { $0.admission.available } }

    // MARK: What happened

    func serviceRegistered(_ service: RegisteredService) {
        let terms = terms(of: service)
        decide { $0.serviceRegistered(service.name, terms) }
        if service.pause != nil { refuseRuns(of: service.name, Self.paused(service.name)) }
    }

    func serviceRemoved(_ name: ServiceName) {
        decide { $0.serviceRemoved(name) }
        state.withLock { _ = $0.restarts.removeValue(forKey: name) }
        instances.logs.remove(name)
    }

    func jobsAdded(to name: ServiceName) { decide { $0.jobsAdded(to: name) } }

    func jobWithdrawn(_ job: Int64, of name: ServiceName) { decide { $0.jobWithdrawn(job, of: name) } }

    func jobReturned(to name: ServiceName) { decide { $0.jobReturned(to: name) } }

    func reason(for service: ServiceName, demand: Resources, isFirst: Bool) -> WaitReason {
        state.withLock { state in
            if let limit = state.deliveryLimit, state.heldDeliverers.contains(service) {
                return .behindDeliveries(limit: limit)
            }
            return state.admission.reason(for: service, demand: demand, isFirst: isFirst)
        }
    }

    func decide(_ change: (inout Admission) -> [Admission.Action]) {
        let time = now
        let actions = state.withLock { state in
            state.admission.now = time
            return change(&state.admission)
        }
        for action in actions {
            // At once, for the stream of actions ends before the last instances do.
            if case .endInstance(let id, _) = action { instances.end(id) } else { perform.yield(action) }
        }
    }

    /// What `Admission` takes for the time.
    var now: Duration { ContinuousClock.now - start }

    /// The instance in which an invocation has its place; `nil` where it has a sandbox of its own.
    func seat(of ticket: Admission.Ticket) -> InstanceID? { state.withLock { $0.admission.seat(of: ticket) } }

    /// How many instances work or start, and how many wait for work.
    package var instanceCounts: (busy: Int, idle: Int) { state.withLock { $0.admission.instanceCounts } }

    /// How many instances of a service there are, in which states.
    func instanceState(of service: ServiceName) -> Admission.InstanceState {
        state.withLock { $0.admission.instanceState(of: service) }
    }

    /// Replaces all instances of a service by new ones, which are ready before the old ones end, where there is room.
    func restartInstances(of service: RegisteredService) {
        state.withLock { $0.restarts[service.name, default: 0] += 1 }
        serviceRegistered(service)
    }

    // MARK: Running

    package func run() async throws {
        await withGracefulShutdownHandler {
            var timer: Task<Void, any Error>?
            // Cancelled below; they do nothing but ask what time has brought.
            let clock = Task { [self] in await expireInstances() }
            let looks = Task { [self] in await scaling.run(self) }
            await withDiscardingTaskGroup { group in
                for await action in actions { handle(action, in: &group) }
                timer = graceTimer()
            }
            timer?.cancel()
            clock.cancel()
            looks.cancel()
        } onGracefulShutdown: { [self] in
            stop()
        }
    }

    private func handle(_ action: Admission.Action, in group: inout DiscardingTaskGroup) {
        switch action {
        case .startJob(let job, let service):
            group.addTask { [self] in
                let start = ContinuousClock.now
                await executeCancellably(job, of: service)
                decide { $0.ended(.job(job), after: ContinuousClock.now - start) }
            }
        case .startRun(let number):
            let waiting = state.withLock { $0.waitingRuns.removeValue(forKey: number)?.continuation }
            if let waiting { waiting.resume() } else { decide { $0.ended(.run(number)) } }
        case .load(let service, let after, let limit):
            group.addTask { [self] in await load(service, after: after, limit: limit) }
        case .startInstance(let id, let service):
            instances.announce(id)
            group.addTask { [self] in
                await instances.live(id, of: service) { [self] in decide { $0.instanceReady(id) } }
                decide { $0.instanceEnded(id) }
                instances.forget(id)
            }
        case .endInstance(let id, _): instances.end(id)
        }
    }

    private func expireInstances() async {
        // Ends with the cancellation.
        while (try? await Task.sleep(for: .seconds(1))) != nil { decide { $0.expireInstances() } }
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
            let task = Task { [self] in await execute(job, self) }
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
            let waiting = state.waitingRuns.values.map(\.continuation)
            state.waitingRuns = [:]
            return waiting
        }
        decide { $0.stop() }
        perform.finish()
        instances.close()
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
