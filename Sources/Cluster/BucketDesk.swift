package import Model
package import ObjectEngine

/// Buckets as OSCAR's API shows them (oscar-api.md section 7).
package struct BucketDesk: Sendable {
    private let store: ObjectStore
    private let catalog: ServiceCatalog

    package init(store: ObjectStore, catalog: ServiceCatalog) {
        self.store = store
        self.catalog = catalog
    }

    package func all() async throws -> [Bucket] { try await translating { try await store.buckets() } }

    /// - Throws: `ClusterError` with `notFound`.
    package func bucket(_ name: BucketName) async throws -> Bucket {
        let bucket = try await translating(name) { try await store.bucket(name) }
        guard let bucket else {
            throw Self.noBucket(name.text)
        }
        return bucket
    }

    /// Making a bucket that is there already is no error: services and people share them.
    package func create(_ name: BucketName, owner: String, tags: [String: String]) async throws {
        try await translating(name) {
            if try await !store.createBucket(name, owner: owner, tags: tags) { try await store.setTags(tags, of: name) }
        }
    }

    /// Removes a bucket with all that is in it.
    ///
    /// - Throws: `ClusterError` with `notFound`, or `forbidden` where a service still uses it.
    package func remove(_ name: BucketName) async throws {
        let users = catalog.all.filter { $0.definition.ownBuckets.contains(name) }.map(\.name.text)
        guard users.isEmpty else {
            throw ClusterError(
                code: .forbidden,
                message: "the bucket '\(name)' is used by \(users.joined(separator: ", ")); remove that first"
            )
        }
        try await translating(name) { try await store.deleteBucket(name, includingContent: true) }
    }

    /// One page of a bucket's objects, after that key.
    package func objects(of name: BucketName, prefix: String, after: String?, limit: Int) async throws -> Listing {
        try await translating(name) {
            try await store.list(bucket: name, prefix: prefix, after: after, limit: limit)
        }
    }

    private func translating<T>(_ name: BucketName? = nil, _ work: () async throws -> T) async throws -> T {
        do { return try await work() } catch let error as ObjectStoreError {
            switch error.code {
            case .noSuchBucket: throw Self.noBucket(name?.text ?? "")
            case .tooManyBuckets, .quotaExceeded:
                throw ClusterError(code: .forbidden, message: error.message, cause: error)
            default: throw ClusterError(code: .failed, message: error.message, cause: error)
            }
        }
    }

    private static func noBucket(_ name: String) -> ClusterError {
        ClusterError(code: .notFound, message: "The bucket '\(name)' does not exist")
    }
}
