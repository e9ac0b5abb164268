import AsyncHTTPClient
package import Model
import NIOCore
import NIOHTTP1

/// How to reach a cluster's object store, as `GET /system/config` tells its user.
package struct StorageAccess: Sendable, Hashable {
    package var endpoint: String
    package var region: String
    package var accessKey: String
    package var secretKey: String
    package var verifyTLS: Bool

    package init(endpoint: String, region: String, accessKey: String, secretKey: String, verifyTLS: Bool) {
        (self.endpoint, self.region) = (endpoint, region)
        (self.accessKey, self.secretKey, self.verifyTLS) = (accessKey, secretKey, verifyTLS)
    }

    /// Reads a provider's object of an FDL file or of `/system/config`; `nil` without endpoint or keys.
    package init?(_ json: JSONValue) {
        guard let endpoint = json["endpoint"]?.stringValue, !endpoint.isEmpty,
            let accessKey = json["access_key"]?.stringValue, let secretKey = json["secret_key"]?.stringValue
        else { return nil }
        self.init(
            endpoint: endpoint, region: json["region"]?.stringValue ?? "", accessKey: accessKey, secretKey: secretKey,
            verifyTLS: json["verify"]?.boolValue ?? true)
    }
}

extension APIClient {
    /// Whether the cluster answers `Ok` to the question for its health.
    ///
    /// - Throws: `unreachable`, `unavailable` and what a proxy may say.
    package func health() async throws(APIClientError) -> String {
        try await exchange(APIRequest(.GET, "health", subject: "its health")) { response in
            String(buffer: try await response.body.collect(upTo: 64 << 10))
        }
    }

    /// `GET /system/info`: version, architecture and so on, as the cluster sends it.
    ///
    /// - Throws: `unreachable`, `unauthorised`, `unavailable`, `server`, `malformedAnswer`, `cancelled`; so do all
    ///   below.
    package func info() async throws(APIClientError) -> JSONValue {
        try await document(APIRequest(.GET, "system", "info", subject: "the cluster's information"))
    }

    /// `GET /system/config`: settings and storage keys, as the cluster sends them.
    package func config() async throws(APIClientError) -> JSONValue {
        try await document(APIRequest(.GET, "system", "config", subject: "the cluster's configuration"))
    }

    /// The keys and the address of the cluster's own object store.
    package func storageAccess() async throws(APIClientError) -> StorageAccess {
        guard let provider = try await config()["minio_provider"], let access = StorageAccess(provider) else {
            throw APIClientError(
                .malformedAnswer, "\(endpoint) does not tell how to reach its object store (no minio_provider)")
        }
        return access
    }
}
