import APIClient
import AsyncHTTPClient
import Model
import S3Client
import SystemPackage

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
        try await withCluster(try await entry(options), body)
    }

    /// The cluster that the options name, with what they say of its certificate.
    static func entry(_ options: ClusterOptions) async throws(CommandError) -> ClusterEntry {
        var entry = try await configuration(options.file).cluster(options.cluster)
        if let file = options.caCertificate {
            (entry.trust, entry.verifyTLS) = (CertificateTrust(file: Surroundings.current.resolve(file).string), true)
        }
        if options.insecure { entry.verifyTLS = false }
        return entry
    }

    /// Gives `body` a client of a cluster's API.
    static func withCluster(_ entry: ClusterEntry, _ body: (APIClient) async throws -> Void) async throws {
        let credentials = try entry.credentials()
        let configuration = HTTPClient.Configuration.clusterRequests
        try await HTTPClient.withHTTPClient(configuration: configuration) { http in
            let client = try APIClient(
                endpoint: entry.endpoint, credentials: credentials, verifyTLS: entry.verifyTLS,
                trust: entry.trust, httpClient: http)
            try await body(client)
        }
    }

    /// Gives `body` a client of the object store of the cluster that the options name.
    static func withStore(_ options: ClusterOptions, _ body: (S3Client) async throws -> Void) async throws {
        let entry = try await entry(options)
        try await withCluster(entry) { cluster in
            var access = try await cluster.storageAccess()
            // What is said of the cluster's certificate holds for its store, which has the same one.
            if entry.trust != nil {
                access.verifyTLS = entry.verifyTLS
            } else if !entry.verifyTLS {
                access.verifyTLS = false
            }
            try await withStore(access, trust: entry.trust, body)
        }
    }

    /// Gives `body` a client of an object store.
    static func withStore(
        _ access: StorageAccess,
        trust: CertificateTrust? = nil,
        _ body: (S3Client) async throws -> Void
    ) async throws {
        let endpoint = try S3Endpoint(access.endpoint)
        let configuration = HTTPClient.Configuration.objectTransfers
        try await HTTPClient.withHTTPClient(configuration: configuration) { http in
            let client = S3Client(
                endpoint: endpoint, region: access.region,
                accessKey: access.accessKey, secretKey: access.secretKey,
                verifyTLS: access.verifyTLS, trust: trust, httpClient: http)
            try await body(client)
        }
    }
}
