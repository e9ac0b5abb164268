import GRDB
import Model
import NIOCore

/// What is verified without reading content files.
extension StoreVerifier {
    /// Compares the contents in the index with their checks.
    func verifySmallContents(after start: Int64) async throws(ObjectStoreError) {
        var last = start
        while true {
            let from = last
            let page = try await access.read { index in
                let rows = try index.rows(
                    "SELECT rowid, content, xxh64, bytes FROM small_contents WHERE rowid > ? ORDER BY rowid LIMIT 200",
                    [from]
                )
                return try rows.map { row in
                    (
                        row: row[0] as Int64, content: row[1] as String, check: ObjectIndex.check(row[2]),
                        bytes: try ObjectIndex.buffer(row, 3)
                    )
                }
            }
            guard let end = page.last else { return }
            last = end.row
            count { $0.smallContents += page.count }
            advanced("small content")
            for small in page where small.bytes.withUnsafeReadableBytes({ ContentCheck.of($0) }) != small.check {
                try await foundDamage(in: small.content, small.bytes)
            }
            try await reached(.init(step: Phase.smallContents.rawValue, last: String(last)))
        }
    }

    private func foundDamage(in content: String, _ bytes: ByteBuffer) async throws(ObjectStoreError) {
        let owner = try await access.read { index in
            try index.row(
                """
                SELECT name, key FROM objects JOIN buckets ON id = bucket WHERE content = ?1
                UNION ALL SELECT name, key FROM versions JOIN buckets ON id = bucket WHERE content = ?1
                """,
                [content]
            )
            .map { (bucket: $0[0] as String, key: $0[1] as String) }
        }
        var finding = StoreFinding(
            kind: .wrongBytes,
            bucket: owner?.bucket,
            key: owner?.key,
            content: content,
            detail: "the bytes in the index are not those that were written"
        )
        if access.isExclusive { finding.repair = try await quarantine.keep(bytes, as: content, finding) }
        try await found(finding)
    }

    /// Looks for rows that belong to nothing.
    func verifyRows() async throws(ObjectStoreError) {
        advanced("rows")
        for orphans in Self.orphans {
            // Few, if any: it takes an error of the program to make one.
            let rows = try await access.read { index in
                try String.fetchAll(index.database, sql: "\(orphans.select) LIMIT 1000")
            }
            for name in rows {
                var finding = StoreFinding(kind: .unknownRow, content: name, detail: orphans.detail)
                if access.isExclusive { finding.repair = try await remove(name, orphans, finding) }
                try await found(finding)
            }
        }
    }

    private func remove(
        _ name: String,
        _ orphans: Orphans,
        _ finding: StoreFinding
    ) async throws(ObjectStoreError) -> String {
        if orphans.hasBytes, let content = ContentID(name),
            let small = try await access.read({ try $0.smallContent(content) })
        {
            _ = try await quarantine.keep(small.bytes, as: name, finding)
        }
        try await access.write { try $0.execute(orphans.delete, [name]) }
        return orphans.hasBytes ? "moved to quarantine" : "row removed"
    }

    private struct Orphans {
        let select: String
        let delete: String
        let detail: String
        var hasBytes = false
    }

    private static let orphans = [
        Orphans(
            select: """
                SELECT DISTINCT content FROM pieces WHERE NOT EXISTS
                    (SELECT 1 FROM objects WHERE objects.content = pieces.content)
                AND NOT EXISTS (SELECT 1 FROM versions WHERE versions.content = pieces.content)
                AND NOT EXISTS (SELECT 1 FROM garbage WHERE garbage.content = pieces.content)
                """,
            delete: "DELETE FROM pieces WHERE content = ?",
            detail: "pieces of an object that is not there"
        ),
        Orphans(
            select: """
                SELECT content FROM small_contents WHERE NOT EXISTS
                    (SELECT 1 FROM objects WHERE objects.content = small_contents.content)
                AND NOT EXISTS (SELECT 1 FROM versions WHERE versions.content = small_contents.content)
                """,
            delete: "DELETE FROM small_contents WHERE content = ?",
            detail: "bytes of an object that is not there",
            hasBytes: true
        ),
        Orphans(
            select: """
                SELECT file FROM checks WHERE NOT EXISTS (SELECT 1 FROM objects WHERE content = file)
                AND NOT EXISTS (SELECT 1 FROM versions WHERE content = checks.file)
                AND NOT EXISTS (SELECT 1 FROM pieces WHERE pieces.file = checks.file)
                AND NOT EXISTS (SELECT 1 FROM parts WHERE content = checks.file)
                AND NOT EXISTS (SELECT 1 FROM garbage WHERE content = checks.file)
                """,
            delete: "DELETE FROM checks WHERE file = ?",
            detail: "the check of a file that nothing uses"
        ),
    ]

