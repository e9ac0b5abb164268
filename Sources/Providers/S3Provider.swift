package import AsyncHTTPClient
package import Model
import S3Client
import S3Wire

/// An S3 store: AWS, MinIO, another Apus.
///
/// The first part of an output's path is the bucket.
package struct S3Provider: Provider {
    package let name: String

    /// What goes at once: a line that breaks costs no more than a few of these.
    package static let partSize = ByteCount.mebibytes(8)

    private let client: S3Client
    private let createsBuckets: Bool

    /// - Parameters:
    ///   - name: The provider as FDL names it.
    ///   - settings: The entry under `storage_providers`; without an endpoint it is AWS's of the region.
    ///   - createsBuckets: Whether a bucket that is missing is created.
    ///   - httpClient: Shared and shut down by the caller; made with
    ///     `HTTPClient.Configuration.objectTransfers`.
    ///   - partSize: Larger files go in parts of this size.
    /// - Throws: `ProviderError` with `invalidConfiguration` for an endpoint or a region that is none and for
    ///   empty keys.
    package init(
        name: String,
        settings: StorageProviders.S3,
        createsBuckets: Bool = true,
        httpClient: HTTPClient,
        partSize: ByteCount = Self.partSize
    ) throws(ProviderError) {
        try ProviderError.require(settings.accessKey, "access_key", of: name)
        try ProviderError.require(settings.secretKey, "secret_key", of: name)
        self.name = name
        self.createsBuckets = createsBuckets
        let region = settings.region.isEmpty ? "us-east-1" : settings.region
        // The region becomes part of a host's name and of signatures.
        guard region.utf8.allSatisfy(Self.isAllowedInRegion), region.utf8.count <= 64 else {
            throw ProviderError(
                .invalidConfiguration,
                "\(name): \"\(region.prefix(80))\" is not the name of a region"
            )
        }
        let endpoint = settings.endpoint.isEmpty ? "https://s3.\(region).amazonaws.com" : settings.endpoint
        do {
            client = S3Client(
                endpoint: try S3Endpoint(endpoint),
                region: region,
                credentials: S3Credentials(accessKey: settings.accessKey, secretKey: settings.secretKey),
                verifyTLS: settings.verify,
                httpClient: httpClient,
                partSize: partSize
            )
        } catch {
            throw ProviderError(s3Error: error, provider: name)
        }
    }

    package func put(_ transfer: Transfer) async throws(ProviderError) {
        let (bucket, key) = try Self.place(of: transfer.name, at: transfer.path, provider: name)
        do {
            do {
                try await put(transfer, bucket: bucket, key: key)
            } catch  where error.code == .notFound && createsBuckets {
                try await createBucket(bucket)
                try await put(transfer, bucket: bucket, key: key)
            }
        } catch {
            throw ProviderError(s3Error: error, provider: self.name)
        }
    }

    private func put(_ transfer: Transfer, bucket: String, key: String) async throws(S3ClientError) {
        guard let record = transfer.record else {
            try await client.put(file: transfer.file, bucket: bucket, key: key)
            return
        }
        try await client.deliver(
            file: transfer.file, bucket: bucket, key: key, record: record, pace: transfer.pace)
    }

    package func abandon(_ upload: String, of name: String, at path: String) async throws(ProviderError) {
        let (bucket, key) = try Self.place(of: name, at: path, provider: self.name)
        do {
            try await client.abortUpload(upload, bucket: bucket, key: key)
        } catch {
            throw ProviderError(s3Error: error, provider: self.name)
        }
    }

    /// Where a result goes.
    ///
    /// - Throws: `ProviderError` with `invalidConfiguration` for what no store takes.
    static func place(
        of name: String,
        at path: String,
        provider: String
    ) throws(ProviderError) -> (bucket: String, key: String) {
        let target = try ResultPath(path: path, name: name)
        guard let bucket = target.base.first else {
            throw ProviderError(
                .invalidConfiguration,
                "\(provider): an output's path must begin with the name of a bucket"
            )
        }
        let key = target.parts.dropFirst().joined(separator: "/")
        do {
            _ = try ObjectKey(key)
        } catch {
            throw ProviderError(.invalidConfiguration, "\(provider): \(error.message)", cause: error)
        }
        return (bucket, key)
    }

    package func check() async throws(ProviderError) {
        do {
            _ = try await client.listBuckets()
        } catch {
            // Keys that are limited to a bucket may not list all of them; that they are known is what matters
            // here.
            if case .refused(_, "AccessDenied") = error.code { return }
            throw ProviderError(s3Error: error, provider: name)
        }
    }

    /// Creates the bucket; one that somebody else created in the meantime is good too.
    private func createBucket(_ bucket: String) async throws(S3ClientError) {
        do {
            try await client.createBucket(bucket)
        } catch {
            if case .refused(409, _) = error.code { return }
            throw error
        }
    }

    private static func isAllowedInRegion(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

extension ProviderError {
    /// What stores say when they have no space: MinIO, Ceph, and the general WebDAV status.
    private static let fullCodes: Set<String> = [
        "XMinioStorageFull", "QuotaExceeded", "InsufficientStorage", "StorageFull",
    ]

    /// What an error of the S3 client means to a delivery.
    init(s3Error error: S3ClientError, provider: String) {
        let message = "\(provider): \(error.message)"
        switch error.code {
        case .invalid: self.init(.invalidConfiguration, message, cause: error)
        case .localFile: self.init(.local, message, cause: error)
        case .paused: self.init(.paused, message, cause: error)
        case .cancelled: self.init(.cancelled, message, cause: error)
        case .notFound: self.init(.refused, message, cause: error)
        case .unreachable, .malformedAnswer: self.init(.unreachable, message, cause: error)
        case .refused(let status, let code) where status == 507 || Self.fullCodes.contains(code):
            self.init(.full, message, retryAfter: error.retryAfter, cause: error)
        case .refused:
            self.init(
                error.isTransient ? .unreachable : .refused, message, retryAfter: error.retryAfter, cause: error)
        }
    }
}
