import DurableSQLite
import GRDB
import Model

/// The index's tables, inside one transaction.
///
/// Methods that find no bucket throw `noSuchBucket`.
struct ObjectIndex {
    let database: Database

    /// Whether new objects are told by events.
    let writesEvents: Bool

    /// How much an owner may store; `nil` where nobody has a limit.
    let quota: StorageQuota.ByOwner?

    init(_ database: Database, writesEvents: Bool = true, quota: StorageQuota.ByOwner? = nil) {
        self.database = database
        self.writesEvents = writesEvents
        self.quota = quota
    }

    /// Runs a statement that is prepared once a connection.
    func execute(_ sql: String, _ arguments: StatementArguments) throws {
        try database.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    /// Keeps a table that is added to for ever small, just after a row was added.
    ///
    /// - Parameters:
    ///   - table: with a growing `sequence`.
    ///   - column: its column of times.
    ///   - count: so many rows are kept at most, the newest.
    ///   - oldest: rows from before that go a few at a time: as one comes with each call, they never grow many.
    func forgetOld(in table: String, by column: String, keeping count: Int64, since oldest: Instant) throws {
        try execute("DELETE FROM \(table) WHERE sequence <= ?", [database.lastInsertedRowID - count])
        try execute(
            """
            DELETE FROM \(table) WHERE \(column) < ?
                AND sequence IN (SELECT sequence FROM \(table) ORDER BY sequence LIMIT 10)
            """,
            [oldest.nanoseconds]
        )
    }

    func row(_ sql: String, _ arguments: StatementArguments) throws -> Row? {
        try Row.fetchOne(database.cachedStatement(sql: sql), arguments: arguments)
    }

    func rows(_ sql: String, _ arguments: StatementArguments) throws -> [Row] {
        try Row.fetchAll(database.cachedStatement(sql: sql), arguments: arguments)
    }

    /// Whether the statement gives a row at all.
    func exists(_ sql: String, _ arguments: StatementArguments) throws -> Bool {
        try row(sql, arguments) != nil
    }

    static func damaged(_ what: String) -> ObjectStoreError {
        ObjectStoreError(
            .damaged,
            "the object store's index holds \(what) that cannot be read; restore a backup of it"
        )
    }

    /// A content's name out of a column.
    static func contentID(_ text: String) throws(ObjectStoreError) -> ContentID {
        guard let id = ContentID(text) else { throw damaged("a content") }
        return id
    }
}

extension DurableDatabase {
    /// Runs `body` on a snapshot of the index.
    func readIndex<T: Sendable>(
        quota: StorageQuota.ByOwner? = nil,
        _ body: @escaping @Sendable (ObjectIndex) throws -> T
    ) async throws(ObjectStoreError) -> T {
        do {
            return try await read { try body(ObjectIndex($0, quota: quota)) }
        } catch {
            throw ObjectStoreError(index: error)
        }
    }
}
