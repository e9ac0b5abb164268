import Cluster
import Hummingbird
import Model
import StateStore

/// `POST /apus/v1/services/{service}/pause` and `…/resume`.
struct PauseRoutes: Sendable {
    let gateway: Gateway

    func add(to routes: AuthorizedRoutes) {
        routes.post(":service/pause", .service(.pause)) { _, context in
            let name = try context.serviceName()
            return Self.answer(try await gateway.services.pause(name, principal: context.principal.name))
        }
        routes.post(":service/resume", .service(.pause)) { _, context in
            let name = try context.serviceName()
            return Self.answer(try await gateway.services.resume(name, principal: context.principal.name))
        }
    }

    private static func answer(_ service: RegisteredService) -> Response {
        .json(add(service.pause, to: .object(["name": .string(service.name.text)])))
    }

    /// The JSON of a service, with `paused` where it is: since when, and by whom.
    static func add(_ pause: ServicePause?, to service: JSONValue) -> JSONValue {
        guard let pause, case .object(var object) = service else { return service }
        object["paused"] = .object([
            "since": .string(pause.since.rfc3339()), "by": .string(pause.principal),
        ])
        return .object(object)
    }
}
