import GRDB
import Model

/// What other clusters have delivered lately: a cluster whose connection broke before the answer sends its result
/// again, and that must neither replace what came after it nor make a second event.
extension ObjectIndex {
    /// So long receipts are kept: a sender is cut off no longer than that, as a rule.
    private static let lifetime = Duration.seconds(30 * 86_400)
    /// So many are kept at most.
    private static let limit: Int64 = 1_000_000

    /// Writes an object that another cluster delivers, once: where it was written before, the new content goes to the
    /// garbage, and there is no event.
    func put(_ object: NewObject, deliveredAs token: DeliveryToken) throws -> ObjectRecord {
        if let record = try receipt(of: token, key: object.key, in: object.bucket) {
            try addGarbage(object.content.text)
            return record
        }
        let record = try put(object)
        try keepReceipt(of: token, key: object.key, in: object.bucket, at: object.time)
        return record
    }

    /// What a delivery became; `nil` where it has not come yet.
    func receipt(of token: DeliveryToken, key: ObjectKey, in bucket: BucketName) throws -> ObjectRecord? {
        let bucket = try bucketRow(bucket)
        return try row(
            "SELECT \(Self.recordColumns) FROM receipts WHERE token = ? AND bucket = ? AND key = ?",
            [token.text, bucket.id, key.text]
        ).map { try Self.record($0, in: bucket) }
    }

    /// Keeps the object of a key, just written, as what a delivery became; forgets old ones.
    func keepReceipt(of token: DeliveryToken, key: ObjectKey, in bucket: BucketName, at now: Instant) throws {
        try execute(
            """
            INSERT INTO receipts (token, bucket, received, \(Self.recordColumns))
            SELECT ?, bucket, ?, \(Self.recordColumns) FROM objects WHERE bucket = ? AND key = ?
            """,
            [token.text, now.nanoseconds, try bucketID(bucket), key.text]
        )
        try forgetOld(in: "receipts", by: "received", keeping: Self.limit, since: now + (.zero - Self.lifetime))
    }
}

extension Schema {
    static let receipts = """
        CREATE TABLE receipts (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            token TEXT NOT NULL,
            bucket INTEGER NOT NULL,
            received INTEGER NOT NULL,
            key TEXT NOT NULL,
            size INTEGER NOT NULL,
            etag TEXT NOT NULL,
            modified INTEGER NOT NULL,
            content TEXT NOT NULL,
            parts INTEGER,
            content_type TEXT NOT NULL,
            attributes TEXT NOT NULL,
            version TEXT NOT NULL,
            UNIQUE (token, bucket, key)
        ) STRICT;
        """
}
