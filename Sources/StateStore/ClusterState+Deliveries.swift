import GRDB
package import Model
import Scheduling

extension ClusterState {
    /// Commits a job that has run already and only delivers, with its deliveries.
    package func enqueueDelivering(_ job: NewJob, _ deliveries: [NewDelivery]) async throws(StateStoreError) {
        try await write { database in
            try Self.insert(job, database, as: .delivering)
            guard database.changesCount == 1 else { return }
            try Self.insert(deliveries, of: database.lastInsertedRowID, at: job.created, database)
        }
    }

    /// A delivery that is there already stays.
    static func insert(
        _ deliveries: [NewDelivery],
        of job: Int64,
        at now: Instant,
        _ database: Database
    ) throws {
        for delivery in deliveries {
            try database.execute(
                sql: """
                    INSERT INTO delivery (job, provider, path, name, file, size, next_attempt, created, destination,
                        key, token, trace)
                    SELECT number, ?1, ?2, ?3, ?4, ?5, ?6, ?6, service || '/' || ?1, ?2 || '/' || ?3,
                        lower(hex(randomblob(16))), ?8
                    FROM job WHERE number = ?7
                    ON CONFLICT DO NOTHING
                    """,
                arguments: [
                    delivery.provider, delivery.path, delivery.name, delivery.file, delivery.size.bytes,
                    now.nanoseconds, job, delivery.trace,
                ]
            )
        }
    }

    /// The waiting deliveries of one job.
    package func deliveries(of job: Int64) async throws(StateStoreError) -> [DeliveryRecord] {
        try await read { database in
            try Self.deliveries(database, where: "delivery.job = ? ORDER BY delivery.id", arguments: [job])
        }
    }

    /// One delivery; `nil` where it does not wait any more.
    package func delivery(_ id: Int64) async throws(StateStoreError) -> DeliveryRecord? {
        try await read { database in
            try Self.deliveries(database, where: "delivery.id = ?", arguments: [id]).first
        }
    }

    /// How many deliveries wait.
    package func deliveryCount() async throws(StateStoreError) -> Int {
        try await read { database in try Int.fetchOne(database, sql: "SELECT waiting FROM delivery_total") ?? 0 }
    }

    /// Records that a result has arrived; with a job's last one, the job's end.
    ///
    /// - Parameter failureOutput: who is told where the job ends as failed, because others of its results were given up.
    /// - Returns: The job's end, where that was the last one.
    package func delivered(
        _ delivery: DeliveryRecord,
        at now: Instant,
        failureOutput: FailureOutput? = nil
    ) async throws(StateStoreError) -> JobChange? {
        try await write { database in
            // Completed: not one of those that are to be aborted.
            try database.execute(
                sql: "UPDATE delivery SET upload = NULL WHERE id = ? AND upload IS NOT NULL", arguments: [delivery.id])
            try database.execute(sql: "DELETE FROM delivery WHERE id = ?", arguments: [delivery.id])
            let sql = "SELECT count(*) FROM delivery WHERE job = ?"
            guard try Int.fetchOne(database, sql: sql, arguments: [delivery.job]) == 0 else { return nil }
            return try Self.endDeliveries(of: delivery.job, at: now, telling: failureOutput, database)
        }
    }

    /// Records why a delivery did not arrive and when it is tried again.
    package func deliveryFailed(
        _ delivery: DeliveryRecord,
        error: String,
        next: Instant
    ) async throws(StateStoreError) {
        try await write { database in
            try database.execute(
                sql: "UPDATE delivery SET attempts = attempts + 1, last_error = ?, next_attempt = ? WHERE id = ?",
                arguments: [error, next.nanoseconds, delivery.id]
            )
            try database.execute(
                sql: "UPDATE job SET message = ? WHERE number = ? AND state = ?",
                arguments: [
                    "the result \"\(delivery.name)\" waits for \(delivery.provider): \(error)", delivery.job,
                    JobState.delivering.rawValue,
                ]
            )
        }
    }

    /// Makes the deliveries of a service due at once, because its providers may have changed.
    package func retryDeliveries(of service: ServiceName, at now: Instant) async throws(StateStoreError) {
        try await write { database in
            try database.execute(
                sql: """
                    UPDATE delivery SET next_attempt = min(next_attempt, ?)
                    WHERE job IN (SELECT number FROM job WHERE service = ? AND state = ?)
                    """,
                arguments: [now.nanoseconds, service.text, JobState.delivering.rawValue]
            )
        }
    }

    static func deliveries(
        _ database: Database,
        where condition: String,
        arguments: StatementArguments
    ) throws -> [DeliveryRecord] {
        let rows = try Row.fetchAll(
            database,
            sql: """
                SELECT delivery.*, job.name AS job_name, job.service AS service, EXISTS (
                    SELECT 1 FROM delivery AS earlier
                    WHERE earlier.destination = delivery.destination AND earlier.key = delivery.key
                        AND earlier.id < delivery.id
                ) AS is_behind
                FROM delivery JOIN job ON job.number = delivery.job WHERE \(condition)
                """,
            arguments: arguments
        )
        return try rows.map(DeliveryRecord.init(row:))
    }
}

extension DeliveryRecord {
    fileprivate init(row: Row) throws {
        do {
            id = row["id"]
            job = row["job"]
            jobName = try JobName(row["job_name"] as String)
            service = try ServiceName(row["service"] as String)
            provider = row["provider"]
            path = row["path"]
            name = row["name"]
            file = row["file"]
            size = ByteCount(row["size"])
            attempts = row["attempts"]
            nextAttempt = Instant(nanoseconds: row["next_attempt"])
            lastError = row["last_error"]
            trace = row["trace"]
            token = row["token"]
            upload = row["upload"]
            created = Instant(nanoseconds: row["created"])
            isBehind = row["is_behind"]
        } catch {
            throw StateStoreError(code: .damaged, message: "a delivery in the store cannot be read", cause: error)
        }
    }
}
