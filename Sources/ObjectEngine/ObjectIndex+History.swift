import GRDB
import Model

extension ObjectIndex {
    /// A key's versions and markers behind a place, the oldest first; its latest object where that is on the page.
    struct History: Sendable {
        let versions: [(sequence: Int64, version: ObjectVersion)]
        let latest: ObjectRecord?
        let isComplete: Bool
    }

    /// One page of a key's history, of one moment.
    ///
    /// - `sequence`: 0 for the begin, then that of the last version.
    func history(of key: String, in name: BucketName, after sequence: Int64, limit: Int) throws -> History {
        let bucket = try bucketRow(name)
        let versions = try rows(
            """
            SELECT \(Self.recordColumns), sequence, replaced FROM versions
            WHERE bucket = ? AND key = ? AND sequence > ? ORDER BY sequence LIMIT ?
            """,
            [bucket.id, key, sequence, limit]
        ).map { (sequence: $0[9] as Int64, version: try Self.version($0, in: bucket)) }
        guard versions.count < limit else { return History(versions: versions, latest: nil, isComplete: false) }
        let latest = try row("\(Self.objectColumns) WHERE bucket = ? AND key = ?", [bucket.id, key])
        return History(
            versions: versions, latest: try latest.map { try Self.record($0, in: bucket) }, isComplete: true)
    }

    /// The next key that has an object, a version or a marker.
    ///
    /// - `after`: `nil` for the first one with the prefix.
    func nextKey(in name: BucketName, prefix: String, after: String?) throws -> String? {
        let bucket = try bucketRow(name)
        let (key, relation) = after.map { ($0, ">") } ?? (prefix, ">=")
        let found = try ["objects", "versions"].compactMap { table in
            try row(
                "SELECT key FROM \(table) WHERE bucket = ? AND key \(relation) ? ORDER BY key LIMIT 1",
                [bucket.id, key]
            ).map { $0[0] as String }
        }
        return found.min(by: KeyRange.precedes).flatMap { KeyRange.hasPrefix($0, prefix) ? $0 : nil }
    }
}
