import Cluster
import Hummingbird
import Model

/// `/apus/v1/deliveries`: what waits for other places.
///
/// `GET` lists the destinations; `POST …/retry` tries at once; `DELETE` gives up what waits for one. The query's
/// `destination` names one, as the list does.
struct DeliveryRoutes: Sendable {
    let gateway: Gateway

    func add(to group: RouterGroup<APIContext>) {
        group.get { request, _ in
            let views = try await gateway.deliveries.destinations(Self.destination(request))
            return Response.json(.object(["destinations": .array(views.map(Self.json))]))
        }
        group.post("retry") { request, _ in
            Response.json(.object(["waiting": .integer(try await gateway.deliveries.retry(Self.destination(request)))]))
        }
        group.delete { request, context in
            guard let destination = Self.destination(request) else {
                throw TextError(.badRequest, "destination: say what is to be given up")
            }
            let principal = context.principal.name
            let count = try await gateway.deliveries.drop(destination, principal: principal)
            return Response.json(.object(["dropped": .integer(count)]))
        }
    }

    private static func destination(_ request: Request) -> String? {
        request.query("destination").flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func json(_ view: DestinationView) -> JSONValue {
        var object: JSONObject = ["destination": .string(view.name), "waiting": .integer(view.waiting)]
        object["bytes"] = view.bytes.map { .integer($0.bytes) }
        object["oldest"] = view.oldest.map { .string($0.rfc3339(fractionDigits: 3)) }
        object["state"] = .string(view.state.activity.rawValue)
        object["active"] = .integer(view.state.active)
        object["failures"] = .integer(view.state.failures)
        object["next_attempt"] = view.state.next.map { .string($0.rfc3339(fractionDigits: 3)) }
        object["error"] = view.state.lastError.map { .string($0) }
        return .object(object)
    }
}
