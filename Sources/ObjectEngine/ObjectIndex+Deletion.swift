import GRDB
import Model

extension ObjectIndex {
    /// Deletes what a client wants deleted.
    ///
    /// - Throws: `preconditionFailed`, `noSuchKey` for its condition, before anything is changed.
    func delete(_ deletion: Deletion, from bucket: BucketRow, at now: Instant) throws -> DeletionOutcome {
        guard let version = deletion.version else { return try deleteLatest(deletion, from: bucket, at: now) }
        let found = try stored(version, of: deletion.key, in: bucket)
        try deletion.condition.check(found.map { (eTag: $0.eTag, content: $0.content) })
        guard !deletion.isOfNoncurrent || !(found?.isLatest ?? false) else {
            throw ObjectStoreError(.preconditionFailed, "the version has become the latest")
        }
        guard let found else { return DeletionOutcome(wasThere: false, version: version, isMarker: false) }
        try remove(found)
        if found.isLatest { try promoteNewest(of: found.key, in: bucket) }
        return DeletionOutcome(wasThere: true, version: version, isMarker: found.content == nil)
    }

    private func deleteLatest(
        _ deletion: Deletion,
        from bucket: BucketRow,
        at now: Instant
    ) throws -> DeletionOutcome {
        let found = try storedVersions(
            "\(Self.storedObject) WHERE bucket = ? AND key = ?",
            [bucket.id, deletion.key.text],
            in: bucket
        ).first
        try deletion.condition.check(found.map { (eTag: $0.eTag, content: $0.content) })
        guard bucket.versioning == .off else {
            let marker = try addMarker(deletion.key, in: bucket, at: now)
            return DeletionOutcome(wasThere: found != nil, version: marker, isMarker: true)
        }
        if let found { try remove(found) }
        return DeletionOutcome(wasThere: found != nil, version: nil, isMarker: false)
    }

    /// Removes an object, an earlier version or a marker for good; the one place where that is done.
    ///
    /// Does not look for a new latest version.
    func remove(_ stored: StoredVersion) throws {
        if let sequence = stored.sequence {
            try execute(
                "DELETE FROM versions WHERE bucket = ? AND key = ? AND sequence = ?",
                [stored.bucket.id, stored.key, sequence]
            )
            try count(versions: -1, bytes: -stored.size, in: stored.bucket.id)
        } else {
            try execute(
                "DELETE FROM objects WHERE bucket = ? AND key = ?",
                [stored.bucket.id, stored.key]
            )
            try count(objects: -1, bytes: -stored.size, in: stored.bucket.id)
        }
        if let content = stored.content { try addGarbage(content) }
    }

    /// Where the version of that name is.
    func stored(_ version: VersionID, of key: ObjectKey, in bucket: BucketRow) throws -> StoredVersion? {
        let clause = "WHERE bucket = ? AND key = ? AND version = ?"
        let arguments: StatementArguments = [bucket.id, key.text, version.stored]
        return try storedVersions("\(Self.storedObject) \(clause)", arguments, in: bucket).first
            ?? storedVersions("\(Self.storedVersion) \(clause)", arguments, in: bucket).first
    }

    /// - `sql`: `storedObject` or `storedVersion` with its clause.
    func storedVersions(
        _ sql: String,
        _ arguments: StatementArguments,
        in bucket: BucketRow
    ) throws -> [StoredVersion] {
        try rows(sql, arguments).map { row in
            StoredVersion(
                bucket: bucket,
                key: row[0],
                sequence: row[1],
                size: row[2],
                eTag: row[3],
                content: row[4],
                isLatest: (row[5] as Int64?) == nil
            )
        }
    }
}
