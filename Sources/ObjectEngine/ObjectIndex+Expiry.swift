import GRDB
import Model

extension ObjectIndex {
    /// Versions and markers that something newer replaced before an instant, out of `limit`.
    func noncurrentVersions(
        in name: BucketName,
        prefix: String,
        replacedBefore limitingInstant: Instant,
        after: NoncurrentPlace?,
        limit: Int
    ) throws -> ExpiryPage<NoncurrentVersion, NoncurrentPlace> {
        let bucket = try bucketRow(name)
        var items: [NoncurrentVersion] = []
        var steps = Steps<NoncurrentPlace>(limit: limit)
        var (lastKey, noncurrent) = (after?.key, after?.noncurrent ?? 0)
        let rows = try noncurrentRows(in: bucket, prefix: prefix, after: after, limit: max(1, limit) + 1)
        for row in rows {
            let key: String = row[0]
            if lastKey.map({ KeyRange.areEqual($0, key) }) != true { (lastKey, noncurrent) = (key, 0) }
            let newer = noncurrent
            let version = try Self.version(row, in: bucket)
            if version.replaced != nil { noncurrent += 1 }
            guard steps.take(NoncurrentPlace(key: key, sequence: row[9], noncurrent: noncurrent)) else { break }
            guard let replaced = version.replaced, replaced < limitingInstant else { continue }
            items.append(NoncurrentVersion(version: version, since: replaced, newerNoncurrent: newer))
        }
        return ExpiryPage(items: items, next: steps.next)
    }

    private func noncurrentRows(
        in bucket: BucketRow,
        prefix: String,
        after: NoncurrentPlace?,
        limit: Int
    ) throws -> [Row] {
        let columns = "SELECT \(Self.recordColumns), sequence, replaced FROM versions WHERE bucket = ?"
        var found: [Row] = []
        if let after {
            found = try rows(
                "\(columns) AND key = ? AND sequence < ? ORDER BY sequence DESC LIMIT ?",
                [bucket.id, after.key, after.sequence, limit]
            )
        }
        let seek = Seek(prefix: prefix, delimiter: nil, after: after?.key)
        guard found.count < limit, let from = seek.from else { return found }
        var sql = "\(columns) AND key \(from.isExclusive ? ">" : ">=") ?"
        var arguments: StatementArguments = [bucket.id, from.key]
        if let end = seek.end {
            sql += " AND key < ?"
            arguments += [end]
        }
        arguments += [limit - found.count]
        return found + (try rows("\(sql) ORDER BY key, sequence DESC LIMIT ?", arguments))
    }

    /// Delete markers that are all that is left of their keys, out of `limit` that are the latest of theirs.
    func lonelyMarkers(
        in name: BucketName,
        prefix: String,
        after: String?,
        limit: Int
    ) throws -> ExpiryPage<ObjectVersion, String> {
        let bucket = try bucketRow(name)
        let seek = Seek(prefix: prefix, delimiter: nil, after: after)
        guard let from = seek.from else { return ExpiryPage(items: [], next: nil) }
        var sql = """
            SELECT \(Self.recordColumns), sequence, replaced,
                EXISTS (SELECT 1 FROM versions AS other WHERE other.bucket = versions.bucket
                    AND other.key = versions.key AND other.sequence < versions.sequence)
            FROM versions INDEXED BY versions_latest
            WHERE bucket = ? AND replaced IS NULL AND key \(from.isExclusive ? ">" : ">=") ?
            """
        var arguments: StatementArguments = [bucket.id, from.key]
        if let end = seek.end {
            sql += " AND key < ?"
            arguments += [end]
        }
        arguments += [max(1, limit) + 1]
        var items: [ObjectVersion] = []
        var steps = Steps<String>(limit: limit)
        for row in try rows("\(sql) ORDER BY key LIMIT ?", arguments) {
            guard steps.take(row[0]) else { break }
            if !(row[11] as Bool) { items.append(try Self.version(row, in: bucket)) }
        }
        return ExpiryPage(items: items, next: steps.next)
    }
}

/// The steps of a walk, which ends before it has taken too many.
private struct Steps<Place> {
    private let limit: Int
    private var count = 0
    private var last: Place?
    /// Where to go on; `nil` where nothing was left.
    private(set) var next: Place?

    init(limit: Int) { self.limit = max(1, limit) }

    /// - Returns: `false` where that is for the next walk.
    mutating func take(_ place: Place) -> Bool {
        guard count < limit else {
            next = last
            return false
        }
        count += 1
        last = place
        return true
    }
}
