import HTTPTypes
import Hummingbird
import Identity
import Model
import Synchronization

/// Who makes a request, for those outside of the place where that is found out.
final class PrincipalTrail: Sendable {
    private let found = Mutex(Principal.anonymous)

    var principal: Principal {
        get { found.withLock { $0 } }
        set { found.withLock { $0 = newValue } }
    }
}

/// Tells the audit log of requests that change something, and of those that were refused.
///
/// Invocations that are let in are not told of: the jobs themselves say who made them.
struct AuditMiddleware: RouterMiddleware {
    typealias Context = APIContext

    let audit: AuditLog
    let now: @Sendable () -> Instant

    func handle(
        _ request: Request,
        context: Context,
        next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        let response = try await next(request, context)
        let route = context.endpointPath ?? "unknown"
        if Self.isToldOf(request.method, route, status: response.status.code) {
            audit.record(
                AuditEntry(
                    time: now(), face: .api, principal: context.trail.principal, action: "\(request.method) \(route)",
                    resource: request.uri.path, address: context.remoteAddress, status: response.status.code))
        }
        return response
    }

    static func isToldOf(_ method: HTTPRequest.Method, _ route: String, status: Int) -> Bool {
        if [401, 403, 429].contains(status) { return true }
        guard ![.get, .head, .options].contains(method) else { return false }
        return !route.hasPrefix("/run") && !route.hasPrefix("/job")
    }
}
