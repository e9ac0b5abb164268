package import AsyncHTTPClient
package import Model

/// Makes the provider that a service's output names.
package enum ProviderFactory {
    /// The kinds of provider that Apus can deliver to, besides its own store.
    package static let supportedKinds: Set<ProviderKind> = [.minio, .s3, .webdav]

    /// The provider of that name.
    ///
    /// Does no I/O, so an unreachable provider is no error here.
    ///
    /// - Parameters:
    ///   - id: Which one. The cluster's own store, `minio.default`, is none of these.
    ///   - declared: What the service has under `storage_providers`.
    ///   - httpClient: Shared by all providers and shut down by the caller; made with
    ///     `HTTPClient.Configuration.objectTransfers`.
    ///   - partSize: Files above it go in parts of this size, where the provider takes parts.
    /// - Returns: The provider, ready to use.
    /// - Throws: `ProviderError` with `invalidConfiguration` for what is not declared, not supported, or
    ///   incomplete.
    package static func make(
        for id: ProviderID,
        in declared: StorageProviders,
        httpClient: HTTPClient,
        partSize: ByteCount = S3Provider.partSize
    ) throws(ProviderError) -> any Provider {
        func missing() -> ProviderError {
            ProviderError(
                .invalidConfiguration,
                "the provider \(id) is not declared: add \"\(id.kind.rawValue)\" with \"\(id.name)\" under "
                    + "storage_providers"
            )
        }
        guard id != .clusterStore else {
            throw ProviderError(
                .invalidConfiguration,
                "\(id) is the cluster's own store, which is no remote provider"
            )
        }
        switch id.kind {
        case .minio:
            guard let settings = declared.minio[id.name] else { throw missing() }
            // Only AWS has an address that its region tells.
            try ProviderError.require(settings.endpoint, "endpoint", of: id.description)
            return try S3Provider(name: id.description, settings: settings, httpClient: httpClient, partSize: partSize)
        case .s3:
            guard let settings = declared.s3[id.name] else { throw missing() }
            return try S3Provider(name: id.description, settings: settings, httpClient: httpClient, partSize: partSize)
        case .webdav:
            guard let settings = declared.webdav[id.name] else { throw missing() }
            return try WebDAVProvider(name: id.description, settings: settings, httpClient: httpClient)
        case .onedata, .rucio:
            throw ProviderError(
                .invalidConfiguration,
                "results cannot be delivered to \(id.kind.rawValue) providers yet"
            )
        }
    }

    /// Checks whether a provider could take a result of that name at all; asks nobody.
    ///
    /// - Throws: `ProviderError` with `invalidConfiguration`, which says what is wrong with the name or the path.
    package static func check(name: String, path: String, for id: ProviderID) throws(ProviderError) {
        switch id.kind {
        case .minio, .s3: _ = try S3Provider.place(of: name, at: path, provider: id.description)
        case .webdav, .onedata, .rucio: _ = try ResultPath(path: path, name: name)
        }
    }
}
