import Model
import Sandboxes
import Scheduling
import StateStore
import Synchronization

/// Hands places in instances to whoever speaks HTTP to their programs, and tells what there is of instances.
package struct InstanceDesk: Sendable {
    private let scheduler: JobScheduler
    private let catalog: ServiceCatalog
    private let registry: ServiceRegistry

    package init(scheduler: JobScheduler, catalog: ServiceCatalog, registry: ServiceRegistry) {
        self.scheduler = scheduler
        self.catalog = catalog
        self.registry = registry
    }

    // MARK: Places

    /// Where the programs of services that answer HTTP are reached.
    package var servers: FunctionServers {
        FunctionServers(
            enter: { name in try await enter(name) },
            enterAtOnce: { name in
                guard let (ticket, instance) = scheduler.enterAtOnce(name) else { return nil }
                return seat(ticket, instance)
            })
    }

    private func enter(_ name: ServiceName) async throws -> ServerSeat {
        guard let service = catalog[name] else { throw JobBoard.noService(name) }
        do {
            return try await Deadline.run(within: service.definition.timeout) { _ in
                let (ticket, instance) = try await scheduler.enter(service)
                guard let seat = seat(ticket, instance) else {
                    throw ClusterError(code: .invalid, message: "the service \"\(name)\" answers no requests itself")
                }
                return seat
            }
        } catch let failure as JobFailure {
            throw ClusterError(code: .unavailable, message: failure.message)
        } catch let error as SandboxError where error.code != .cancelled {
            throw ClusterError(code: .failed, message: error.message, cause: error)
        }
    }

    /// `nil` where the instance's program answers no requests; then the place is given back.
    private func seat(_ ticket: Admission.Ticket, _ instance: SandboxInstance) -> ServerSeat? {
        let start = ContinuousClock.now
        guard let socket = instance.serverSocket else {
            scheduler.leave(ticket, after: .zero)
            return nil
        }
        return ServerSeat(socket: socket) { ending in
            scheduler.leave(ticket, after: ContinuousClock.now - start)
            // Nobody awaits this; what keeps the instance sees its end.
            if ending == .unreachable { Task { await instance.stop() } }
        }
    }

    // MARK: Exposed services

    /// What is to be known of, and done with, the instances of a service that is exposed.
    package var exposed: ExposedDesk {
        ExposedDesk(
            instances: { name in instances(of: name) },
            stop: { name in _ = try await registry.pause(name, principal: "") },
            start: { name in _ = try await registry.resume(name, principal: "") },
            restart: { name in
                guard let service = catalog[name] else { throw JobBoard.noService(name) }
                scheduler.restartInstances(of: service)
            },
            log: { name, limit in
                scheduler.instances.logs.last(limit, of: name).map {
                    ExposedDesk.LogLine(time: $0.time, text: $0.text)
                }
            })
    }

    private func instances(of name: ServiceName) -> ExposedDesk.Instances? {
        guard let service = catalog[name] else { return nil }
        let state = scheduler.instanceState(of: name)
        let isStopped = service.pause != nil
        let failure = state.failedStarts > 0 ? scheduler.instances.logs.lastNote(of: name) : nil
        return ExposedDesk.Instances(
            desired: isStopped ? 0 : max(1, service.definition.minimumInstances), active: state.busy + state.idle,
            ready: state.ready, isFailing: state.failedStarts >= 3, reason: failure?.text, since: service.pause?.since)
    }
}
