package import Model

extension ObjectStore {
    /// A bucket's owner and settings, from memory where they were asked for before.
    ///
    /// - Returns: `nil` where there is no such bucket.
    /// - Throws: `io`, `closed`.
    package func facts(of name: BucketName) async throws(ObjectStoreError) -> BucketFacts? {
        let generation: Int
        switch bucketFacts.find(name) {
        case .found(let facts): return facts
        case .missing(let current): generation = current
        }
        guard let found = try await read({ try $0.ownerAndSettings(of: name) }) else { return nil }
        return bucketFacts.keep(found.owner, found.settings, of: name, since: generation)
    }

    /// As `facts(of:)`, where they are in memory; `nil` where they are to be asked for.
    package func knownFacts(of name: BucketName) -> BucketFacts? {
        if case .found(let facts) = bucketFacts.find(name) { facts } else { nil }
    }

    /// Writes settings of a bucket in one transaction, or removes those whose document is `nil`.
    ///
    /// The documents are for the caller to check.
    ///
    /// - Throws: `noSuchBucket`, `storageFull`, `io`, `closed`.
    package func set(
        _ documents: [BucketSetting: String?],
        of name: BucketName
    ) async throws(ObjectStoreError) {
        defer { bucketFacts.forget(name) }
        try await write { try $0.set(documents, of: name) }
    }

    /// Gives a bucket another owner.
    ///
    /// - Throws: `noSuchBucket`, `storageFull`, `io`, `closed`.
    package func setOwner(_ owner: String, of name: BucketName) async throws(ObjectStoreError) {
        defer { bucketFacts.forget(name) }
        try await write { try $0.setOwner(owner, of: name) }
    }

    /// The buckets that have such a setting, ordered by name, with its document.
    ///
    /// - Throws: `io`, `closed`.
    package func documents(
        _ kind: BucketSetting
    ) async throws(ObjectStoreError) -> [(bucket: BucketName, document: String)] {
        try await read { try $0.documents(kind) }
    }
}
