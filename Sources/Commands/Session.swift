import APIClient
import AsyncHTTPClient
import S3Client

/// Opens clients for a command, for as long as it needs them.
enum Session {
    /// The configuration that the options name.
    static func configuration(_ options: ConfigurationOptions) async throws(CommandError) -> Configuration {
        try await Configuration.load(file: options.config)
    }

    /// Gives `body` a client of the API of the cluster that the options name.
    static func withCluster(
        _ options: ClusterOptions,
        _ body: (APIClient) async throws -> Void
    ) async throws {
        let entry = try await configuration(options.file).cluster(options.cluster)
        try await withCluster(entry, body)
    }

    /// Gives `body` a client of a cluster's API.
    static func withCluster(_ entry: ClusterEntry, _ body: (APIClient) async throws -> Void) async throws {
        let credentials = try entry.credentials()
        let configuration = HTTPClient.Configuration.clusterRequests
        try await HTTPClient.withHTTPClient(configuration: configuration) { http in
            let client = try APIClient(
                endpoint: entry.endpoint, credentials: credentials, verifyTLS: entry.verifyTLS, httpClient: http)
            try await body(client)
        }
    }

    /// Gives `body` a client of the object store of the cluster that the options name.
    static func withStore(_ options: ClusterOptions, _ body: (S3Client) async throws -> Void) async throws {
        try await withCluster(options) { cluster in
            try await withStore(try await cluster.storageAccess(), body)
        }
    }

    /// Gives `body` a client of an object store.
    static func withStore(_ access: StorageAccess, _ body: (S3Client) async throws -> Void) async throws {
        let endpoint = try S3Endpoint(access.endpoint)
        let configuration = HTTPClient.Configuration.objectTransfers
        try await HTTPClient.withHTTPClient(configuration: configuration) { http in
            let client = S3Client(
                endpoint: endpoint, region: access.region,
                accessKey: access.accessKey, secretKey: access.secretKey,
                verifyTLS: access.verifyTLS, httpClient: http)
            try await body(client)
        }
    }
}
