import GRDB
package import Model

extension ClusterState {
    /// How many events are forgotten at most in one transaction.
    private static let forgetLimit = 1024

    /// Remembers events that triggered nothing, and forgets what is more than `kept`.
    package func remember(_ events: [RoutedEvent], keeping kept: Int) async throws(StateStoreError) {
        try await write { database in try Self.remember(events, keeping: kept, database) }
    }

    /// Remembers events, and forgets what is more than `kept`.
    static func remember(_ events: [RoutedEvent], keeping kept: Int, _ database: Database) throws {
        guard kept > 0 else { return }
        let statement = try database.cachedStatement(
            sql: """
                INSERT INTO event (sequence, time, cause, bucket, key, size, principal, services, webhooks, reason)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
                """
        )
        for event in events {
            try statement.execute(arguments: [
                event.sequence, event.time.nanoseconds, event.cause.rawValue, event.bucket.text, event.key.text,
                event.size.bytes, event.principal, event.services.map(\.text).joined(separator: " "),
                event.webhooks.joined(separator: " "), event.reason?.rawValue,
            ])
        }
        try database.execute(
            sql: """
                DELETE FROM event WHERE number IN (SELECT number FROM event ORDER BY number LIMIT ?)
                    AND number <= (SELECT max(number) FROM event) - ?
                """,
            arguments: [forgetLimit, kept]
        )
    }

    /// Forgets events that are older, at most so many at once; answers how many.
    package func forgetEvents(before instant: Instant, limit: Int) async throws(StateStoreError) -> Int {
        try await write { database in
            try database.execute(
                sql: """
                    DELETE FROM event WHERE number IN (SELECT number FROM event ORDER BY number LIMIT ?) AND time < ?
                    """,
                arguments: [limit, instant.nanoseconds]
            )
            return database.changesCount
        }
    }

    /// The events that the filter lets through, with the jobs that they made.
    package func events(_ filter: EventFilter) async throws(StateStoreError) -> [EventRecord] {
        try await read { database in
            var arguments: StatementArguments = []
            if let bucket = filter.bucket { arguments += [bucket.text] }
            arguments += [filter.after ?? 0, filter.before ?? Int64.max, filter.limit]
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM event WHERE \(filter.bucket == nil ? "" : "bucket = ? AND ") number > ? AND number < ?
                    ORDER BY number \(filter.after == nil ? "DESC" : "ASC") LIMIT ?
                    """,
                arguments: arguments
            )
            return try rows.map { try EventRecord(row: $0, jobs: try Self.jobs(ofEvent: $0["sequence"], database)) }
        }
    }

    private static func jobs(ofEvent sequence: Int64, _ database: Database) throws -> [EventRecord.Job] {
        let statement = try database.cachedStatement(
            sql: "SELECT name, service, state, exit_code FROM job WHERE event_sequence = ? ORDER BY number")
        return try Row.fetchAll(statement, arguments: [sequence]).map { row in
            guard let state = JobState(rawValue: row["state"]) else {
                throw StateStoreError(code: .damaged, message: "unknown job state")
            }
            return EventRecord.Job(
                name: try JobName(row["name"] as String), service: try ServiceName(row["service"] as String),
                state: state, exitCode: row["exit_code"])
        }
    }
}

extension EventRecord {
    fileprivate init(row: Row, jobs: [Job]) throws {
        do {
            guard let cause = ObjectEvent.Cause(rawValue: row["cause"]) else {
                throw StateStoreError(code: .damaged, message: "unknown event")
            }
            let event = ObjectEvent(
                sequence: row["sequence"], cause: cause, bucket: try BucketName(row["bucket"] as String),
                key: try ObjectKey(row["key"] as String), size: ByteCount(row["size"]), eTag: "", contentType: "",
                userMetadata: [:], time: Instant(nanoseconds: row["time"]), principal: row["principal"],
                sourceAddress: "")
            number = row["number"]
            self.event = RoutedEvent(
                event, services: try (row["services"] as String).split(separator: " ").map { try ServiceName($0) },
                webhooks: (row["webhooks"] as String).split(separator: " ").map(String.init),
                reason: (row["reason"] as Int?).flatMap(RoutedEvent.Reason.init(rawValue:)))
            self.jobs = jobs
        } catch {
            throw StateStoreError(code: .damaged, message: "an event in the store cannot be read", cause: error)
        }
    }
}
