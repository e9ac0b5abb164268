import HTTPTypes
import Hummingbird
import Identity
import Model
import NIOPosix

/// `GET /apus/v1/audit`: the audit log, the newest lines first; for the administrator and operators.
///
/// The query: `principal`, `action` (a part of it), `resource` (its beginning), `since`, `refused`, `limit`, and `after`, the
/// `next` of an earlier answer.
struct AuditRoutes: Sendable {
    private static let defaultLimit = 100
    private static let maximumLimit = 1000

    let gateway: Gateway

    func add(to routes: AuthorizedRoutes) {
        routes.get("", .cluster(.readAudit)) { request, _ in
            guard let audit = gateway.audit else { throw TextError(.notFound, "404 page not found") }
            let filter = try Self.filter(request)
            let found = try await NIOThreadPool.singleton.runIfActive { try audit.lines(filter) }
            var answer: JSONObject = ["entries": .array(found.lines)]
            answer["next"] = found.next.map { .string($0.description) }
            return Response.json(.object(answer))
        }
    }

    private static func filter(_ request: Request) throws -> AuditFilter {
        var filter = AuditFilter(limit: defaultLimit)
        func text(_ name: String) -> String? { request.query(name).flatMap { $0.isEmpty ? nil : $0 } }
        (filter.principal, filter.action, filter.resource) = (text("principal"), text("action"), text("resource"))
        filter.onlyRefused = request.flag("refused")
        if let since = text("since") {
            guard let time = Instant(rfc3339: since) else {
                throw TextError(.badRequest, "since: not a time such as 2026-01-31T12:00:00Z")
            }
            filter.since = time
        }
        if let after = text("after") {
            guard let place = AuditPlace(after) else {
                throw TextError(.badRequest, "after: not the next of an earlier answer")
            }
            filter.before = place
        }
        if let limit = text("limit") {
            guard let number = Int(limit), (1...maximumLimit).contains(number) else {
                throw TextError(.badRequest, "limit: between 1 and \(maximumLimit)")
            }
            filter.limit = number
        }
        return filter
    }
}
