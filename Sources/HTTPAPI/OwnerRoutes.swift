import Cluster
import Hummingbird
import Model

/// `PUT /apus/v1/services/{service}/owner`: gives a service to somebody else.
struct OwnerRoutes: Sendable {
    let gateway: Gateway

    func add(to routes: AuthorizedRoutes) {
        routes.put(":service/owner", .service(.transfer)) { request, context in try await transfer(request, context) }
    }

    private func transfer(_ request: Request, _ context: APIContext) async throws -> Response {
        let name = try context.serviceName()
        guard let text = try await request.json()["owner"]?.stringValue, !text.isEmpty else {
            throw TextError(
                .badRequest,
                "owner: the identifier of a user is required, or \(Principal.clusterOwner) for the "
                    + "administrator")
        }
        let owner: Principal
        if text == Principal.clusterOwner {
            owner = .administrator(name: text)
        } else {
            do { owner = .user(User(id: try UserID(text))) } catch { throw TextError(.badRequest, "owner: \(error)") }
        }
        let service = try await gateway.services.transfer(name, to: owner, by: context.principal)
        return .json(.object(["name": .string(name.text), "owner": .string(service.definition.owner)]))
    }
}
