import Cluster
import Hummingbird
import Model

/// `/apus/v1/deliveries`: what waits for other places.
///
/// `GET` lists the destinations; `POST …/retry` tries at once; `DELETE` gives up what waits for one. The query's
/// `destination` names one, as the list does.
struct DeliveryRoutes: Sendable {
    let gateway: Gateway

    func add(to routes: AuthorizedRoutes) {
        routes.get("", .cluster(.listDeliveries)) { request, context in
            let views = try await gateway.deliveries.destinations(Self.destination(request)).filter {
                isAllowed($0.name, context)
            }
            return Response.json(.object(["destinations": .array(views.map(Self.json))]))
        }
        routes.post("retry", .cluster(.changeDeliveries)) { request, context in
            Response.json(.object(["waiting": .integer(try await retry(Self.destination(request), context))]))
        }
        routes.delete("", .cluster(.changeDeliveries)) { request, context in
            guard let destination = Self.destination(request) else {
                throw TextError(.badRequest, "destination: say what is to be given up")
            }
            guard isAllowed(destination, context) else { throw Self.nothingWaits(destination) }
            let principal = context.principal.name
            let count = try await gateway.deliveries.drop(destination, principal: principal)
            return Response.json(.object(["dropped": .integer(count)]))
        }
    }

    /// All destinations of whoever asks, where none is named.
    private func retry(_ destination: String?, _ context: APIContext) async throws -> Int {
        if let destination {
            guard isAllowed(destination, context) else { throw Self.nothingWaits(destination) }
            return try await gateway.deliveries.retry(destination)
        }
        if context.principal.may(.steerWebhooks) { return try await gateway.deliveries.retry(nil) }
        var waiting = 0
        for view in try await gateway.deliveries.destinations() where isAllowed(view.name, context) {
            waiting += try await gateway.deliveries.retry(view.name)
        }
        return waiting
    }

    /// Whether whoever asks may know of a destination: `service/provider`, or a webhook of the operator's.
    private func isAllowed(_ destination: String, _ context: APIContext) -> Bool {
        let principal = context.principal
        guard !principal.may(.steerWebhooks) else { return true }
        guard let slash = destination.firstIndex(of: "/"), let name = try? ServiceName(destination[..<slash]),
            let service = gateway.catalog[name]
        else { return false }
        return principal.may(.changeDeliveries, service.definition)
    }

    private static func nothingWaits(_ destination: String) -> TextError {
        TextError(.notFound, "nothing waits for a destination \"\(destination)\"")
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
