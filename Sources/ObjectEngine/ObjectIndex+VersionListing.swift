import GRDB
import Model

extension ObjectIndex {
    /// Where a listing of versions goes on: behind a version of a key, or behind all of them.
    struct VersionPlace: Sendable {
        let key: String
        let version: VersionID?
    }

    /// The place of an object's row before those of its key's earlier versions.
    private static let placeOfObject = Int64.max

    /// One page of a bucket's versions, the newest of each key first.
    ///
    /// Costs as much as a page of `list`, however many versions lie before it.
    func listVersions(
        _ name: BucketName,
        prefix: String,
        delimiter: String?,
        after: VersionPlace?,
        limit: Int
    ) throws -> VersionListing {
        let bucket = try bucketRow(name)
        var page = ListingPage<ObjectVersion>(limit: limit)
        guard limit > 0 else { return VersionListing(page) }
        var seek = Seek(prefix: prefix, delimiter: delimiter, after: after?.key)
        if let after, let version = after.version, KeyRange.hasPrefix(after.key, prefix),
            seek.commonPrefix(of: after.key) == nil
        {
            guard try add(versionsOf: after.key, behind: version, in: bucket, to: &page) else {
                return VersionListing(page)
            }
        }
        search: while let from = seek.from {
            let rows = try versions(in: bucket, from: from, until: seek.end)
            while let row = try rows.next() {
                guard let common = seek.commonPrefix(of: row[0]) else {
                    guard try page.add(Self.version(row, in: bucket)) else { break search }
                    continue
                }
                guard page.add(commonPrefix: common) else { break search }
                seek.skip(common)
                continue search
            }
            break
        }
        return VersionListing(page)
    }

    /// Adds the versions of the key that the last page ended with.
    ///
    /// - Returns: `false` where the page was full before the last of them.
    private func add(
        versionsOf key: String,
        behind version: VersionID,
        in bucket: BucketRow,
        to page: inout ListingPage<ObjectVersion>
    ) throws -> Bool {
        let place = try place(of: version, key: key, in: bucket)
        let rows =
            if let place {
                try Row.fetchCursor(
                    database.cachedStatement(
                        sql: """
                            SELECT \(Self.recordColumns), sequence, replaced FROM versions
                            WHERE bucket = ? AND key = ? AND sequence < ? ORDER BY sequence DESC
                            """
                    ),
                    arguments: [bucket.id, key, place]
                )
            } else {
                try versions(where: "bucket = ? AND key = ?", [bucket.id, key])
            }
        while let row = try rows.next() {
            let found = try Self.version(row, in: bucket)
            // The version that the last page ended with may have been deleted since.
            guard place != nil || Self.isOlder(found, than: version) else { continue }
            guard page.add(found) else { return false }
        }
        return true
    }

    /// Where a version stands among those of its key; `nil` where there is none of that name.
    private func place(of version: VersionID, key: String, in bucket: BucketRow) throws -> Int64? {
        let clause = "WHERE bucket = ? AND key = ? AND version = ?"
        let arguments: StatementArguments = [bucket.id, key, version.stored]
        if try exists("SELECT 1 FROM objects \(clause)", arguments) { return Self.placeOfObject }
        return try row("SELECT sequence FROM versions \(clause)", arguments)?[0]
    }

    /// Whether a version came before one that is not there any more, as far as names and times tell; in
    /// doubt it did: listing a version twice is better than leaving it out.
    private static func isOlder(_ version: ObjectVersion, than gone: VersionID) -> Bool {
        guard gone != .null, version.id != .null else { return true }
        return version.id.text < gone.text
    }

    private func versions(in bucket: BucketRow, from: Seek.Start, until end: String?) throws -> RowCursor {
        let clause = "bucket = ? AND key \(from.isExclusive ? ">" : ">=") ?"
        guard let end else { return try versions(where: clause, [bucket.id, from.key]) }
        return try versions(where: "\(clause) AND key < ?", [bucket.id, from.key, end])
    }

    /// Rows as `version` reads them, in the order of a list.
    private func versions(where clause: String, _ arguments: StatementArguments) throws -> RowCursor {
        let sql = """
            SELECT \(Self.recordColumns), \(Self.placeOfObject) AS place, NULL AS replaced FROM objects WHERE \(clause)
            UNION ALL
            SELECT \(Self.recordColumns), sequence AS place, replaced FROM versions WHERE \(clause)
            ORDER BY key, place DESC
            """
        return try Row.fetchCursor(database.cachedStatement(sql: sql), arguments: arguments + arguments)
    }
}

extension VersionListing {
    fileprivate init(_ page: ListingPage<ObjectVersion>) {
        self.init(
            versions: page.entries,
            commonPrefixes: page.commonPrefixes,
            isTruncated: page.isTruncated,
            nextKey: page.last.flatMap { $0.commonPrefix ?? $0.entry?.key.text },
            nextVersion: page.last?.entry?.id
        )
    }
}
