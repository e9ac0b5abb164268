package import Model

/// Why a job waits.
package enum WaitReason: Sendable, Hashable, CustomStringConvertible {
    /// More than the whole machine has: it will wait until the service or the machine changes.
    case demandsMoreThanCapacity(demand: Resources, capacity: Resources)
    /// Somebody has paused the service.
    case paused
    /// The cluster starts nothing at the moment, for that reason.
    case held(String)
    /// Too much waits for other storages already, to which its results would go.
    case behindDeliveries(limit: ByteCount)
    case lacksResources(demand: Resources, free: Resources, capacity: Resources)
    /// As many of its service are under way as the service allows.
    case atLimit(ServiceLimit)
    /// Other jobs of the same service come first.
    case behindOthersOfItsService
    /// It fits; its turn between the services has not come yet, or it starts this moment.
    case awaitsItsTurn
    /// The program is stopping and starts nothing more.
    case stopping

    package var description: String {
        switch self {
        case .demandsMoreThanCapacity(let demand, let capacity):
            "needs \(Self.text(demand)), which is more than this cluster has (\(Self.text(capacity))): "
                + "lower the service's cpu or memory, or raise the cluster's capacity"
        case .paused: "its service is paused; it starts after apus service resume"
        case .held(let reason): "the cluster starts nothing: \(reason)"
        case .behindDeliveries(let limit):
            "its results go to another storage, for which more than \(limit) wait already: see apus delivery list"
        case .lacksResources(let demand, let free, let capacity):
            "waits for \(Self.text(demand)); free are \(Self.text(free)) of \(Self.text(capacity))"
        case .atLimit(let limit): "as much of its service is under way as the service allows (\(limit))"
        case .behindOthersOfItsService: "waits behind earlier jobs of its service"
        case .awaitsItsTurn: "waits for its turn"
        case .stopping: "the cluster is stopping; the job starts when it is up again"
        }
    }

    private static func text(_ resources: Resources) -> String { "\(resources.cpu) cpu and \(resources.memory)" }
}

extension Admission {
    /// What a waiting job of that service lacks.
    ///
    /// - Parameter isFirst: whether it is the oldest waiting job of its service.
    package func reason(for service: ServiceName, demand: Resources, isFirst: Bool) -> WaitReason {
        if isStopping { return .stopping }
        if !demand.fits(in: capacity) { return .demandsMoreThanCapacity(demand: demand, capacity: capacity) }
        let line = lines[service]
        if line?.terms.isPaused == true { return .paused }
        if let hold { return .held(hold) }
        if !isFirst { return .behindOthersOfItsService }
        var demand = demand
        if let line {
            switch need(of: service, line, isRun: false) {
            case .failure(let cause): return .atLimit(cause.limit)
            // A job may wait on its old terms.
            case .success(let need): if need.offer != nil { demand = need.resources }
            }
        }
        if !demand.fits(in: free) { return .lacksResources(demand: demand, free: free, capacity: capacity) }
        return .awaitsItsTurn
    }
}
