import Cluster
import HTTPTypes
import Hummingbird
import Model
import S3Wire
import StateStore

/// Where routes are added: only together with what they do, so that none is open because it was forgotten.
///
/// A request comes to its route when whoever makes it may do that, by the one table in `Model`. What an action is done to
/// is found by the path (`:service`, `:job`, `:bucket`, `:user`), unless the route says how to find it.
struct AuthorizedRoutes {
    typealias Handler = @Sendable (Request, APIContext) async throws -> Response

    private let group: RouterGroup<APIContext>
    private let authorizer: RouteAuthorizer

    init(_ group: RouterGroup<APIContext>, gateway: Gateway) {
        self.group = group
        authorizer = RouteAuthorizer(gateway: gateway)
    }

    private init(_ group: RouterGroup<APIContext>, _ authorizer: RouteAuthorizer) {
        (self.group, self.authorizer) = (group, authorizer)
    }

    func group(_ path: RouterPath) -> AuthorizedRoutes { AuthorizedRoutes(group.group(path), authorizer) }

    func get(_ path: RouterPath = "", _ action: Action, use handler: @escaping Handler) {
        on(.get, path, action, handler)
    }

    func post(_ path: RouterPath = "", _ action: Action, use handler: @escaping Handler) {
        on(.post, path, action, handler)
    }

    func put(_ path: RouterPath = "", _ action: Action, use handler: @escaping Handler) {
        on(.put, path, action, handler)
    }

    func delete(_ path: RouterPath = "", _ action: Action, use handler: @escaping Handler) {
        on(.delete, path, action, handler)
    }

    private func on(_ method: HTTPRequest.Method, _ path: RouterPath, _ action: Action, _ handler: @escaping Handler) {
        let authorizer = authorizer
        group.on(path, method: method) { request, context in
            try await authorizer.check(action, request, context)
            return try await handler(request, context)
        }
    }
}

/// Holds requests against the table.
struct RouteAuthorizer: Sendable {
    let gateway: Gateway

    /// - Throws: `TextError` for what is not allowed, and for what there is not.
    func check(_ action: Action, _ request: Request, _ context: APIContext) async throws {
        let principal = context.principal
        switch action {
        case .cluster(let action):
            guard principal.may(action) else { throw Refusal.of(action, principal) }
        case .service(let action):
            try Refusal.checkKnown(principal, action.allowed)
            let name = try context.serviceName()
            // A service's token tells nothing of other services, not even whether they are there.
            if case .service(let own) = principal, own != name { throw Refusal.unauthorized }
            guard let service = gateway.catalog[name] else { throw Refusal.missing(action, name) }
            try context.require(action, service)
        case .job(let action):
            try Refusal.checkKnown(principal, action.allowed)
            let name = try context.jobName()
            let job = try await gateway.jobs.job(name).record
            try context.require(action, job, in: gateway.catalog)
        case .bucket(let action):
            try Refusal.checkKnown(principal, action.allowed)
            let name = try BucketRoutes.name(context)
            guard try await gateway.buckets.allows(principal, action, name, from: context.remoteAddress) else {
                throw Refusal.of(action, principal)
            }
        case .user(let action):
            try Refusal.checkKnown(principal, action.allowed)
            guard principal.may(action, try context.userID()) else { throw Refusal.of(action, principal) }
        case .volume(let action):
            // Whose it is only the route finds out; nobody comes there who could own none.
            try Refusal.checkKnown(principal, action.allowed)
        }
    }
}

extension APIContext {
    /// Lets only those go on who may do that to the service.
    ///
    /// - Throws: `TextError` in OSCAR's words.
    func require(_ action: Action.OfService, _ service: RegisteredService) throws {
        guard principal.may(action, service.definition) else {
            throw Refusal.of(action, principal, service.definition)
        }
    }

    /// Lets only those go on who may do that to the job.
    ///
    /// - Throws: `TextError` 404: to others the job does not exist.
    func require(_ action: Action.OfJob, _ job: JobRecord, in catalog: ServiceCatalog) throws {
        if case .administrator = principal { return }
        guard let service = catalog[job.service],
            principal.may(action, service.definition.protected, causedBy: job.principal)
        else {
            throw TextError(.notFound, "there is no job \"\(job.name)\"")
        }
    }

    /// Lets only those go on who may do that to the volume.
    ///
    /// - Throws: `TextError` 404: to others the volume does not exist.
    func require(_ action: Action.OfVolume, ofOwner owner: String) throws {
        guard principal.may(action, ofOwner: owner) else { throw TextError(.notFound, "") }
    }

    /// The user that the path names.
    ///
    /// - Throws: `TextError` 404 for what can be no user's name.
    func userID() throws -> UserID {
        let text = try parameters.require("user")
        guard let decoded = PercentEncoding.decoded(text), let id = try? UserID(decoded) else {
            throw TextError(.notFound, "there is no user \"\(text)\"")
        }
        return id
    }
}
