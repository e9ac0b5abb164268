package import Model
import Synchronization

/// How much one owner may keep in the store; what is `nil` has no limit.
package struct StorageQuota: Sendable, Hashable {
    /// The quota of an owner; `nil` for one without limits.
    ///
    /// Is asked inside transactions, so it must neither block nor fail.
    package typealias ByOwner = @Sendable (_ owner: String) -> StorageQuota?

    /// How many buckets.
    package var buckets: Int?
    /// In one bucket, earlier versions and parts of unfinished uploads included.
    package var bytesPerBucket: ByteCount?
    /// In all buckets together.
    package var totalBytes: ByteCount?

    package init(buckets: Int? = nil, bytesPerBucket: ByteCount? = nil, totalBytes: ByteCount? = nil) {
        self.buckets = buckets
        self.bytesPerBucket = bytesPerBucket
        self.totalBytes = totalBytes
    }
}

/// What one owner keeps in the store.
package struct StorageUsage: Sendable, Hashable {
    package let buckets: Int
    /// Earlier versions and parts of unfinished uploads included.
    package let bytes: ByteCount
}

extension ObjectStore {
    /// From now on no owner gets more than that; `nil` for no limits at all.
    ///
    /// What is there already stays where it is too much, and nothing is added to it.
    package func limit(_ quota: StorageQuota.ByOwner?) { self.quota.withLock { $0 = quota } }

    /// What an owner keeps here.
    ///
    /// - Throws: `io`, `closed`.
    package func usage(of owner: String) async throws(ObjectStoreError) -> StorageUsage {
        try await read { try $0.usage(of: owner) }
    }

    /// Refuses content of that size before it comes; what is let through is judged again at its commit.
    ///
    /// - Parameter key: what it would replace, where the bucket keeps no versions.
    /// - Throws: `noSuchBucket`, `quotaExceeded`, `io`, `closed`.
    package func checkRoom(
        for size: ByteCount,
        as key: ObjectKey,
        in bucket: BucketName
    ) async throws(ObjectStoreError) {
        let quota = quota.withLock { $0 }
        try await database.readIndex(quota: quota) { index in
            let row = try index.bucketRow(bucket)
            let replaced = row.versioning == .off ? try index.object(key, in: row)?.size.bytes ?? 0 : 0
            if size.bytes > replaced { try index.checkRoom(in: row, for: size.bytes - replaced) }
        }
    }
}
