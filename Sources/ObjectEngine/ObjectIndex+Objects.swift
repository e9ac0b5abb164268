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
}

extension ObjectIndex {
    static let objectColumns =
        "SELECT key, size, etag, modified, content, parts, content_type, attributes FROM objects"

    /// Writes the object, its event, and what it replaces to the garbage.
    func put(_ object: NewObject) throws -> ObjectRecord {
        let bucket = try bucketID(object.bucket)
        let existing = try row(
            "SELECT size, etag, content FROM objects WHERE bucket = ? AND key = ?",
            [bucket, object.key.text]
        )
        try Self.check(object.condition, existing: existing.map { $0[1] })
        try execute(
            """
            INSERT INTO objects (bucket, key, size, etag, modified, content, parts, content_type, attributes)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (bucket, key) DO UPDATE SET size = excluded.size, etag = excluded.etag,
                modified = excluded.modified, content = excluded.content, parts = excluded.parts,
                content_type = excluded.content_type, attributes = excluded.attributes
            """,
            [
                bucket, object.key.text, object.size.bytes, object.eTag, object.time.nanoseconds,
                object.content.text,
                object.partCount, object.attributes.contentType, object.attributes.text,
            ]
        )
        let replacedSize: Int64 = existing.map { $0[0] } ?? 0
        if let replaced: String = existing.map({ $0[2] }) { try addGarbage(replaced) }
        try count(objects: existing == nil ? 1 : 0, bytes: object.size.bytes - replacedSize, in: bucket)
        try addEvent(for: object)
        return ObjectRecord(
            bucket: object.bucket,
            key: object.key,
            size: object.size,
            eTag: object.eTag,
            lastModified: object.time,
            attributes: object.attributes,
            content: object.content,
            partCount: object.partCount
        )
    }

    func object(_ key: ObjectKey, in bucket: BucketName) throws -> ObjectRecord? {
        let id = try bucketID(bucket)
        return try row("\(Self.objectColumns) WHERE bucket = ? AND key = ?", [id, key.text])
            .map { try Self.record($0, in: bucket) }
    }

    /// - Returns: whether there was one.
    func delete(_ key: ObjectKey, from bucket: Int64) throws -> Bool {
        let found = try row(
            "SELECT size, content FROM objects WHERE bucket = ? AND key = ?",
            [bucket, key.text]
        )
        guard let found else { return false }
        try remove(key.text, size: found[0], content: found[1], from: bucket)
        return true
    }

    func remove(_ key: String, size: Int64, content: String, from bucket: Int64) throws {
        try execute("DELETE FROM objects WHERE bucket = ? AND key = ?", [bucket, key])
        try addGarbage(content)
        try count(objects: -1, bytes: -size, in: bucket)
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

    /// Whether an object, a part of one or a part of an upload lies in that file.
    func isKnown(_ content: ContentID) throws -> Bool {
        try exists("SELECT 1 FROM objects WHERE content = ?", [content.text])
            || exists("SELECT 1 FROM parts WHERE content = ?", [content.text])
            || exists("SELECT 1 FROM pieces WHERE file = ?", [content.text])
    }

    static func record(_ row: Row, in bucket: BucketName) throws -> ObjectRecord {
        guard let key = try? ObjectKey(row[0] as String) else { throw damaged("a key") }
        return ObjectRecord(
            bucket: bucket,
            key: key,
            size: ByteCount(row[1]),
            eTag: row[2],
            lastModified: Instant(nanoseconds: row[3]),
            attributes: try ObjectAttributes(contentType: row[6], text: row[7]),
            content: try contentID(row[4]),
            partCount: row[5]
        )
    }

    private func count(objects: Int, bytes: Int64, in bucket: Int64) throws {
        try execute(
            "UPDATE buckets SET objects = objects + ?, bytes = bytes + ? WHERE id = ?",
            [objects, bytes, bucket]
        )
    }

    private static func check(_ condition: WriteCondition, existing eTag: String?) throws(ObjectStoreError) {
        switch condition {
        case .none:
            return
        case .ifAbsent:
            guard eTag == nil else {
                throw ObjectStoreError(.preconditionFailed, "an object of that key exists already")
            }
        case .ifMatches(let eTags):
            guard let eTag else {
                throw ObjectStoreError(.noSuchKey, "no object of that key exists to be replaced")
            }
            guard eTags.contains(where: { $0 == "*" || $0 == eTag }) else {
                throw ObjectStoreError(.preconditionFailed, "the object of that key has another ETag")
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
