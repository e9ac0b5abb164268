import Cluster
import Hummingbird
import Model

/// `/system/services` (oscar-api.md section 4).
struct ServiceRoutes: Sendable {
    let gateway: Gateway

    func add(to group: RouterGroup<APIContext>) {
        group.get { _, _ in Response.json(.array(gateway.catalog.all.map(json))) }
        group.post { request, context in try await create(request, context) }
        group.put { request, _ in try await update(request) }
        group.get(":service") { _, context in try get(context) }
        group.delete(":service") { request, context in try await remove(request, context) }
    }

    private func json(_ service: RegisteredService) -> JSONValue {
        let definition = service.definition.json(for: .keeper, clusterStore: gateway.description.store)
        return PauseRoutes.add(service.pause, to: definition)
    }

    private func create(_ request: Request, _ context: APIContext) async throws -> Response {
        // OSCAR calls the administrator's services so, whatever the administrator's name is.
        try await gateway.services.create(try await request.json(), owner: "cluster_admin")
        return Response.empty(.created)
    }

    private func update(_ request: Request) async throws -> Response {
        do {
            try await gateway.services.update(try await request.json())
        } catch let error as ClusterError where error.code == .notFound {
            throw TextError(.notFound, "")
        }
        return Response.empty(.noContent)
    }

    private func get(_ context: APIContext) throws -> Response {
        guard let service = gateway.catalog[try context.serviceName()] else { throw TextError(.notFound, "") }
        return .json(json(service))
    }

    private func remove(_ request: Request, _ context: APIContext) async throws -> Response {
        let name = try context.serviceName()
        do {
            try await gateway.services.remove(name, deletingData: request.flag("delete_data"))
        } catch let error as ClusterError where error.code == .notFound {
            throw TextError(.notFound, "")
        }
        return Response.empty(.noContent)
    }
}
