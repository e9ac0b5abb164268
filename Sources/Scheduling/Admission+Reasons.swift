package import Model

/// Why a job waits.
package enum WaitReason: Sendable, Hashable, CustomStringConvertible {
    /// More than the whole machine has: it will wait until the service or the machine changes.
    case demandsMoreThanCapacity(demand: Resources, capacity: Resources)
    /// More than its owner may ever have at once: it will wait until the service or the quota changes.
    case demandsMoreThanQuota(demand: Resources, limit: OwnerLimit)
    /// Somebody has paused the service.
    case paused
    /// The cluster starts nothing at the moment, for that reason.
    case held(String)
    /// Too much waits for other storages already, to which its results would go.
    case behindDeliveries(limit: ByteCount)
    case lacksResources(demand: Resources, free: Resources, capacity: Resources)
    /// As many of its service are under way as the service allows.
    case atLimit(ServiceLimit)
    /// With it its owner would have more under way than its quota allows.
    case atQuota(demand: Resources, QuotaExcess)
    /// The next room in its owner's quota is for another service of that owner, which has waited longer.
    case quotaIsKept(for: ServiceName)
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
        case .demandsMoreThanQuota(let demand, let limit):
            "needs \(Self.text(demand)), which is more than its owner's quota allows at once (\(limit)): lower the "
                + "service's cpu or memory, or ask the administrator for a larger quota"
        case .paused: "its service is paused; it starts after apus service resume"
        case .held(let reason): "the cluster starts nothing: \(reason)"
        case .behindDeliveries(let limit):
            "its results go to another storage, for which more than \(limit) wait already: see apus delivery list"
        case .lacksResources(let demand, let free, let capacity):
            "waits for \(Self.text(demand)); free are \(Self.text(free)) of \(Self.text(capacity))"
        case .atLimit(let limit): "as much of its service is under way as the service allows (\(limit))"
        case .atQuota(let demand, let excess):
            "waits for its owner's quota of \(excess.limit): it needs \(Self.text(demand)), and the owner's jobs and "
                + "runs have \(Self.text(excess.held)) under way"
        case .quotaIsKept(let service):
            "waits for its owner's quota: the next room in it is for \(service), which has waited longer"
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
        if let line, let limit = limitBeyondReach(of: demand, line.terms.owner) {
            return .demandsMoreThanQuota(demand: demand, limit: limit)
        }
        if line?.terms.isPaused == true { return .paused }
        if let hold { return .held(hold) }
        if !isFirst { return .behindOthersOfItsService }
        var demand = demand
        if let line {
            switch need(of: service, line, isRun: false) {
            case .failure(.limit(let limit)): return .atLimit(limit)
            case .failure(.quota(let excess)): return .atQuota(demand: demand, excess)
            // A job may wait on its old terms.
            case .success(let need): if need.offer != nil { demand = need.resources }
            }
        }
        if let line, let kept = reservations[line.terms.owner], kept.service != service {
            return .quotaIsKept(for: kept.service)
        }
        if !demand.fits(in: free) { return .lacksResources(demand: demand, free: free, capacity: capacity) }
        return .awaitsItsTurn
    }
}
