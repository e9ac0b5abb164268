import DurableSQLite
import GRDB
import Synchronization

/// Has the index itself say which objects a transaction touches, and whether it leaves garbage.
struct ChangeNotices: CommitObserver {
    let hot: HotObjects
    let garbage: GarbageNotice

    func prepare(_ database: Database) throws {
        let hot = hot
        database.add(
            function: DatabaseFunction("object_changed", argumentCount: 2) { values in
                if let bucket = String.fromDatabaseValue(values[0]), let key = String.fromDatabaseValue(values[1]) {
                    hot.touch(HotObjects.Name(bucket: bucket, key: key))
                }
                return nil
            }
        )
        database.add(
            function: DatabaseFunction("bucket_changed", argumentCount: 0) { _ in
                hot.touchAll()
                return nil
            }
        )
        // Temporary triggers live in the connection, not in the file: other programs that open the file know nothing
        // of the function.
        for (event, row) in [("INSERT", "new"), ("UPDATE", "new"), ("DELETE", "old")] {
            try database.execute(
                sql: """
                    CREATE TEMP TRIGGER object_\(event.lowercased()) AFTER \(event) ON main.objects BEGIN
                        SELECT object_changed((SELECT name FROM main.buckets WHERE id = \(row).bucket), \(row).key);
                    END
                    """
            )
        }
        let garbage = garbage
        database.add(
            function: DatabaseFunction("garbage_added", argumentCount: 0) { _ in
                garbage.add()
                return nil
            }
        )
        try database.execute(
            sql: """
                CREATE TEMP TRIGGER garbage_insert AFTER INSERT ON main.garbage BEGIN
                    SELECT garbage_added();
                END
                """
        )
        // Records say which version they are, which depends on whether the bucket keeps versions.
        try database.execute(
            sql: """
                CREATE TEMP TRIGGER bucket_versioning AFTER UPDATE OF versioning ON main.buckets BEGIN
                    SELECT bucket_changed();
                END
                """
        )
    }

    func transactionEnded() {
        hot.settle()
        garbage.settle()
    }
}

/// Remembers that there is garbage nobody was told of, so that whoever removes it need not look after every commit.
final class GarbageNotice: Sendable {
    /// Of the transaction that is running.
    private let isAdded = Atomic(false)
    private let isWaiting = Atomic(false)

    /// Says that the running transaction leaves some.
    func add() { isAdded.store(true, ordering: .relaxed) }

    /// Says that the transaction has ended; its garbage, if it was committed, can be seen from now on.
    func settle() {
        guard isAdded.exchange(false, ordering: .relaxed) else { return }
        isWaiting.store(true, ordering: .releasing)
    }

    /// Whether there may be new garbage since this was last asked.
    func take() -> Bool { isWaiting.load(ordering: .relaxed) && isWaiting.exchange(false, ordering: .acquiring) }
}
