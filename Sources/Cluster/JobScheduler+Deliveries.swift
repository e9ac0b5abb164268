package import Model
import Scheduling
import Synchronization

/// Too much that waits for other storages keeps back what would make more of it.
extension JobScheduler {
    /// Starts nothing of services that deliver to other storages, since more than that waits there, or does again where
    /// it is `nil`.
    package func holdDeliverers(beyond limit: ByteCount?, among services: [RegisteredService]) {
        state.withLock { $0.deliveryLimit = limit }
        for service in services where service.deliversElsewhere {
            let terms = terms(of: service)
            decide { $0.serviceRegistered(service.name, terms) }
        }
    }

    /// What decides when invocations of a service start, what waits for other storages included.
    func terms(of service: RegisteredService) -> AdmissionTerms {
        var terms = service.terms
        if !instances.isAvailable { terms.instances = nil }
        state.withLock { state in
            let isHeld = state.deliveryLimit != nil && service.deliversElsewhere
            if isHeld { state.heldDeliverers.insert(service.name) } else { state.heldDeliverers.remove(service.name) }
            terms.isPaused = terms.isPaused || isHeld
            terms.instances?.restart = state.restarts[service.name] ?? 0
        }
        return terms
    }
}

extension RegisteredService {
    /// Whether results go to storages outside of this cluster.
    var deliversElsewhere: Bool { definition.output.contains { $0.provider != .clusterStore } }
}
