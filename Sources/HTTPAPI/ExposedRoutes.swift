import Cluster
import HTTPTypes
import Hummingbird
import Identity
import Model

/// What OSCAR has for exposed services beside the way to them (oscar-api.md sections 4.10 to 4.13).
struct ExposedRoutes: Sendable {
    private static let forwardedURI = HTTPField.Name("X-Forwarded-Uri")
    private static let forwardedProto = HTTPField.Name("X-Forwarded-Proto")
    private static let mostLines = 1000
    private static let usualLines = 200

    let gateway: Gateway

    func add(to routes: AuthorizedRoutes) {
        routes.post(":service/stop", .service(.steer)) { _, context in try await change(context, gateway.exposed.stop) }
        routes.post(":service/start", .service(.steer)) { _, context in try await change(context, gateway.exposed.start)
        }
        routes.post(":service/restart", .service(.steer)) { _, context in
            try await change(context, gateway.exposed.restart)
        }
        routes.get(":service/deployment", .service(.readDeployment)) { _, context in
            Response.json(state(of: try service(context)))
        }
        routes.get(":service/deployment/logs", .service(.readDeploymentLogs)) { request, context in
            try await log(request, context)
        }
    }

    private func service(_ context: APIContext) throws -> RegisteredService {
        guard let service = gateway.catalog[try context.serviceName()] else { throw TextError(.notFound, "") }
        return service
    }

    // MARK: Deployment

    private func change(
        _ context: APIContext,
        _ change: @Sendable (ServiceName) async throws -> Void
    ) async throws -> Response {
        let service = try service(context)
        guard service.definition.expose.isExposed else {
            throw TextError(.badRequest, "service \"\(service.name)\" is not exposed")
        }
        try await change(service.name)
        return .json(state(of: service))
    }

    private func state(of service: RegisteredService) -> JSONValue {
        var object: JSONObject = ["service_name": .string(service.name.text)]
        if !service.definition.namespace.isEmpty { object["namespace"] = .string(service.definition.namespace) }
        for (key, value) in deployment(of: service).members { object[key] = value }
        return .object(object)
    }

    /// The object `deployment` of a service.
    func deployment(of service: RegisteredService) -> JSONObject {
        DeploymentState(gateway.exposed.instances(service.name), isExposed: service.definition.expose.isExposed).json
    }

    private func log(_ request: Request, _ context: APIContext) async throws -> Response {
        let service = try service(context)
        let asked = request.query("tailLines").flatMap { Int($0) } ?? Self.usualLines
        let lines = await gateway.exposed.log(service.name, min(Self.mostLines, max(1, asked)))
        let stamps = request.flag("timestamps")
        var object: JSONObject = [
            "service_name": .string(service.name.text), "available": .bool(lines?.isEmpty == false),
        ]
        if lines == nil {
            object["message"] = "Deployment logs are unavailable for this service."
        } else if lines?.isEmpty == true {
            object["message"] = "Deployment logs are not yet available."
        }
        object["entries"] = .array(
            (lines ?? []).map { line in
                var entry: JSONObject = [:]
                if stamps { entry["timestamp"] = .string(line.time.rfc3339()) }
                entry["message"] = .string(line.text)
                return .object(entry)
            })
        return .json(.object(object))
    }

    // MARK: Authorization for others

    /// `GET /system/services/{service}/auth`: whether the bearer of a token may reach the service, for a proxy that
    /// stands before it.
    ///
    /// - Throws: `TextError` 401 and 404.
    func authorize(_ request: Request, _ context: APIContext) throws -> Response {
        let service = gateway.catalog[try context.serviceName()]
        let authorization = request.headers[.authorization]
        if let service {
            let access = ServiceAccess(service.definition)
            let finding = access.find(
                authorization: authorization, uri: Substring(request.uri.string),
                forwardedURI: Self.forwardedURI.flatMap { request.headers[$0] },
                cookies: request.headers[values: .cookie])
            switch finding {
            case .right:
                let isSecure = Self.forwardedProto.flatMap { request.headers[$0] } == "https"
                return .empty(.ok, headers: [.setCookie: access.cookie(isSecure: isSecure)])
            case .wrong: throw TextError(.unauthorized, "")
            case .nothing: break
            }
        }
        // OSCAR asks whether a service is there only once it knows who asks.
        guard case .principal(let principal) = gateway.authenticator.authenticate(authorization: authorization),
            principal.may(.readInfo)
        else {
            throw TextError(
                .unauthorized, "",
                headers: [.wwwAuthenticate: "Basic realm=\"\(ServiceAccess.administratorRealm)\""])
        }
        guard let service else { throw TextError(.notFound, "") }
        guard principal.may(.reachExposed, service.definition) else {
            throw Refusal.of(.reachExposed, principal, service.definition)
        }
        return .empty(.ok)
    }
}
