import GRDB
import Model

extension ObjectIndex {
    private static let bucketColumns =
        "SELECT name, owner, created, tags, objects, bytes, versioning, versions FROM buckets"

    /// - Returns: whether it was made now; only then it gets the settings.
    func createBucket(
        _ name: BucketName,
        owner: String,
        tags: [String: String],
        settings: [BucketSetting: String],
        at now: Instant
    ) throws -> Bool {
        try execute(
            "INSERT INTO buckets (name, owner, created, tags) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
            [name.text, owner, now.nanoseconds, JSONValue.map(tags).text()]
        )
        guard database.changesCount > 0 else { return false }
        try checkBucketCount(of: owner)
        if !settings.isEmpty { try set(settings.mapValues(Optional.some), of: name) }
        return true
    }

    /// The bucket's row, as far as its objects are concerned.
    func bucketRow(_ name: BucketName) throws -> BucketRow {
        guard let row = try row("SELECT id, versioning, owner FROM buckets WHERE name = ?", [name.text]) else {
            throw ObjectStoreError.noSuchBucket(name)
        }
        guard let versioning = Versioning(rawValue: row[1]) else { throw Self.damaged("a bucket") }
        return BucketRow(id: row[0], name: name, owner: row[2], versioning: versioning)
    }

    /// The bucket's row number.
    func bucketID(_ name: BucketName) throws -> Int64 { try bucketRow(name).id }

    func bucket(_ name: BucketName) throws -> Bucket? {
        try row("\(Self.bucketColumns) WHERE name = ?", [name.text]).map(Self.bucket)
    }

    func buckets() throws -> [Bucket] { try rows("\(Self.bucketColumns) ORDER BY name", []).map(Self.bucket) }

    func setTags(_ tags: [String: String], of name: BucketName) throws {
        try execute("UPDATE buckets SET tags = ? WHERE name = ?", [JSONValue.map(tags).text(), name.text])
        guard database.changesCount > 0 else { throw ObjectStoreError.noSuchBucket(name) }
    }

    func setOwner(_ owner: String, of name: BucketName) throws {
        try execute("UPDATE buckets SET owner = ? WHERE name = ?", [owner, name.text])
        guard database.changesCount > 0 else { throw ObjectStoreError.noSuchBucket(name) }
    }

    func setVersioning(_ versioning: Versioning, of name: BucketName) throws {
        try execute("UPDATE buckets SET versioning = ? WHERE name = ?", [versioning.rawValue, name.text])
        guard database.changesCount > 0 else { throw ObjectStoreError.noSuchBucket(name) }
    }

    /// Deletes a bucket without objects and versions; unfinished uploads go with it.
    func deleteBucket(_ name: BucketName) throws {
        let id = try bucketID(name)
        guard try !exists("SELECT 1 FROM objects WHERE bucket = ? LIMIT 1", [id]),
            try !exists("SELECT 1 FROM versions WHERE bucket = ? LIMIT 1", [id])
        else {
            throw ObjectStoreError(
                .bucketNotEmpty,
                "the bucket \(name) is not empty; delete its objects, their versions and delete markers first"
            )
        }
        try addDeparture(of: id, name)
        for row in try rows("SELECT id FROM uploads WHERE bucket = ?", [id]) { try removeUpload(row[0]) }
        try execute("DELETE FROM finished_uploads WHERE bucket = ?", [id])
        try execute("DELETE FROM receipts WHERE bucket = ?", [id])
        try execute("DELETE FROM settings WHERE bucket = ?", [id])
        try execute("DELETE FROM buckets WHERE id = ?", [id])
    }

    /// Deletes up to `limit` of a bucket's objects, versions and markers.
    ///
    /// - Returns: how many there were to delete.
    func deleteObjects(of name: BucketName, limit: Int) throws -> Int {
        let bucket = try bucketRow(name)
        var found = try storedVersions(
            "\(Self.storedObject) WHERE bucket = ? LIMIT ?",
            [bucket.id, limit],
            in: bucket
        )
        if found.isEmpty {
            found = try storedVersions(
                "\(Self.storedVersion) WHERE bucket = ? LIMIT ?",
                [bucket.id, limit],
                in: bucket
            )
        }
        for stored in found { try remove(stored) }
        return found.count
    }

    func statistics() throws -> ObjectStoreStatistics {
        let row = try row("SELECT count(*), ifnull(sum(objects), 0), ifnull(sum(bytes), 0) FROM buckets", [])
        guard let row else { throw Self.damaged("numbers") }
        return ObjectStoreStatistics(buckets: row[0], objects: row[1], bytes: row[2])
    }

    private static func bucket(_ row: Row) throws -> Bucket {
        guard let name = try? BucketName(row[0] as String), let versioning = Versioning(rawValue: row[6]),
            let tags = try? JSONValue.parse(row[3] as String).objectValue
        else { throw damaged("a bucket") }
        return Bucket(
            name: name,
            owner: row[1],
            created: Instant(nanoseconds: row[2]),
            tags: Dictionary(tags.members.compactMap { tag in tag.value.stringValue.map { (tag.key, $0) } }) {
                $1
            },
            versioning: versioning,
            objectCount: row[4],
            versionCount: row[7],
            size: ByteCount(row[5])
        )
    }
}

/// A bucket in the index.
struct BucketRow: Sendable {
    let id: Int64
    let name: BucketName
    let owner: String
    let versioning: Versioning
}
