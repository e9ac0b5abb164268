import GRDB
import Model
import S3Wire

/// An object that is to be, with all that its transaction writes.
struct NewObject: Sendable {
    var bucket: BucketName
    var key: ObjectKey
    var size: ByteCount
    var eTag: String
    var attributes: ObjectAttributes
    var content: ContentID
    var partCount: Int?
    var time: Instant
    var condition: WriteCondition
    var cause: ObjectEvent.Cause
    var origin: RequestOrigin
    /// The version that an import brings back; only in a bucket that keeps versions.
    var restoring: RestoredVersion?
}

extension ObjectIndex {
    /// What an object and an earlier version of one have in common, but for the key.
    static let contentColumns = "size, etag, modified, content, parts, content_type, attributes, version"
    /// In the order in which `record` reads them.
    static let recordColumns = "key, \(contentColumns)"
    static let objectColumns = "SELECT \(recordColumns) FROM objects"

    /// Writes the object and its event; what it replaces goes to the garbage, or to the versions.
    func put(_ object: NewObject) throws -> ObjectRecord {
        let bucket = try bucketRow(object.bucket)
        let existing = try row(
            "SELECT size, etag, content FROM objects WHERE bucket = ? AND key = ?",
            [bucket.id, object.key.text]
        )
        try object.condition.check(existing.map { (eTag: $0[1], content: $0[2]) })
        let isVersioned = bucket.versioning != .off
        let replaced = isVersioned ? nil : existing
        let version =
            isVersioned
            ? try makeWay(for: object.key, in: bucket, at: object.time, restoring: object.restoring) : nil
        try execute(
            """
            INSERT INTO objects (bucket, \(Self.recordColumns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (bucket, key) DO UPDATE SET size = excluded.size, etag = excluded.etag,
                modified = excluded.modified, content = excluded.content, parts = excluded.parts,
                content_type = excluded.content_type, attributes = excluded.attributes,
                version = excluded.version
            """,
            [
                bucket.id, object.key.text, object.size.bytes, object.eTag, object.time.nanoseconds,
                object.content.text, object.partCount, object.attributes.contentType, object.attributes.text,
                version?.stored ?? "",
            ]
        )
        if let content: String = replaced.map({ $0[2] }) { try addGarbage(content) }
        let growth = object.size.bytes - (replaced.map { $0[0] } ?? 0)
        try count(objects: replaced == nil ? 1 : 0, bytes: growth, in: bucket.id)
        // What makes the bucket no larger is let through also where it holds too much already.
        if growth > 0 { try checkRoom(in: bucket) }
        try addEvent(for: object)
        return ObjectRecord(
            bucket: object.bucket,
            key: object.key,
            size: object.size,
            eTag: object.eTag,
            lastModified: object.time,
            attributes: object.attributes,
            content: object.content,
            partCount: object.partCount,
            version: version
        )
    }

    func object(_ key: ObjectKey, in bucket: BucketName) throws -> ObjectRecord? {
        try object(key, in: bucketRow(bucket))
    }

    func object(_ key: ObjectKey, in bucket: BucketRow) throws -> ObjectRecord? {
        try row("\(Self.objectColumns) WHERE bucket = ? AND key = ?", [bucket.id, key.text])
            .map { try Self.record($0, in: bucket) }
    }

    /// The parts of a multipart object's content, in order; empty for content that is one file.
    func pieces(of content: ContentID) throws -> [ContentPiece] {
        let sql =
            "SELECT pieces.file, start, size, xxh64 FROM pieces LEFT JOIN checks ON checks.file = pieces.file "
            + "WHERE content = ? ORDER BY number"
        return try rows(sql, [content.text]).map { row in
            let start: Int64 = row[1]
            let size: Int64 = row[2]
            let check = (row[3] as Int64?).map(Self.check)
            return ContentPiece(file: try Self.contentID(row[0]), range: start..<start + size, check: check)
        }
    }

    func objectParts(of content: ContentID, after number: Int, limit: Int) throws -> [ObjectPart] {
        try rows(
            "SELECT number, size, checksums FROM pieces WHERE content = ? AND number > ? ORDER BY number LIMIT ?",
            [content.text, number, max(0, limit)]
        ).map { row in
            ObjectPart(
                number: row[0],
                size: ByteCount(row[1]),
                checksums: try ObjectAttributes(contentType: "", text: row[2]).checksums
            )
        }
    }

    /// Whether an object or an earlier version of one has that content.
    func isInUse(_ content: ContentID) throws -> Bool {
        try exists("SELECT 1 FROM objects WHERE content = ?", [content.text])
            || exists("SELECT 1 FROM versions WHERE content = ?", [content.text])
    }

    /// Whether an object, a part of one or a part of an upload lies in that file.
    func isKnown(_ content: ContentID) throws -> Bool {
        try isInUse(content)
            || exists("SELECT 1 FROM parts WHERE content = ?", [content.text])
            || exists("SELECT 1 FROM pieces WHERE file = ?", [content.text])
    }

    static func record(_ row: Row, in bucket: BucketRow) throws -> ObjectRecord {
        guard let key = try? ObjectKey(row[0] as String) else { throw damaged("a key") }
        let version: String = row[8]
        return ObjectRecord(
            bucket: bucket.name,
            key: key,
            size: ByteCount(row[1]),
            eTag: row[2],
            lastModified: Instant(nanoseconds: row[3]),
            attributes: try ObjectAttributes(contentType: row[6], text: row[7]),
            content: try contentID(row[4]),
            partCount: row[5],
            version: version.isEmpty && bucket.versioning == .off ? nil : VersionID(stored: version)
        )
    }

    /// Keeps up what a bucket holds.
    ///
    /// - `versions`: earlier versions and delete markers.
    func count(objects: Int = 0, versions: Int = 0, bytes: Int64 = 0, in bucket: Int64) throws {
        try execute(
            "UPDATE buckets SET objects = objects + ?, versions = versions + ?, bytes = bytes + ? WHERE id = ?",
            [objects, versions, bytes, bucket]
        )
    }
}

extension WriteCondition {
    /// - `existing`: what is there; `nil` for nothing.
    ///
    /// - Throws: `preconditionFailed`, `noSuchKey`.
    func check(_ existing: (eTag: String, content: String?)?) throws(ObjectStoreError) {
        switch self {
        case .none:
            return
        case .ifAbsent:
            guard existing == nil else {
                throw ObjectStoreError(.preconditionFailed, "an object of that key exists already")
            }
        case .ifMatches(let eTags):
            guard let existing else { throw ObjectStoreError(.noSuchKey, "no object of that key exists") }
            guard eTags.contains(where: { $0 == "*" || $0 == existing.eTag }) else {
                throw ObjectStoreError(.preconditionFailed, "the object of that key has another ETag")
            }
        case .ifUnchanged(let content):
            guard let existing, existing.content == content?.text else {
                throw ObjectStoreError(.preconditionFailed, "another object has that key now")
            }
        }
    }
}

/// A file that holds a range of an object's content.
struct ContentPiece: Sendable, Hashable {
    let file: ContentID
    /// Place in the object, in bytes.
    let range: Range<Int64>
    /// `nil` for files of stores that kept none.
    let check: UInt64?
}
