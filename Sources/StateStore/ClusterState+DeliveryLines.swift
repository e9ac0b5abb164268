import FoundationEssentials
import GRDB
package import Model
import Scheduling

/// What was given up.
package struct DroppedDeliveries: Sendable {
    package var dropped: [DeliveryRecord]
    /// The ends of jobs that have nothing left to deliver, and have failed.
    package var ended: [JobChange]
    /// Files in delivery folders that nobody needs any more.
    package var files: [(job: JobName, file: String)]
}

extension ClusterState {
    // MARK: Lines

    /// The destinations for which something waits.
    ///
    /// Costs a look-up each, however much waits.
    package func deliveryDestinations() async throws(StateStoreError) -> [String] {
        try await read { database in
            try String.fetchAll(
                database,
                sql: """
                    WITH RECURSIVE found (destination) AS (
                        SELECT min(destination) FROM delivery
                        UNION ALL
                        SELECT (SELECT min(destination) FROM delivery WHERE destination > found.destination)
                        FROM found WHERE found.destination IS NOT NULL
                    )
                    SELECT destination FROM found WHERE destination IS NOT NULL
                    """
            )
        }
    }

    /// The deliveries to a destination that are due, the oldest first, and when the next one is due that is not yet.
    package func deliveries(
        to destination: String,
        after id: Int64,
        at now: Instant,
        limit: Int
    ) async throws(StateStoreError) -> (due: [DeliveryRecord], nextDue: Instant?) {
        try await read { database in
            let due = try Self.deliveries(
                database,
                where: """
                    delivery.destination = ? AND delivery.id > ? AND +delivery.next_attempt <= ?
                    ORDER BY delivery.id LIMIT ?
                    """,
                arguments: [destination, id, now.nanoseconds, limit]
            )
            let next = try Int64.fetchOne(
                database,
                sql: "SELECT min(next_attempt) FROM delivery WHERE destination = ? AND next_attempt > ?",
                arguments: [destination, now.nanoseconds]
            )
            return (due, next.map(Instant.init(nanoseconds:)))
        }
    }

    /// The newest delivery's identifier; 0 where none waits.
    package func newestDelivery() async throws(StateStoreError) -> Int64 {
        try await read { database in try Int64.fetchOne(database, sql: "SELECT max(id) FROM delivery") ?? 0 }
    }

