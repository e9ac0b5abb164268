import Model

/// What an import knows of a version that it brings back: it becomes the latest of its key, under the name that it had.
package struct RestoredVersion: Sendable, Hashable {
    let id: VersionID
    /// When the one before it was replaced, where that is known; else it was by this one, when that was written.
    let replacement: Instant?
}

extension ObjectStore {
    /// Makes a delete marker that was one before the latest version of its key again.
    ///
    /// - Throws: `noSuchBucket`, `storageFull`, `io`, `closed`.
    func restoreMarker(
        _ version: RestoredVersion,
        of key: ObjectKey,
        in bucket: BucketName
    ) async throws(ObjectStoreError) {
        let now = now()
        _ = try await write { try $0.addMarker(key, in: $0.bucketRow(bucket), at: now, restoring: version) }
    }
}
