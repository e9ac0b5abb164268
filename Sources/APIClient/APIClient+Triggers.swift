import AsyncHTTPClient
package import Model
import NIOCore
import NIOHTTP1

/// A backfill as the cluster tells of it.
package struct BackfillProgress: Sendable, Hashable {
    package var id: Int64
    /// `running`, `done`, `cancelled` or `failed`.
    package var state: String
    package var isDryRun: Bool
    package var seen: Int64
    package var jobs: Int64
    package var message: String
    /// The whole object as the cluster sent it.
    package var json: JSONValue

    package var isRunning: Bool { state == "running" }

    init(_ json: JSONValue) {
        id = json["id"]?.integerValue ?? 0
        state = json["state"]?.stringValue ?? ""
        isDryRun = json["dry_run"]?.boolValue ?? false
        seen = json["seen"]?.integerValue ?? 0
        jobs = json["jobs"]?.integerValue ?? 0
        message = json["message"]?.stringValue ?? ""
        self.json = json
    }
}

extension APIClient {
    /// The schedules of a service, or of all, as the cluster sends them.
    ///
    /// - Throws: `notFound` also where the cluster is not Apus; the usual.
    package func schedules(of service: String? = nil) async throws(APIClientError) -> [JSONValue] {
        var request = APIRequest(.GET, "apus", "v1", "schedules", subject: "the list of schedules")
        if let service { request.query.append(("service", service)) }
        return try elements(try await document(request)["schedules"] ?? .null, of: "schedules")
    }

    /// Begins a backfill, or goes on with the one that has the same token.
    ///
    /// - Parameter order: the object of `POST /apus/v1/services/{service}/backfills`.
    package func beginBackfill(
        of service: String,
        _ order: JSONValue
    ) async throws(APIClientError) -> BackfillProgress {
        var request = APIRequest(
            .POST, "apus", "v1", "services", service, "backfills", subject: "a backfill of service \"\(service)\"")
        request.headers = [("content-type", "application/json")]
        request.body = .bytes(ByteBuffer(bytes: order.bytes()))
        return BackfillProgress(try await document(request))
    }

    /// How far a backfill is.
    package func backfill(_ id: Int64, of service: String) async throws(APIClientError) -> BackfillProgress {
        BackfillProgress(try await document(backfillRequest(.GET, id, service)))
    }

    /// Stops a backfill where it is.
    package func cancelBackfill(_ id: Int64, of service: String) async throws(APIClientError) -> BackfillProgress {
        BackfillProgress(try await document(backfillRequest(.DELETE, id, service)))
    }

    /// The backfills of a service, the newest first.
    package func backfills(of service: String) async throws(APIClientError) -> [BackfillProgress] {
        let request = APIRequest(
            .GET, "apus", "v1", "services", service, "backfills", subject: "service \"\(service)\"")
        return try elements(try await document(request)["backfills"] ?? .null, of: "backfills")
            .map { BackfillProgress($0) }
    }

    private func backfillRequest(_ method: HTTPMethod, _ id: Int64, _ service: String) -> APIRequest {
        APIRequest(
            method, "apus", "v1", "services", service, "backfills", "\(id)",
            subject: "backfill \(id) of service \"\(service)\"")
    }
}

extension APIClient {
    /// Events of the object store, as the cluster sends them.
    ///
    /// - Parameters:
    ///   - after: only those behind that number, the oldest first; else the newest come first.
    ///   - before: only those before that number.
    /// - Returns: `next` is the last one's number where there may be more.
    /// - Throws: `notFound` also where the cluster is not Apus; the usual.
    package func events(
        bucket: String? = nil,
        after: Int64? = nil,
        before: Int64? = nil,
        limit: Int
    ) async throws(APIClientError) -> (events: [JSONValue], next: Int64?) {
        var request = APIRequest(.GET, "apus", "v1", "events", subject: "the list of events")
        if let bucket { request.query.append(("bucket", bucket)) }
        if let after { request.query.append(("after", "\(after)")) }
        if let before { request.query.append(("before", "\(before)")) }
        request.query.append(("limit", "\(limit)"))
        let answer = try await document(request)
        return (try elements(answer["events"] ?? .null, of: "events"), answer["next"]?.integerValue)
    }
}
