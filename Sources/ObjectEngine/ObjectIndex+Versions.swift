import GRDB
import Model
import S3Wire

/// Where a version lies in the index, and what is needed to remove it.
struct StoredVersion: Sendable {
    let bucket: BucketRow
    let key: String
    /// Its place among the versions; `nil` for an object, which is the latest version of its key.
    let sequence: Int64?
    let size: Int64
    let eTag: String
    /// `nil` for a delete marker.
    let content: String?
    let isLatest: Bool
}

/// The latest version of a key that is no marker has its row in `objects`; all others have theirs in
/// `versions`, where `sequence` grows within a key, and `replaced` is empty for a marker that is the latest.
extension ObjectIndex {
    static let storedObject = "SELECT key, NULL, size, etag, content, NULL FROM objects"
    static let storedVersion = "SELECT key, sequence, size, etag, content, replaced FROM versions"

    /// The key's latest version, or that of the name.
    func find(_ key: ObjectKey, version: VersionID?, in bucket: BucketRow) throws -> FoundVersion {
        guard let version else {
            if let record = try object(key, in: bucket) { return .object(record) }
            guard bucket.versioning != .off else { return .nothing }
            return try found(
                in: "INDEXED BY versions_latest WHERE bucket = ? AND key = ? AND replaced IS NULL", key, bucket)
        }
        let ofObject = try row(
            "\(Self.objectColumns) WHERE bucket = ? AND key = ? AND version = ?",
            [bucket.id, key.text, version.stored]
        )
        if let ofObject { return .object(try Self.record(ofObject, in: bucket)) }
        return try found(in: "WHERE bucket = ? AND key = ? AND version = ?", key, bucket, version.stored)
    }

    private func found(
        in clause: String,
        _ key: ObjectKey,
        _ bucket: BucketRow,
        _ version: String...
    ) throws -> FoundVersion {
        let found = try row(
            "SELECT \(Self.recordColumns), sequence, replaced FROM versions \(clause)",
            [bucket.id, key.text] + StatementArguments(version)
        )
        guard let found else { return .nothing }
        return switch try Self.version(found, in: bucket).content {
        case .object(let record): .object(record)
        case .marker(let marker): .marker(marker)
        }
    }

    /// - `row`: `recordColumns`, then the place among the versions, which is not read here, and `replaced`.
    static func version(_ row: Row, in bucket: BucketRow) throws -> ObjectVersion {
        let id = VersionID(stored: row[8])
        let replaced = (row[10] as Int64?).map(Instant.init(nanoseconds:))
        guard (row[4] as String?) == nil else {
            return ObjectVersion(content: .object(try record(row, in: bucket)), id: id, replaced: replaced)
        }
        guard let key = try? ObjectKey(row[0] as String) else { throw damaged("a key") }
        let marker = DeleteMarker(key: key, version: id, lastModified: Instant(nanoseconds: row[3]))
        return ObjectVersion(content: .marker(marker), id: id, replaced: replaced)
    }

    /// Takes the latest version of a key out of the way of a new one, in a bucket that keeps versions.
    ///
    /// - Returns: the name for the new one.
    func makeWay(
        for key: ObjectKey,
        in bucket: BucketRow,
        at time: Instant,
        restoring: RestoredVersion? = nil
    ) throws -> VersionID {
        let version = restoring?.id ?? (bucket.versioning == .enabled ? .new(at: time) : .null)
        let now = restoring?.replacement ?? time
        if version == .null, let null = try stored(.null, of: key, in: bucket) { try remove(null) }
        let next = try newestSequence(of: key.text, in: bucket) + 1
        try execute(
            """
            INSERT INTO versions (bucket, key, sequence, replaced, \(Self.contentColumns))
            SELECT bucket, key, ?, ?, \(Self.contentColumns) FROM objects WHERE bucket = ? AND key = ?
            """,
            [next, now.nanoseconds, bucket.id, key.text]
        )
        if database.changesCount > 0 {
            try execute("DELETE FROM objects WHERE bucket = ? AND key = ?", [bucket.id, key.text])
            try count(objects: -1, versions: 1, in: bucket.id)
        } else {
            try execute(
                """
                UPDATE versions INDEXED BY versions_latest SET replaced = ?
                WHERE bucket = ? AND key = ? AND replaced IS NULL
                """,
                [now.nanoseconds, bucket.id, key.text]
            )
        }
        return version
    }

    /// Makes a delete marker the latest version of a key.
    ///
    /// - Returns: its name.
    func addMarker(
        _ key: ObjectKey,
        in bucket: BucketRow,
        at now: Instant,
        restoring: RestoredVersion? = nil
    ) throws -> VersionID {
        let version = try makeWay(for: key, in: bucket, at: now, restoring: restoring)
        try execute(
            """
            INSERT INTO versions (bucket, key, sequence, version, size, etag, modified, content_type, attributes)
            VALUES (?, ?, ?, ?, 0, '', ?, '', '')
            """,
            [
                bucket.id, key.text, try newestSequence(of: key.text, in: bucket) + 1, version.stored,
                now.nanoseconds,
            ]
        )
        try count(versions: 1, in: bucket.id)
        return version
    }

    /// Makes the newest of a key's earlier versions the latest, after that was removed.
    func promoteNewest(of key: String, in bucket: BucketRow) throws {
        let newest = try newestSequence(of: key, in: bucket)
        try execute(
            """
            INSERT INTO objects (bucket, key, \(Self.contentColumns))
            SELECT bucket, key, \(Self.contentColumns) FROM versions
            WHERE bucket = ? AND key = ? AND sequence = ? AND content IS NOT NULL
            """,
            [bucket.id, key, newest]
        )
        if database.changesCount > 0 {
            try execute(
                "DELETE FROM versions WHERE bucket = ? AND key = ? AND sequence = ?",
                [bucket.id, key, newest]
            )
            try count(objects: 1, versions: -1, in: bucket.id)
        } else {
            try execute(
                "UPDATE versions SET replaced = NULL WHERE bucket = ? AND key = ? AND sequence = ?",
                [bucket.id, key, newest]
            )
        }
    }

    /// 0 where the key has no earlier versions.
    private func newestSequence(of key: String, in bucket: BucketRow) throws -> Int64 {
        try row(
            "SELECT sequence FROM versions WHERE bucket = ? AND key = ? ORDER BY sequence DESC LIMIT 1",
            [bucket.id, key]
        )?[0] ?? 0
    }

    /// Replaces what a client said about an object, wherever its row is.
    func setAttributes(_ attributes: ObjectAttributes, of record: ObjectRecord) throws {
        for table in ["objects", "versions"] {
            try execute(
                "UPDATE \(table) SET attributes = ? WHERE content = ?",
                [attributes.text, record.content.text]
            )
        }
    }
}
