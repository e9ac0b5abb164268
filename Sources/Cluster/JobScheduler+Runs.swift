import Model
import Sandboxes
import Scheduling
import ServiceLifecycle
import Synchronization

/// Synchronous runs: somebody waits for each.
extension JobScheduler {
    /// Takes the resources of a run, waiting until they are free, for the time of `body`.
    ///
    /// - Throws: `ClusterError` with `busy` where too many wait already, `unavailable` where the service is paused or the cluster
    ///   starts nothing, `stopping`, `invalid` where the demand exceeds the capacity; `CancellationError`; what `body` throws.
    func withResources<T>(
        of service: RegisteredService,
        _ body: (Admission.Ticket) async throws -> T
    ) async throws -> T {
        let ticket = Admission.Ticket.run(try await acquire(service))
        let start = ContinuousClock.now
        defer { decide { $0.ended(ticket, after: ContinuousClock.now - start) } }
        return try await body(ticket)
    }

    /// Takes a place for a run where an instance that is ready has one and nothing waits that should come first.
    ///
    /// Never waits. Whoever gets a place calls `leave`.
    func enterAtOnce(_ name: ServiceName) -> (ticket: Admission.Ticket, instance: SandboxInstance)? {
        let time = now
        let seat = state.withLock { state -> (Admission.Ticket, InstanceID)? in
            state.admission.now = time
            state.nextRun += 1
            guard let id = state.admission.startRunAtOnce(state.nextRun, of: name) else { return nil }
            return (.run(state.nextRun), id)
        }
        guard let (ticket, id) = seat else { return nil }
        guard let instance = instances.ready(id) else {
            decide { $0.ended(ticket) }
            return nil
        }
        return (ticket, instance)
    }

    /// Takes a place for a run, waiting until there is one and its instance is ready.
    ///
    /// Whoever gets a place calls `leave`.
    ///
    /// - Throws: `ClusterError` as `withResources`; why the instance could not be started; `CancellationError`.
    func enter(_ service: RegisteredService) async throws -> (ticket: Admission.Ticket, instance: SandboxInstance) {
        if let seat = enterAtOnce(service.name) { return seat }
        let ticket = Admission.Ticket.run(try await acquire(service))
        do {
            guard let instance = try await readyInstance(of: ticket) else {
                throw ClusterError(code: .unavailable, message: "no instances can be kept here: apus-init is missing")
            }
            return (ticket, instance)
        } catch {
            decide { $0.ended(ticket) }
            throw error
        }
    }

    /// The instance of an invocation that has not begun, once it is ready; `nil` where it has none.
    ///
    /// One that is lost before gives its place to another one, a few times.
    ///
    /// - Throws: why the instance could not be started; `CancellationError`.
    func readyInstance(of ticket: Admission.Ticket) async throws -> SandboxInstance? {
        var losses = 0
        while let id = seat(of: ticket) {
            do { return try await instances.instance(id) } catch let error as SandboxError {
                losses += 1
                guard error.code == .instanceLost, losses < 4 else { throw error }
                await instances.waitForEnd(of: id)
            }
        }
        return nil
    }

    /// Gives the place of a run back.
    func leave(_ ticket: Admission.Ticket, after time: Duration) { decide { $0.ended(ticket, after: time) } }

    /// Refuses a run that could not start soon, before anything is done for it.
    ///
    /// - Throws: `ClusterError` as `withResources`.
    func checkRun(of service: RegisteredService) throws(ClusterError) {
        try state.withLock { state throws(ClusterError) in try check(state, service) }
    }

    private func check(_ state: borrowing State, _ service: RegisteredService) throws(ClusterError) {
        let admission = state.admission
        switch admission.reason(for: service.name, demand: service.demand, isFirst: true) {
        case .stopping: throw Self.stopping
        case .demandsMoreThanCapacity(let demand, let capacity):
            let reason = WaitReason.demandsMoreThanCapacity(demand: demand, capacity: capacity)
            throw ClusterError(code: .invalid, message: "the service \(reason)")
        case .demandsMoreThanQuota(let demand, let limit):
            let reason = WaitReason.demandsMoreThanQuota(demand: demand, limit: limit)
            throw ClusterError(
                code: .invalid,
                message: "invalid workload: try to reduce the service resource (cpu, memory, etc.): it \(reason)")
        case .paused:
            if service.pause == nil, let limit = state.deliveryLimit {
                throw Self.held("\(WaitReason.behindDeliveries(limit: limit))")
            }
            throw Self.paused(service.name)
        case .held(let reason): throw Self.held(reason)
        case .lacksResources, .atLimit, .atQuota, .quotaIsKept, .behindDeliveries, .behindOthersOfItsService,
            .awaitsItsTurn:
            break
        }
        let own = admission.waitingRuns(of: service.name)
        // One service's flood leaves room for the others.
        let isOwnFlood = own >= max(1, maximumWaitingRuns / 2)
        guard isOwnFlood || admission.waitingRuns >= maximumWaitingRuns else { return }
        throw ClusterError(
            code: .busy,
            message: isOwnFlood
                ? "\(own) runs of the service \"\(service.name)\" wait already; try again later"
                : "\(maximumWaitingRuns) runs wait already; try again later",
            retryAfter: admission.expectedPause(of: service.name)
        )
    }

    private func acquire(_ service: RegisteredService) async throws -> Admission.RunNumber {
        let number = try state.withLock { state throws(ClusterError) -> Admission.RunNumber in
            try check(state, service)
            state.nextRun += 1
            return state.nextRun
        }
        try await withGracefulShutdownHandler {
            try await withTaskCancellationHandler {
                try await wait(number, service.name)
            } onCancel: {
                withdraw(number, CancellationError())
            }
        } onGracefulShutdown: { [self] in
            withdraw(number, Self.stopping)
        }
        return number
    }

    private func wait(_ number: Admission.RunNumber, _ service: ServiceName) async throws {
        try await withCheckedThrowingContinuation { continuation in
            let isStopping = state.withLock { state in
                if !state.admission.isStopping { state.waitingRuns[number] = (service, continuation) }
                return state.admission.isStopping
            }
            guard !isStopping else { return continuation.resume(throwing: Self.stopping) }
            decide { $0.runRequested(number, of: service) }
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
        waiting.continuation.resume(throwing: error)
    }

    /// Answers those who wait for a run that nobody knows when it could start.
    ///
    /// - Parameter service: whose runs; `nil` for all.
    func refuseRuns(of service: ServiceName? = nil, _ error: ClusterError) {
        let numbers = state.withLock { state in
            state.waitingRuns.filter { service == nil || $0.value.service == service }.map(\.key)
        }
        for number in numbers { withdraw(number, error) }
    }

    static let stopping = ClusterError(
        code: .stopping,
        message: "the cluster is stopping; try again in a moment"
    )

    static func paused(_ service: ServiceName) -> ClusterError {
        ClusterError(
            code: .unavailable,
            message: "the service \"\(service)\" is paused: it runs nothing until apus service resume \(service)"
        )
    }

    static func held(_ reason: String) -> ClusterError {
        ClusterError(
            code: .unavailable, message: "the cluster starts nothing: \(reason)", retryAfter: .seconds(10))
    }
}
