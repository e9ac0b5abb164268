import Cluster
import Hummingbird
import Model

/// `/system/services` (oscar-api.md section 4).
struct ServiceRoutes: Sendable {
    let gateway: Gateway

    func add(to group: RouterGroup<APIContext>) {
        group.get { request, _ in
            let includesDeployment = Self.includesDeployment(request)
            return Response.json(.array(gateway.catalog.all.map { json($0, includesDeployment: includesDeployment) }))
        }
        group.post { request, context in try await create(request, context) }
        group.put { request, _ in try await update(request) }
        group.get(":service") { request, context in try get(request, context) }
        group.delete(":service") { request, context in try await remove(request, context) }
    }

    /// `include` is a list of words, of which OSCAR knows one.
    private static func includesDeployment(_ request: Request) -> Bool {
        request.query("include")?.split(separator: ",").contains("deployment") ?? false
    }

    private func json(_ service: RegisteredService, includesDeployment: Bool) -> JSONValue {
        let deployment = includesDeployment ? ExposedRoutes(gateway: gateway).deployment(of: service) : nil
        let definition = service.definition.json(
            for: .keeper, clusterStore: gateway.description.store, deployment: deployment.map { .object($0) },
            volumeStatus: gateway.volumes?.status(of: service) ?? .object(["enabled": false]))
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

    private func get(_ request: Request, _ context: APIContext) throws -> Response {
        guard let service = gateway.catalog[try context.serviceName()] else { throw TextError(.notFound, "") }
        return .json(json(service, includesDeployment: Self.includesDeployment(request)))
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