    /// Looks for files in place that the index does not know.
    func verifyFolders(after last: Int) async throws(ObjectStoreError) {
        let files = access.files
        for folder in 0..<256 where folder > last {
            advanced("folders")
            let names = try await files.run { () throws(ObjectStoreError) in try files.contentNames(folder) }
            for name in names {
                guard let id = ContentID(name) else {
                    try await found(
                        StoreFinding(
                            kind: .unknownFile,
                            content: name,
                            detail: "a file in content/ whose name is none of the store's"
                        )
                    )
                    continue
                }
                if try await isKnown(id) { continue }
                var finding = StoreFinding(kind: .unknownFile, content: name, detail: "no object has this content")
                if access.isExclusive { finding.repair = try await quarantine.take(id, finding) }
                try await found(finding)
            }
            try await reached(.init(step: Phase.folders.rawValue, last: String(folder)))
        }
    }

    private func isKnown(_ id: ContentID) async throws(ObjectStoreError) -> Bool {
        let isListed: @Sendable (ObjectIndex) throws -> Bool = { index in
            try index.isKnown(id) || index.exists("SELECT 1 FROM garbage WHERE content = ?", [id.text])
            // A piece of garbage is known by its row until that goes with it.
        }
        if try await access.read(isListed) { return true }
        // Content waits for its row under two names; and where the row came meanwhile, it is there now.
        let files = access.files
        let waits = try await files.run { () throws(ObjectStoreError) in try files.isStaged(id) }
        if waits { return true }
        if try await access.read(isListed) { return true }
        return try await !files.run { () throws(ObjectStoreError) in try files.isInPlace(id) }
    }

    /// Compares the buckets' numbers with their objects and versions.
    func verifyCounts() async throws(ObjectStoreError) {
        let names = try await access.read { index in
            try String.fetchAll(index.database, sql: "SELECT name FROM buckets ORDER BY name")
        }
        for name in names {
            advanced("buckets")
            guard let (kept, counted) = try await access.read({ try $0.numbers(of: name) }), kept != counted else {
                continue
            }
            var finding = StoreFinding(kind: .wrongCount, bucket: name, detail: "kept: \(kept); there are \(counted)")
            if access.isExclusive {
                try await access.write { index in
                    try index.execute(
                        "UPDATE buckets SET objects = ?, versions = ?, bytes = ?, pending = ? WHERE name = ?",
                        [counted.objects, counted.versions, counted.bytes, counted.pending, name]
                    )
                }
                finding.repair = "counted anew"
            }
            try await found(finding)
        }
    }
}

/// What a bucket holds.
private struct BucketNumbers: Sendable, Equatable, CustomStringConvertible {
    let objects: Int64
    /// Earlier versions and delete markers.
    let versions: Int64
    let bytes: Int64
    /// In parts of unfinished uploads.
    let pending: Int64

    var description: String {
        "\(objects) objects and \(versions) versions of \(bytes) bytes, \(pending) bytes in unfinished uploads"
    }
}

extension ObjectIndex {
    /// A bucket's numbers as they are kept and as they are; `nil` where the bucket is gone.
    fileprivate func numbers(of name: String) throws -> (kept: BucketNumbers, counted: BucketNumbers)? {
        try row(
            """
            SELECT objects, versions, bytes,
                (SELECT count(*) FROM objects WHERE bucket = id), (SELECT count(*) FROM versions WHERE bucket = id),
                (SELECT ifnull(sum(size), 0) FROM objects WHERE bucket = id)
                    + (SELECT ifnull(sum(size), 0) FROM versions WHERE bucket = id),
                pending,
                (SELECT ifnull(sum(size), 0) FROM parts JOIN uploads ON uploads.id = parts.upload
                    WHERE uploads.bucket = buckets.id)
            FROM buckets WHERE name = ?
            """,
            [name]
        ).map { row in
            (
                kept: BucketNumbers(objects: row[0], versions: row[1], bytes: row[2], pending: row[6]),
                counted: BucketNumbers(objects: row[3], versions: row[4], bytes: row[5], pending: row[7])
            )
        }
    }
}
