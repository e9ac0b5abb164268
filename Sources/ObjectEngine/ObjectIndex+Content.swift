import FoundationEssentials
import GRDB
import Model
import NIOCore

extension ObjectIndex {
    /// Takes content over; the row that uses it is written in the same transaction.
    ///
    /// - Throws: `contentReplaced` where content that is to be copied is gone.
    func insert(_ placed: PlacedContent) throws {
        switch placed.place {
        case .file(let check):
            try insertCheck(check, of: placed.id)
        case .link(let source):
            try execute(
                "INSERT INTO checks (file, xxh64) SELECT ?, xxh64 FROM checks WHERE file = ?",
                [placed.id.text, source.text]
            )
        case .bytes(let buffer, let check):
            try execute(
                "INSERT INTO small_contents (content, xxh64, bytes) VALUES (?, ?, ?)",
                [placed.id.text, Int64(bitPattern: check), Data(buffer.readableBytesView)]
            )
        case .copy(let source):
            try execute(
                "INSERT INTO small_contents (content, xxh64, bytes) SELECT ?, xxh64, bytes FROM small_contents WHERE content = ?",
                [placed.id.text, source.text]
            )
            guard database.changesCount == 1 else {
                throw ObjectStoreError(.contentReplaced, "the content was deleted; look the object up again")
            }
        }
    }

    /// Keeps the check of a file's bytes.
    func insertCheck(_ check: UInt64, of file: ContentID) throws {
        try execute("INSERT INTO checks (file, xxh64) VALUES (?, ?)", [file.text, Int64(bitPattern: check)])
    }

    /// Where an object's bytes are, and small ones themselves.
    func storedContent(of record: ObjectRecord) throws -> StoredContent {
        guard record.partCount == nil else { return .pieces }
        if record.size.bytes <= PlacedContent.inlineCeiling, let small = try smallContent(record.content) {
            return .bytes(small.bytes, check: small.check)
        }
        return .file(check: try check(of: record.content))
    }

    /// The bytes of content that the index keeps; `nil` where it does not.
    func smallContent(_ content: ContentID) throws -> (bytes: ByteBuffer, check: UInt64)? {
        try row("SELECT xxh64, bytes FROM small_contents WHERE content = ?", [content.text]).map { row in
            (bytes: try Self.buffer(row, 1), check: Self.check(row[0]))
        }
    }

    /// Whether the index keeps the bytes of that content.
    func isSmall(_ content: ContentID) throws -> Bool {
        try exists("SELECT 1 FROM small_contents WHERE content = ?", [content.text])
    }

    /// The check of a file's bytes; `nil` where none was kept.
    func check(of file: ContentID) throws -> UInt64? {
        try row("SELECT xxh64 FROM checks WHERE file = ?", [file.text]).map { Self.check($0[0]) }
    }

    /// Forgets content that nothing uses any more: at once where the index keeps it, else by way of the garbage.
    func addGarbage(_ content: String) throws {
        try execute("DELETE FROM small_contents WHERE content = ?", [content])
        guard database.changesCount == 0 else { return }
        try execute("INSERT INTO garbage (content) VALUES (?)", [content])
    }

    /// Forgets garbage whose files are gone.
    func removeGarbage(_ content: ContentID) throws {
        try execute("DELETE FROM checks WHERE file IN (SELECT file FROM pieces WHERE content = ?)", [content.text])
        try execute("DELETE FROM checks WHERE file = ?", [content.text])
        try execute("DELETE FROM pieces WHERE content = ?", [content.text])
        try execute("DELETE FROM garbage WHERE content = ?", [content.text])
    }

    /// A check as SQLite keeps it: the same 64 bits with a sign.
    static func check(_ number: Int64) -> UInt64 { UInt64(bitPattern: number) }

    /// The bytes of a column.
    static func buffer(_ row: Row, _ column: Int) throws -> ByteBuffer {
        try row.withUnsafeData(atIndex: column) { data in
            guard let data else { throw damaged("content") }
            return data.withUnsafeBytes { ByteBuffer(bytes: $0) }
        }
    }
}
