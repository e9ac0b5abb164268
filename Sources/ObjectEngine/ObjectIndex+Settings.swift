import GRDB
import Model

extension ObjectIndex {
    /// A bucket's owner and settings; `nil` where there is no such bucket.
    func ownerAndSettings(of name: BucketName) throws -> (owner: String, settings: [BucketSetting: String])? {
        guard let bucket = try row("SELECT id, owner FROM buckets WHERE name = ?", [name.text]) else { return nil }
        let id: Int64 = bucket[0]
        var settings: [BucketSetting: String] = [:]
        for row in try rows("SELECT kind, document FROM settings WHERE bucket = ?", [id]) {
            // One that a later version wrote is none of ours.
            guard let kind = BucketSetting(rawValue: row[0]) else { continue }
            settings[kind] = row[1]
        }
        return (bucket[1], settings)
    }

    /// Writes settings, or removes those whose document is `nil`.
    func set(_ documents: [BucketSetting: String?], of name: BucketName) throws {
        let id = try bucketID(name)
        for (kind, document) in documents {
            if let document {
                try execute(
                    "INSERT OR REPLACE INTO settings (bucket, kind, document) VALUES (?, ?, ?)",
                    [id, kind.rawValue, document]
                )
            } else {
                try execute("DELETE FROM settings WHERE bucket = ? AND kind = ?", [id, kind.rawValue])
            }
        }
    }

    /// The buckets that have such a setting, ordered by name, with its document.
    func documents(_ kind: BucketSetting) throws -> [(bucket: BucketName, document: String)] {
        try rows(
            """
            SELECT name, document FROM settings JOIN buckets ON buckets.id = settings.bucket WHERE kind = ?
            ORDER BY name
            """,
            [kind.rawValue]
        ).map { row in
            guard let name = try? BucketName(row[0] as String) else { throw Self.damaged("a bucket") }
            return (name, row[1])
        }
    }
}
