package import Model
import NIOHTTP1

/// Which lines of the audit log are wanted; what is `nil` does not matter.
package struct AuditSelection: Sendable {
    package var principal: String?
    /// A part of the action.
    package var action: String?
    /// The beginning of the resource.
    package var resource: String?
    package var since: Instant?
    package var onlyRefused = false

    package init() {}
}

extension APIClient {
    /// One page of the audit log, the newest lines first, and where the next one begins.
    ///
    /// - Throws: `notFound` where the cluster is not Apus; the usual.
    package func audit(
        _ selection: AuditSelection,
        after: String?,
        limit: Int
    ) async throws(APIClientError) -> (entries: [JSONValue], next: String?) {
        var request = APIRequest(.GET, "apus", "v1", "audit", subject: "the audit log")
        request.query.append(("limit", "\(limit)"))
        let texts = [
            ("principal", selection.principal), ("action", selection.action), ("resource", selection.resource),
            ("since", selection.since?.rfc3339()), ("refused", selection.onlyRefused ? "true" : nil), ("after", after),
        ]
        for case (let name, let value?) in texts { request.query.append((name, value)) }
        let answer = try await document(request)
        return (try elements(answer["entries"] ?? answer, of: "entries"), answer["next"]?.stringValue)
    }
}
