import GRDB
import Model

extension ObjectIndex {
    /// One page of a bucket's objects.
    ///
    /// Costs one look-up in the index for the page and one for each common prefix on it, however many keys
    /// lie behind them.
    func list(
        _ bucket: BucketName,
        prefix: String,
        delimiter: String?,
        after: String?,
        limit: Int
    ) throws -> Listing {
        let bucket = try bucketRow(bucket)
        guard limit > 0 else {
            return Listing(objects: [], commonPrefixes: [], isTruncated: false, next: nil)
        }
        var page = ListingPage<ObjectRecord>(limit: limit)
        var seek = Seek(prefix: prefix, delimiter: delimiter, after: after)
        search: while let from = seek.from {
            let rows = try cursor(bucket.id, from: from, until: seek.end)
            while let row = try rows.next() {
                let key: String = row[0]
                guard let common = seek.commonPrefix(of: key) else {
                    guard try page.add(Self.record(row, in: bucket)) else { break search }
                    continue
                }
                guard page.add(commonPrefix: common) else { break search }
                seek.skip(common)
                continue search
            }
            break
        }
        return Listing(
            objects: page.entries,
            commonPrefixes: page.commonPrefixes,
            isTruncated: page.isTruncated,
            next: page.last.flatMap { $0.commonPrefix ?? $0.entry?.key.text }
        )
    }

    func cursor(_ bucket: Int64, from: Seek.Start, until end: String?) throws -> RowCursor {
        var sql = "\(Self.objectColumns) WHERE bucket = ? AND key \(from.isExclusive ? ">" : ">=") ?"
        var arguments: StatementArguments = [bucket, from.key]
        if let end {
            sql += " AND key < ?"
            arguments += [end]
        }
        return try Row.fetchCursor(database.cachedStatement(sql: sql + " ORDER BY key"), arguments: arguments)
    }
}

/// Where a listing goes on in the index.
struct Seek {
    struct Start {
        let key: String
        let isExclusive: Bool
    }

    private let prefix: String
    private let delimiter: String?
    /// Keys from here on do not have the prefix; `nil` where all later keys have it.
    let end: String?
    /// `nil` where nothing can follow.
    private(set) var from: Start?

    init(prefix: String, delimiter: String?, after: String?) {
        self.prefix = prefix
        self.delimiter = delimiter
        end = KeyRange.end(ofPrefix: prefix)
        from = Start(key: prefix, isExclusive: false)
        guard let after, KeyRange.precedes(prefix, after) || KeyRange.areEqual(prefix, after) else { return }
        from = Start(key: after, isExclusive: true)
        // A page that ended with a common prefix goes on behind all its keys.
        guard KeyRange.hasPrefix(after, prefix), let common = commonPrefix(of: after),
            KeyRange.areEqual(common, after)
        else { return }
        skip(common)
    }

    func commonPrefix(of key: String) -> String? {
        delimiter.flatMap { KeyRange.commonPrefix(of: key, prefix: prefix, delimiter: $0) }
    }

    /// Goes on behind all keys with that prefix.
    mutating func skip(_ common: String) {
        from = KeyRange.end(ofPrefix: common).map { Start(key: $0, isExclusive: false) }
    }
}
