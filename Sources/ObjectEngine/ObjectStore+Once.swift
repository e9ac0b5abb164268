package import Model
package import SystemPackage

extension ObjectStore {
    /// As `putFile`, once for each owner, key and content: who asks again, because it died before it could remember
    /// the answer, makes neither another object nor another event.
    ///
    /// Other content under the same key replaces the object, with an event.
    ///
    /// - `owner`: to be given to `forgetPuts(by:)` when it will not ask again.
    ///
    /// - Returns: whether there is a new object.
    /// - Throws: as `putFile`.
    package func putFile(
        at path: FilePath,
        as key: ObjectKey,
        in bucket: BucketName,
        attributes: ObjectAttributes = ObjectAttributes(),
        onceFor owner: String,
        origin: RequestOrigin
    ) async throws(ObjectStoreError) -> Bool {
        let staged = stage()
        defer { staged.discard() }
        try await staged.fill(from: LocalFile(path: path))
        try await staged.finish()
        return try await put(staged, as: key, in: bucket, attributes: attributes, onceFor: owner, origin: origin)
    }

    /// As `putFile(at:as:in:attributes:onceFor:origin:)`, for content that was staged.
    ///
    /// - Throws: as `put`.
    package func put(
        _ staged: StagedContent,
        as key: ObjectKey,
        in bucket: BucketName,
        attributes: ObjectAttributes,
        onceFor owner: String,
        origin: RequestOrigin
    ) async throws(ObjectStoreError) -> Bool {
        let (content, summary) = try await staged.settle()
        let object = NewObject(
            bucket: bucket,
            key: key,
            size: ByteCount(summary.size),
            eTag: summary.eTag,
            attributes: attributes,
            content: content.id,
            partCount: nil,
            time: now(),
            condition: .none,
            cause: .put,
            origin: origin
        )
        do throws(ObjectStoreError) {
            _ = try await adopt(content) { index in
                if try index.wasPut(object, by: owner) { throw Self.alreadyPut }
                return try index.put(object)
            }
        } catch {
            // The object has no condition, so nothing else can say this; the staged content is gone already.
            guard error.code == .preconditionFailed else { throw error }
            return false
        }
        announce(event: true)
        return true
    }

    private static var alreadyPut: ObjectStoreError {
        ObjectStoreError(.preconditionFailed, "the owner has put this content under this key already")
    }

    /// Forgets what these owners have put: they will not ask again.
    ///
    /// - Throws: `storageFull`, `io`, `closed`.
    package func forgetPuts(by owners: [String]) async throws(ObjectStoreError) {
        guard !owners.isEmpty else { return }
        try await writeFreeing { try $0.forgetPuts(by: owners) }
    }

    /// Who has put something that is remembered, in order.
    ///
    /// - Throws: `io`, `closed`.
    package func putOwners(after owner: String = "", limit: Int) async throws(ObjectStoreError) -> [String] {
        try await read { try $0.putOwners(after: owner, limit: limit) }
    }
}
