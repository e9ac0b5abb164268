import Logging
package import Model
import StateStore

extension ServiceRegistry {
    /// Starts nothing of a service any more; what runs goes on, what comes waits in the queue.
    ///
    /// Durable when this returns. To pause a paused service changes nothing.
    ///
    /// - Throws: `ClusterError` with `notFound`, `busy`, `failed`.
    @discardableResult
    package func pause(_ name: ServiceName, principal: String) async throws -> RegisteredService {
        try await reserving(name) {
            guard var service = catalog[name] else { throw JobBoard.noService(name) }
            guard service.pause == nil else { return service }
            do {
                service.pause = try await state.pause(name, ServicePause(since: now(), principal: principal))
            } catch {
                throw ClusterError(code: .failed, message: "the service \"\(name)\" could not be paused", cause: error)
            }
            publish(service)
            logger.notice("service paused", metadata: ["service": "\(name)", "principal": "\(principal)"])
            return service
        }
    }

    /// Starts what waits, from the oldest on.
    ///
    /// Durable when this returns. To resume a service that is not paused changes nothing.
    ///
    /// - Throws: `ClusterError` with `notFound`, `busy`, `failed`.
    @discardableResult
    package func resume(_ name: ServiceName, principal: String) async throws -> RegisteredService {
        try await reserving(name) {
            guard var service = catalog[name] else { throw JobBoard.noService(name) }
            guard service.pause != nil else { return service }
            do { try await state.resume(name) } catch {
                throw ClusterError(code: .failed, message: "the service \"\(name)\" could not be resumed", cause: error)
            }
            service.pause = nil
            publish(service)
            logger.notice("service resumed", metadata: ["service": "\(name)", "principal": "\(principal)"])
            return service
        }
    }
}
