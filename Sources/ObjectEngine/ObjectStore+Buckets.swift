package import Model

extension ObjectStore {
    /// Makes a bucket with its settings; does nothing where there is one of that name.
    ///
    /// - Returns: whether it was made now.
    /// - Throws: `tooManyBuckets`, `storageFull`, `io`, `closed`.
    package func createBucket(
        _ name: BucketName,
        owner: String,
        tags: [String: String] = [:],
        settings: [BucketSetting: String] = [:]
    ) async throws(ObjectStoreError) -> Bool {
        let now = now()
        defer { bucketFacts.forget(name) }
        return try await write {
            try $0.createBucket(name, owner: owner, tags: tags, settings: settings, at: now)
        }
    }

    /// The bucket of that name, `nil` where there is none.
    ///
    /// - Throws: `io`, `closed`.
    package func bucket(_ name: BucketName) async throws(ObjectStoreError) -> Bucket? {
        try await read { try $0.bucket(name) }
    }

    /// All buckets, ordered by name.
    ///
    /// - Throws: `io`, `closed`.
    package func buckets() async throws(ObjectStoreError) -> [Bucket] { try await read { try $0.buckets() } }

    /// Replaces all of a bucket's tags.
    ///
    /// - Throws: `noSuchBucket`, `storageFull`, `io`, `closed`.
    package func setTags(_ tags: [String: String], of name: BucketName) async throws(ObjectStoreError) {
        try await write { try $0.setTags(tags, of: name) }
    }

    /// Deletes a bucket; unfinished uploads go with it.
    ///
    /// - `includingContent`: deletes its objects first, many transactions long; where that breaks
    ///   off, some are left.
    ///
    /// - Throws: `noSuchBucket`, `bucketNotEmpty`, `storageFull`, `io`, `closed`.
    package func deleteBucket(
        _ name: BucketName,
        includingContent: Bool = false
    ) async throws(ObjectStoreError) {
        while true {
            if includingContent {
                while try await writeFreeing({ try $0.deleteObjects(of: name, limit: 1000) }) > 0 { announce() }
            }
            do throws(ObjectStoreError) {
                defer { bucketFacts.forget(name) }
                try await writeFreeing { try $0.deleteBucket(name) }
                return announce()
            } catch {
                // Somebody put an object between the two transactions.
                guard includingContent, error.code == .bucketNotEmpty else { throw error }
            }
        }
    }
}
