package import Model
package import S3Wire
import SystemPackage

extension ObjectStore {
    /// Makes an object from another's content.
    ///
    /// Content that came in one piece gets a second name in the file system, and no byte is copied (small content is,
    /// inside the index); that of a
    /// multipart upload is copied into one piece, so that the copy's ETag is its MD5 (as in S3).
    ///
    /// - `source`: where it has the same key, the object gets new attributes and a new time.
    /// - `attributes`: `nil` keeps the source's. Checksums in it are ignored: those of the source come along.
    /// - `checksums`: further checksums to have.
    ///
    /// - Throws: `contentReplaced`: look the source up again and repeat; otherwise as `put`.
    package func copy(
        _ source: ObjectRecord,
        to key: ObjectKey,
        in bucket: BucketName,
        attributes: ObjectAttributes? = nil,
        checksums: Set<ChecksumAlgorithm> = [],
        condition: WriteCondition = .none,
        origin: RequestOrigin
    ) async throws(ObjectStoreError) -> ObjectRecord {
        var attributes = attributes ?? source.attributes
        let wanted = checksums.union(source.attributes.checksums.keys)
        let hasAll = source.partCount == nil && wanted.isSubset(of: source.attributes.checksums.keys)
        if hasAll, let content = try await duplicateContent(of: source) {
            attributes.checksums = source.attributes.checksums
            attributes.checksumType = source.attributes.checksumType
            let object = NewObject(
                bucket: bucket,
                key: key,
                size: source.size,
                eTag: source.eTag,
                attributes: attributes,
                content: content.id,
                partCount: nil,
                time: now(),
                condition: condition,
                cause: .copy,
                origin: origin
            )
            let record = try await adopt(content) { try $0.put(object) }
            announce(event: true)
            return record
        }
        let staged = try await stageContent(of: source, range: nil, checksums: wanted)
        attributes.checksums = try await staged.finish().checksumTexts
        attributes.checksumType = .fullObject
        return try await put(
            staged,
            as: key,
            in: bucket,
            attributes: attributes,
            condition: condition,
            cause: .copy,
            origin: origin
        )
    }

    /// Takes in an object's content, or a range of it, anew.
    func stageContent(
        of source: ObjectRecord,
        range: Range<Int64>?,
        checksums: Set<ChecksumAlgorithm>
    ) async throws(ObjectStoreError) -> StagedContent {
        let reader = try await open(source, range: range)
        defer { reader.close() }
        let staged = stage(checksums: checksums)
        while let chunk = try await reader.next() {
            guard !Task.isCancelled else { throw ObjectStoreError(.closed, "the task was cancelled") }
            try await staged.write(chunk)
        }
        return staged
    }

    /// Gives content of one piece a second name, durably, for the index to take over.
    ///
    /// - Returns: `nil` where the file system has no more links for it, or none at all.
    private func duplicateContent(of source: ObjectRecord) async throws(ObjectStoreError) -> PlacedContent? {
        let id = ContentID.new(at: now())
        if source.size.bytes <= PlacedContent.inlineCeiling,
            try await read({ try $0.isSmall(source.content) })
        {
            return PlacedContent(id: id, place: .copy(of: source.content))
        }
        let files = files
        let result = try await files.run { () throws(ObjectStoreError) -> Result<Bool, Errno> in
            do throws(Errno) {
                try files.calls.link(files.contentPath(source.content), files.stagingPath(id))
            } catch {
                return .failure(error)
            }
            do throws(ObjectStoreError) {
                try files.settle(id, file: nil)
            } catch {
                files.discard(id)
                throw error
            }
            return .success(true)
        }
        switch result {
        case .success: return PlacedContent(id: id, place: .link(of: source.content))
        case .failure(.noSuchFileOrDirectory): throw await missing(source)
        case .failure(.tooManyLinks), .failure(.notPermitted), .failure(.notSupported): return nil
        case .failure(let error): throw ObjectStoreError(error, "cannot copy the content")
        }
    }
}
