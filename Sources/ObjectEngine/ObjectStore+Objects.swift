package import Model
import NIOCore
package import S3Wire
package import SystemPackage

extension ObjectStore {
    /// Begins to take in content.
    ///
    /// - `checksums`: what to reckon beside MD5.
    package func stage(checksums: Set<ChecksumAlgorithm> = []) -> StagedContent {
        StagedContent(files: files, intake: Intake(id: .new(at: now()), checksums: checksums))
    }

    /// Makes staged content an object, with its event.
    ///
    /// - `condition`: judged in the transaction that writes the object.
    /// - `restoring`: the version that it is, for an import.
    /// - `delivery`: what another cluster calls this; what came by that name before is not written again.
    ///
    /// - Throws: `noSuchBucket`, `preconditionFailed`, `noSuchKey` (a condition on an object that is not
    ///   there), `quotaExceeded`, `storageFull`, `io`, `misuse`, `closed`. The content is gone then.
    package func put(
        _ staged: StagedContent,
        as key: ObjectKey,
        in bucket: BucketName,
        attributes: ObjectAttributes,
        condition: WriteCondition = .none,
        cause: ObjectEvent.Cause = .put,
        delivery: DeliveryToken? = nil,
        origin: RequestOrigin,
        restoring: RestoredVersion? = nil
    ) async throws(ObjectStoreError) -> ObjectRecord {
        let (content, object) = try await settle(
            staged, as: key, in: bucket, attributes: attributes, condition: condition, cause: cause, origin: origin,
            restoring: restoring
        )
        let record = try await adopt(content) { index in
            try delivery.map { try index.put(object, deliveredAs: $0) } ?? index.put(object)
        }
        announce(event: true)
        return record
    }

    /// Ends the taking in of content, and describes the object that it is to become.
    ///
    /// - Throws: `storageFull`, `io`, `misuse`.
    func settle(
        _ staged: StagedContent,
        as key: ObjectKey,
        in bucket: BucketName,
        attributes: ObjectAttributes,
        condition: WriteCondition = .none,
        cause: ObjectEvent.Cause = .put,
        origin: RequestOrigin,
        restoring: RestoredVersion? = nil
    ) async throws(ObjectStoreError) -> (content: PlacedContent, object: NewObject) {
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
            condition: condition,
            cause: cause,
            origin: origin,
            restoring: restoring
        )
        return (content, object)
    }

    /// Makes a copy of a local file an object.
    ///
    /// - `path`: a regular file; symbolic links and devices are refused, since a sandbox may have
    ///   made them.
    ///
    /// - Throws: `notAFile`, and as `put`.
    package func putFile(
        at path: FilePath,
        as key: ObjectKey,
        in bucket: BucketName,
        attributes: ObjectAttributes = ObjectAttributes(),
        condition: WriteCondition = .none,
        origin: RequestOrigin
    ) async throws(ObjectStoreError) -> ObjectRecord {
        let staged = stage()
        defer { staged.discard() }
        try await staged.fill(from: LocalFile(path: path))
        try await staged.finish()
        return try await put(
            staged,
            as: key,
            in: bucket,
            attributes: attributes,
            condition: condition,
            origin: origin
        )
    }

    /// The object of that key, `nil` where there is none.
    ///
    /// - Throws: `noSuchBucket`, `io`, `closed`.
    package func object(_ key: ObjectKey, in bucket: BucketName) async throws(ObjectStoreError)
        -> ObjectRecord?
    {
        if let found = hot.find(HotObjects.Name(bucket: bucket.text, key: key.text)) { return found.record }
        return try await read { try $0.object(key, in: bucket) }
    }

    /// The object of that key, together with small content, for `open(_:range:)`: one look into the index.
    ///
    /// - Returns: `nil` where there is none.
    /// - Throws: `noSuchBucket`, `io`, `closed`.
    package func find(_ key: ObjectKey, in bucket: BucketName) async throws(ObjectStoreError) -> FoundObject? {
        let name = HotObjects.Name(bucket: bucket.text, key: key.text)
        if let found = hot.find(name) { return found }
        let stamp = hot.stamp(name)
        let found = try await read { index -> FoundObject? in
            guard let record = try index.object(key, in: bucket) else { return nil }
            return FoundObject(record: record, content: try index.storedContent(of: record))
        }
        if let found { hot.keep(found, as: name, since: stamp) }
        return found
    }

    /// As `find`, where the object is in memory; `nil` where it is to be looked for.
    package func hotObject(_ key: ObjectKey, in bucket: BucketName) -> FoundObject? {
        hot.find(HotObjects.Name(bucket: bucket.text, key: key.text))
    }

    /// Deletes objects in one transaction, with an event for each where somebody has asked for such.
    ///
    /// - Returns: for each key whether there was an object.
    /// - Throws: `noSuchBucket`, `storageFull`, `io`, `closed`.
    package func delete(
        _ keys: [ObjectKey],
        in bucket: BucketName,
        origin: RequestOrigin = .cluster
    ) async throws(ObjectStoreError) -> [Bool] {
        try await delete(keys.map { Deletion($0) }, in: bucket, origin: origin)
            .map { (try? $0.get())?.wasThere ?? false }  // Nothing fails that has no condition.
    }

    /// Deletes objects and versions in one transaction, in that order, with their events where somebody asked
    /// for such.
    ///
    /// - `byLifecycle`: whether nobody but a rule wants it.
    ///
    /// - Returns: what became of each; `preconditionFailed` or `noSuchKey` where its condition did not hold.
    /// - Throws: `noSuchBucket`, `storageFull`, `io`, `closed`.
    package func delete(
        _ deletions: [Deletion],
        in bucket: BucketName,
        origin: RequestOrigin = .cluster,
        byLifecycle: Bool = false
    ) async throws(ObjectStoreError) -> [Result<DeletionOutcome, ObjectStoreError>] {
        let now = now()
        let events = try await removalEvents(in: bucket, byLifecycle: byLifecycle, origin: origin, at: now)
        let outcomes = try await writeFreeing { index in
            let bucket = try index.bucketRow(bucket)
            return try deletions.map { deletion -> Result<DeletionOutcome, ObjectStoreError> in
                do {
                    let outcome = try index.delete(deletion, from: bucket, at: now)
                    let makesMarker = deletion.version == nil && outcome.isMarker
                    if outcome.wasThere || makesMarker {
                        try events?.add(deletion.key, byMarker: makesMarker, to: index)
                    }
                    return .success(outcome)
                } catch let error as ObjectStoreError
                    where error.code == .preconditionFailed || error.code == .noSuchKey
                {
                    return .failure(error)
                }
            }
        }
        announce(event: events != nil)
        return outcomes
    }

    /// One page of a bucket's objects, in the order of their keys' bytes.
    ///
    /// - `prefix`: only keys that begin so.
    /// - `delimiter`: keys that have it behind the prefix are told by what they have in common up to it.
    /// - `after`: where to go on: the key or common prefix that a page ended with, or any text.
    /// - `limit`: of objects and common prefixes together.
    ///
    /// - Throws: `noSuchBucket`, `io`, `closed`.
    package func list(
        bucket: BucketName,
        prefix: String = "",
        delimiter: String? = nil,
        after: String? = nil,
        limit: Int = 1000
    ) async throws(ObjectStoreError) -> Listing {
        try await read {
            try $0.list(bucket, prefix: prefix, delimiter: delimiter, after: after, limit: limit)
        }
    }
}
