import DurableSQLite
import GRDB

/// Has the index itself say which objects a transaction touches.
struct ChangeNotices: CommitObserver {
    let hot: HotObjects

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
        // Records say which version they are, which depends on whether the bucket keeps versions.
        try database.execute(
            sql: """
                CREATE TEMP TRIGGER bucket_versioning AFTER UPDATE OF versioning ON main.buckets BEGIN
                    SELECT bucket_changed();
                END
                """
        )
    }

    func transactionEnded() { hot.settle() }
}
