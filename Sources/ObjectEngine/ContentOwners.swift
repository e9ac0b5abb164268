import GRDB
import Model

/// A content file that the index knows, with what is to be found in it.
struct OwnedFile: Sendable {
    let file: ContentID
    /// In bytes.
    let size: Int64
    /// `nil` where none was kept.
    let check: UInt64?
    let bucket: String?
    let key: String?
    /// MD5 of its bytes, or another text where that is not known.
    let eTag: String?
}

/// The places in the index that files belong to, each in the order of the files' names.
enum ContentOwners: Int, CaseIterable, Sendable {
    case objects
    case versions
    case pieces
    case parts

    /// One page of files behind that name.
    func files(after last: String, limit: Int, in index: ObjectIndex) throws -> [OwnedFile] {
        try index.rows(sql, [last, limit]).map { row in
            OwnedFile(
                file: try ObjectIndex.contentID(row[0]),
                size: row[1],
                check: (row[2] as Int64?).map(ObjectIndex.check),
                bucket: row[3],
                key: row[4],
                eTag: row[5]
            )
        }
    }

    private var sql: String {
        switch self {
        case .objects: Self.singleFiles(of: "objects")
        case .versions: Self.singleFiles(of: "versions")
        case .pieces:
            """
            SELECT pieces.file, pieces.size, xxh64, name, ifnull(objects.key, versions.key), NULL FROM pieces
            LEFT JOIN checks ON checks.file = pieces.file
            LEFT JOIN objects ON objects.content = pieces.content
            LEFT JOIN versions ON versions.content = pieces.content
            JOIN buckets ON id = ifnull(objects.bucket, versions.bucket)
            WHERE pieces.file > ? ORDER BY pieces.file LIMIT ?
            """
        case .parts:
            """
            SELECT content, size, xxh64, name, key, parts.etag FROM parts
            JOIN uploads ON uploads.id = upload JOIN buckets ON buckets.id = bucket
            LEFT JOIN checks ON file = content
            WHERE content > ? ORDER BY content LIMIT ?
            """
        }
    }

    private static func singleFiles(of table: String) -> String {
        """
        SELECT content, size, xxh64, name, key, etag FROM \(table) JOIN buckets ON id = bucket
        LEFT JOIN checks ON file = content
        WHERE content > ? AND parts IS NULL
            AND NOT EXISTS (SELECT 1 FROM small_contents WHERE small_contents.content = \(table).content)
        ORDER BY content LIMIT ?
        """
    }
}
