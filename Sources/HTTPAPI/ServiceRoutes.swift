import Cluster
import Hummingbird
import Model

/// `/system/services` (oscar-api.md section 4).
struct ServiceRoutes: Sendable {
    let gateway: Gateway

    func add(to routes: AuthorizedRoutes) {
        routes.get("", .cluster(.listServices)) { request, context in list(request, context) }
        routes.post("", .cluster(.createService)) { request, context in try await create(request, context) }
        routes.put("", .cluster(.updateServices)) { request, context in try await update(request, context) }
        routes.get(":service", .service(.read)) { request, context in try get(request, context) }
        routes.delete(":service", .service(.delete)) { request, context in try await remove(request, context) }
    }

    /// `include` is a list of words, of which OSCAR knows one.
    private static func includesDeployment(_ request: Request) -> Bool {
        request.query("include")?.split(separator: ",").contains("deployment") ?? false
    }

    private func list(_ request: Request, _ context: APIContext) -> Response {
        let includesDeployment = Self.includesDeployment(request)
        let visible = gateway.catalog.all.filter { context.principal.may(.read, $0.definition) }
        return .json(.array(visible.map { json($0, context, includesDeployment: includesDeployment) }))
    }

    private func json(_ service: RegisteredService, _ context: APIContext, includesDeployment: Bool) -> JSONValue {
        let deployment = includesDeployment ? ExposedRoutes(gateway: gateway).deployment(of: service) : nil
        let isKeeper = context.principal.may(.readCredentials, service.definition)
        let definition = service.definition.json(
            for: isKeeper ? .keeper : .viewer, clusterStore: gateway.description.store,
            deployment: deployment.map { .object($0) },
            volumeStatus: gateway.volumes?.status(of: service) ?? .object(["enabled": false]))
        return PauseRoutes.add(service.pause, to: definition)
    }

    private func create(_ request: Request, _ context: APIContext) async throws -> Response {
        try await gateway.services.create(try await request.json(), by: context.principal)
        return Response.empty(.created)
    }

    private func update(_ request: Request, _ context: APIContext) async throws -> Response {
        let json = try await request.json()
        if let text = json.objectValue?.value(ignoringCase: "name")?.stringValue, let name = try? ServiceName(text),
            let service = gateway.catalog[name]
        {
            try context.require(.update, service)
        }
        do {
            try await gateway.services.update(json, by: context.principal)
        } catch let error as ClusterError where error.code == .notFound {
            throw TextError(.notFound, "")
        }
        return Response.empty(.noContent)
    }

    private func get(_ request: Request, _ context: APIContext) throws -> Response {
        guard let service = gateway.catalog[try context.serviceName()] else { throw TextError(.notFound, "") }
        return .json(json(service, context, includesDeployment: Self.includesDeployment(request)))
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
