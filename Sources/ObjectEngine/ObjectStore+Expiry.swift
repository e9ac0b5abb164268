package import Model

/// Walks in search of what rules for expiry delete, each step of which looks at up to `limit` rows, in the
/// order of keys. What they find is deleted with its `deletion`, which does nothing where it has changed since.
extension ObjectStore {
    /// Objects that were last written before an instant.
    ///
    /// - `after`: `next` of the step before; `nil` to begin.
    ///
    /// - Throws: `noSuchBucket`, `io`, `closed`.
    package func expirableObjects(
        in bucket: BucketName,
        prefix: String = "",
        modifiedBefore instant: Instant,
        after: String? = nil,
        limit: Int = 1000
    ) async throws(ObjectStoreError) -> ExpiryPage<ObjectRecord, String> {
        try await read {
            try $0.expirableObjects(
                in: bucket,
                prefix: prefix,
                modifiedBefore: instant,
                after: after,
                limit: limit
            )
        }
    }

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

    /// Unfinished uploads that were begun before an instant.
    ///
    /// - `after`: `next` of the step before; `nil` to begin.
    ///
    /// - Throws: `noSuchBucket`, `io`, `closed`.
    package func expirableUploads(
        in bucket: BucketName,
        prefix: String = "",
        initiatedBefore instant: Instant,
        after: UploadPlace? = nil,
        limit: Int = 1000
    ) async throws(ObjectStoreError) -> ExpiryPage<MultipartUpload, UploadPlace> {
        let page = try await uploads(
            in: bucket,
            prefix: prefix,
            afterKey: after?.key,
            afterID: after?.id,
            limit: max(1, limit)
        )
        let last = page.isTruncated ? page.uploads.last : nil
        return ExpiryPage(
            items: page.uploads.filter { $0.initiated < instant },
            next: last.map { UploadPlace(key: $0.key.text, id: $0.id) }
        )
    }
}
