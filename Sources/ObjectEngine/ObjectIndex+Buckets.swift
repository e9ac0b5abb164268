import GRDB
import Model

extension ObjectIndex {
    private static let bucketColumns = "SELECT name, owner, created, tags, objects, bytes FROM buckets"

    /// - Returns: whether it was made now.
    func createBucket(_ name: BucketName, owner: String, tags: [String: String], at now: Instant) throws
        -> Bool
    {
        try execute(
            "INSERT INTO buckets (name, owner, created, tags) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
            [name.text, owner, now.nanoseconds, JSONValue.map(tags).text()]
        )
        return database.changesCount > 0
    }

    /// The bucket's row number.
    func bucketID(_ name: BucketName) throws -> Int64 {
        guard let row = try row("SELECT id FROM buckets WHERE name = ?", [name.text]) else {
            throw ObjectStoreError.noSuchBucket(name)
        }
        return row[0]
    }

    func bucket(_ name: BucketName) throws -> Bucket? {
        try row("\(Self.bucketColumns) WHERE name = ?", [name.text]).map(Self.bucket)
    }

    func buckets() throws -> [Bucket] { try rows("\(Self.bucketColumns) ORDER BY name", []).map(Self.bucket) }

    func setTags(_ tags: [String: String], of name: BucketName) throws {
        try execute("UPDATE buckets SET tags = ? WHERE name = ?", [JSONValue.map(tags).text(), name.text])
        guard database.changesCount > 0 else { throw ObjectStoreError.noSuchBucket(name) }
    }

    /// Deletes a bucket without objects; unfinished uploads go with it.
    func deleteBucket(_ name: BucketName) throws {
        let id = try bucketID(name)
        guard try !exists("SELECT 1 FROM objects WHERE bucket = ? LIMIT 1", [id]) else {
            throw ObjectStoreError(
                .bucketNotEmpty,
                "the bucket \(name) is not empty; delete its objects first"
            )
        }
        for row in try rows("SELECT id FROM uploads WHERE bucket = ?", [id]) { try removeUpload(row[0]) }
        try execute("DELETE FROM settings WHERE bucket = ?", [id])
        try execute("DELETE FROM buckets WHERE id = ?", [id])
    }

    /// Deletes up to `limit` of a bucket's objects.
    ///
    /// - Returns: how many there were to delete.
    func deleteObjects(of name: BucketName, limit: Int) throws -> Int {
        let id = try bucketID(name)
        let found = try rows("SELECT key, size, content FROM objects WHERE bucket = ? LIMIT ?", [id, limit])
        for row in found { try remove(row[0], size: row[1], content: row[2], from: id) }
        return found.count
    }

    func statistics() throws -> ObjectStoreStatistics {
        let row = try row("SELECT count(*), ifnull(sum(objects), 0), ifnull(sum(bytes), 0) FROM buckets", [])
        guard let row else { throw Self.damaged("numbers") }
        return ObjectStoreStatistics(buckets: row[0], objects: row[1], bytes: row[2])
    }

    private static func bucket(_ row: Row) throws -> Bucket {
        guard let name = try? BucketName(row[0] as String),
            let tags = try? JSONValue.parse(row[3] as String).objectValue
        else { throw damaged("a bucket") }
        return Bucket(
            name: name,
            owner: row[1],
            created: Instant(nanoseconds: row[2]),
            tags: Dictionary(tags.members.compactMap { tag in tag.value.stringValue.map { (tag.key, $0) } }) {
                $1
            },
            objectCount: row[4],
            size: ByteCount(row[5])
        )
    }
}
