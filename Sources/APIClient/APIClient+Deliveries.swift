package import Model
import NIOHTTP1

/// A destination outside of a cluster, and what waits for it: one element of `GET /apus/v1/deliveries`.
package struct DestinationSummary: Sendable, Hashable {
    /// `service/provider`, or `webhook:name`.
    package var destination: String
    package var waiting: Int64
    /// `nil` where the cluster does not say.
    package var bytes: ByteCount?
    /// RFC 3339; empty where the cluster does not say.
    package var oldest: String
    /// `idle`, `sending`, `resting` or `closed`.
    package var state: String
    /// RFC 3339; empty where nothing is to be waited for.
    package var nextAttempt: String
    package var error: String
    /// The whole object as the cluster sent it.
    package var json: JSONValue

    /// Reads one element of the list; absent members are empty.
    package init(_ json: JSONValue) {
        func text(_ key: String) -> String { json[key]?.stringValue ?? "" }
        (destination, oldest, state) = (text("destination"), text("oldest"), text("state"))
        (nextAttempt, error) = (text("next_attempt"), text("error"))
        waiting = json["waiting"]?.integerValue ?? 0
        bytes = json["bytes"]?.integerValue.map { ByteCount($0) }
        self.json = json
    }
}

extension APIClient {
    /// The destinations for which something waits.
    ///
    /// - Throws: `notFound` where the cluster is not Apus; the usual.
    package func destinations(_ destination: String? = nil) async throws(APIClientError) -> [DestinationSummary] {
        var request = APIRequest(.GET, "apus", "v1", "deliveries", subject: "the list of deliveries")
        if let destination { request.query.append(("destination", destination)) }
        let answer = try await document(request)
        return try elements(answer["destinations"] ?? answer, of: "destinations").map { DestinationSummary($0) }
    }

    /// Lets the cluster try at once what waits for a destination, or for all.
    ///
    /// - Returns: how much waits there.
    /// - Throws: `notFound` where nothing waits for that destination; the usual.
    package func retryDeliveries(to destination: String?) async throws(APIClientError) -> Int64 {
        let subject = destination.map { "deliveries to \"\($0)\"" } ?? "deliveries"
        var request = APIRequest(.POST, "apus", "v1", "deliveries", "retry", subject: subject)
        if let destination { request.query.append(("destination", destination)) }
        return try await document(request)["waiting"]?.integerValue ?? 0
    }

    /// Lets the cluster give up what waits for a destination.
    ///
    /// - Returns: how much that was.
    /// - Throws: `notFound` where nothing waits for that destination; the usual.
    package func dropDeliveries(to destination: String) async throws(APIClientError) -> Int64 {
        var request = APIRequest(.DELETE, "apus", "v1", "deliveries", subject: "deliveries to \"\(destination)\"")
        request.query.append(("destination", destination))
        return try await document(request)["dropped"]?.integerValue ?? 0
    }
}