    /// What waits, by destination.
    package func deliveryBacklogs() async throws(StateStoreError) -> [DeliveryBacklog] {
        try await read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT destination, count(*) AS waiting, sum(size) AS bytes, min(created) AS oldest,
                        sum(attempts) AS attempts, (
                            SELECT last_error FROM delivery AS failed
                            WHERE failed.destination = delivery.destination AND last_error IS NOT NULL
                            ORDER BY id LIMIT 1
                        ) AS last_error
                    FROM delivery GROUP BY destination ORDER BY destination
                    """
            ).map { row in
                DeliveryBacklog(
                    destination: row["destination"], waiting: row["waiting"], bytes: ByteCount(row["bytes"]),
                    oldest: Instant(nanoseconds: row["oldest"]), attempts: row["attempts"],
                    lastError: row["last_error"]
                )
            }
        }
    }

    /// The bytes of all results that wait; those that go to several places count once for each.
    package func deliveryBytes() async throws(StateStoreError) -> ByteCount {
        try await read { database in
            ByteCount(try Int64.fetchOne(database, sql: "SELECT bytes FROM delivery_total") ?? 0)
        }
    }

    /// Makes deliveries due at once: those of one destination, or all.
    ///
    /// - Returns: how many wait there.
    package func retryDeliveries(to destination: String?, at now: Instant) async throws(StateStoreError) -> Int {
        try await write { database in
            try database.execute(
                sql: "UPDATE delivery SET next_attempt = min(next_attempt, ?1) WHERE ?2 IS NULL OR destination = ?2",
                arguments: [now.nanoseconds, destination]
            )
            return database.changesCount
        }
    }

    // MARK: Giving up

    /// Gives up the oldest deliveries, of one destination or of all; the jobs that have none left end as failed.
    ///
    /// - Parameters:
    ///   - keepingBytes: only as many as it takes for no more than that to wait; `nil` for all.
    ///   - message: for the jobs.
    ///   - failureOutput: who is told of the failures of a service's jobs.
    /// - Returns: what was given up, the jobs that ended, and the files of others that nobody needs any more.
    package func dropDeliveries(
        to destination: String?,
        keepingBytes: ByteCount? = nil,
        message: String,
        at now: Instant,
        limit: Int,
        failureOutput: @escaping @Sendable (ServiceName) -> FailureOutput? = { _ in nil }
    ) async throws(StateStoreError) -> DroppedDeliveries {
        try await write { database in
            let oldest = try Self.deliveries(
                database,
                where: "?1 IS NULL OR delivery.destination = ?1 ORDER BY delivery.id LIMIT ?2",
                arguments: [destination, limit]
            )
            var excess = Int64.max
            if let keepingBytes {
                let waiting = try Int64.fetchOne(database, sql: "SELECT bytes FROM delivery_total") ?? 0
                excess = waiting - keepingBytes.bytes
            }
            var dropped: [DeliveryRecord] = []
            for delivery in oldest where excess > 0 {
                excess -= delivery.size.bytes
                dropped.append(delivery)
                try database.execute(sql: "DELETE FROM delivery WHERE id = ?", arguments: [delivery.id])
                // Told at once, so that a later success of the others does not hide it.
                try database.execute(
                    sql: "UPDATE job SET message = ? WHERE number = ? AND state = ?",
                    arguments: [message, delivery.job, JobState.delivering.rawValue]
                )
            }
            let ended = try Self.endJobs(
                of: dropped, message: message, at: now, telling: failureOutput, database)
            let files = try dropped.filter { delivery in
                let sql = "SELECT EXISTS (SELECT 1 FROM delivery WHERE job = ? AND file = ?)"
                return try Bool.fetchOne(database, sql: sql, arguments: [delivery.job, delivery.file]) != true
            }
            return DroppedDeliveries(dropped: dropped, ended: ended, files: files.map { ($0.jobName, $0.file) })
        }
    }

    private static func endJobs(
        of dropped: [DeliveryRecord],
        message: String,
        at now: Instant,
        telling failureOutput: (ServiceName) -> FailureOutput?,
        _ database: Database
    ) throws -> [JobChange] {
        try Dictionary(grouping: dropped, by: \.job).compactMap { job, deliveries in
            try database.execute(
                sql: "UPDATE job SET lost_results = lost_results + ? WHERE number = ?",
                arguments: [deliveries.count, job])
            let sql = "SELECT count(*) FROM delivery WHERE job = ?"
            guard try Int.fetchOne(database, sql: sql, arguments: [job]) == 0 else { return nil }
            let target = deliveries.first.flatMap { failureOutput($0.service) }
            return try giveUp(job, message: message, at: now, telling: target, database)
        }
    }

    /// Ends a job as failed of which something was given up, and nothing else waits.
    private static func giveUp(
        _ job: Int64,
        message: String,
        at now: Instant,
        telling target: FailureOutput?,
        _ database: Database
    ) throws -> JobChange? {
        let event = try Data.fetchOne(database, sql: "SELECT event FROM job WHERE number = ?", arguments: [job])
        return try JobStep(
            number: job, events: [.deliveryGivenUp], now: now, result: AttemptResult(message: message),
            notice: target.map { NewFailureNotice(target: $0, event: event.map(Array.init), log: []) }
        ).take(database)
    }

    /// Ends a job of which nothing waits any more.
    static func endDeliveries(
        of job: Int64,
        at now: Instant,
        telling target: FailureOutput?,
        _ database: Database
    ) throws -> JobChange? {
        let lost =
            try Int.fetchOne(database, sql: "SELECT lost_results FROM job WHERE number = ?", arguments: [job]) ?? 0
        guard lost > 0 else { return try JobStep(number: job, events: [.delivered], now: now).take(database) }
        let message = "\(lost) of its results were given up before they were delivered"
        return try giveUp(job, message: message, at: now, telling: target, database)
    }

    // MARK: Uploads in parts

    /// Records that a delivery is under way in a multipart upload; `nil` for not any more.
    ///
    /// What was recorded of an earlier upload is forgotten.
    ///
    /// - Parameter isGivenUp: whether the earlier one is to be aborted.
    package func delivery(
        _ id: Int64,
        isUnderWayIn upload: String?,
        isGivenUp: Bool = false
    ) async throws(StateStoreError) {
        try await write { database in
            if isGivenUp {
                try database.execute(
                    sql: """
                        INSERT INTO abandoned_upload (destination, path, name, upload)
                        SELECT destination, path, name, upload FROM delivery WHERE id = ? AND upload IS NOT NULL
                        """,
                    arguments: [id]
                )
            }
            try database.execute(sql: "DELETE FROM delivery_part WHERE delivery = ?", arguments: [id])
            try database.execute(sql: "UPDATE delivery SET upload = ? WHERE id = ?", arguments: [upload, id])
        }
    }

    /// Records that the other side has a part.
    package func delivery(_ id: Int64, hasPart number: Int, eTag: String) async throws(StateStoreError) {
        try await write { database in
            try database.execute(
                sql: """
                    INSERT OR REPLACE INTO delivery_part (delivery, number, etag)
                    SELECT id, ?, ? FROM delivery WHERE id = ?
                    """,
                arguments: [number, eTag, id]
            )
        }
    }

    /// The parts that the other side has, by number: their ETags.
    package func parts(ofDelivery id: Int64) async throws(StateStoreError) -> [Int: String] {
        try await read { database in
            let rows = try Row.fetchAll(
                database, sql: "SELECT number, etag FROM delivery_part WHERE delivery = ?", arguments: [id])
            return Dictionary(uniqueKeysWithValues: rows.map { ($0["number"] as Int, $0["etag"] as String) })
        }
    }

    /// Uploads that are to be aborted, the oldest first.
    package func abandonedUploads(limit: Int) async throws(StateStoreError) -> [AbandonedUpload] {
        try await read { database in
            try Row.fetchAll(
                database, sql: "SELECT * FROM abandoned_upload ORDER BY id LIMIT ?", arguments: [limit]
            ).compactMap { row in
                DeliveryDestination(row["destination"]).map {
                    AbandonedUpload(
                        id: row["id"], destination: $0, path: row["path"], name: row["name"], upload: row["upload"])
                }
            }
        }
    }

    /// An upload is aborted, or cannot be.
    package func forgetAbandonedUpload(_ id: Int64) async throws(StateStoreError) {
        try await write { database in
            try database.execute(sql: "DELETE FROM abandoned_upload WHERE id = ?", arguments: [id])
        }
    }
}
