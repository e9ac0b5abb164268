import GRDB
import Model
import S3Wire

/// An upload together with the parts that it is, or was, completed from.
struct FinishedUpload: Sendable {
    let id: String
    let key: ObjectKey
    /// Tells lists of parts apart: a digest of their numbers and ETags.
    let named: String

    init(id: String, key: ObjectKey, parts: [CompletedPart]) {
        (self.id, self.key) = (id, key)
        var digest = Checksum(.sha256)
        for part in parts { digest.update(Array("\(part.number):\(part.eTag)\n".utf8)) }
        named = Hexadecimal.text(digest.value)
    }
}

/// The results of uploads that were completed lately: a client whose connection broke before the answer asks
/// again, and must not be told that its upload does not exist.
extension ObjectIndex {
    /// So long they are kept.
    private static let lifetime = Duration.seconds(86_400)
    /// So many are kept at most.
    private static let limit: Int64 = 10_000

    /// What the upload became; `nil` where it was not completed lately, or from other parts.
    func result(of upload: FinishedUpload, in bucket: BucketName) throws -> ObjectRecord? {
        let bucket = try bucketRow(bucket)
        return try row(
            """
            SELECT \(Self.recordColumns) FROM finished_uploads
            WHERE upload = ? AND bucket = ? AND key = ? AND named = ?
            """,
            [upload.id, bucket.id, upload.key.text, upload.named]
        ).map { try Self.record($0, in: bucket) }
    }

    /// Keeps the object of the upload's key, just written, as its result; forgets old ones.
    func remember(_ upload: FinishedUpload, in bucket: BucketName, at now: Instant) throws {
        let id = try bucketID(bucket)
        try execute(
            """
            INSERT INTO finished_uploads (upload, bucket, finished, named, \(Self.recordColumns))
            SELECT ?, bucket, ?, ?, \(Self.recordColumns) FROM objects WHERE bucket = ? AND key = ?
            """,
            [upload.id, now.nanoseconds, upload.named, id, upload.key.text]
        )
        try forgetOld(in: "finished_uploads", by: "finished", keeping: Self.limit, since: now + (.zero - Self.lifetime))
    }
}
