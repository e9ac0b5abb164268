package import Model

/// Walks in search of what rules for expiry delete, each step of which looks at up to `limit` rows, in the
/// order of keys. What they find is deleted with its `deletion`, which does nothing where it has changed since.
extension ObjectStore {
    /// Versions and delete markers that were replaced before an instant; the newest of a key first.
    ///
    /// - `after`: `next` of the step before; `nil` to begin.
    ///
    /// - Throws: `noSuchBucket`, `io`, `closed`.
    package func noncurrentVersions(
        in bucket: BucketName,
        prefix: String = "",
        replacedBefore instant: Instant,
        after: NoncurrentPlace? = nil,
        limit: Int = 1000
    ) async throws(ObjectStoreError) -> ExpiryPage<NoncurrentVersion, NoncurrentPlace> {
        try await read {
            try $0.noncurrentVersions(
                in: bucket,
                prefix: prefix,
                replacedBefore: instant,
                after: after,
                limit: limit
            )
        }
    }

    /// Delete markers that are the only version of their key.
    ///
    /// - `after`: `next` of the step before; `nil` to begin.
    ///
    /// - Throws: `noSuchBucket`, `io`, `closed`.
    package func lonelyMarkers(
        in bucket: BucketName,
        prefix: String = "",
        after: String? = nil,
        limit: Int = 1000
    ) async throws(ObjectStoreError) -> ExpiryPage<ObjectVersion, String> {
        try await read { try $0.lonelyMarkers(in: bucket, prefix: prefix, after: after, limit: limit) }
    }
}
