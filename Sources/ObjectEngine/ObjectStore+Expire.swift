package import Model

extension ObjectStore {
    /// Deletes objects that have become too old, in one transaction, with an event for each where somebody has asked
    /// for such; not those that were written anew since they were looked up.
    ///
    /// - Returns: how many were deleted.
    /// - Throws: `noSuchBucket`, `storageFull`, `io`, `closed`.
    package func expire(
        _ records: [ObjectRecord],
        in bucket: BucketName
    ) async throws(ObjectStoreError) -> Int {
        let events = try await removalEvents(in: bucket, byLifecycle: true, origin: .cluster, at: now())
        let count = try await write { index in
            let id = try index.bucketID(bucket)
            var count = 0
            for record in records {
                guard try index.object(record.key, in: bucket)?.content == record.content,
                    try index.delete(record.key, from: id)
                else { continue }
                try events?.add(record.key, to: index)
                count += 1
            }
            return count
        }
        announce(event: events != nil)
        return count
    }
}
