import FoundationEssentials
import GRDB
package import Model
import Synchronization

extension ClusterState {
    /// Up to which event, by sequence number, jobs have been made.
    package func routerPosition() async throws(StateStoreError) -> Int64 {
        try await read { database in
            try Int64.fetchOne(database, sql: "SELECT position FROM router WHERE id = 0") ?? 0
        }
    }

    /// Commits the jobs of a batch of events and what webhooks are to be told of them, and that the events up to
    /// `position` are done, in one transaction.
    ///
    /// Events that were routed ahead make no jobs again. An event's job that is there already, and a job whose service is gone, are left out, so routing an event twice is harmless.
    package func route(
        _ jobs: [NewJob],
        webhooks deliveries: [NewWebhookDelivery] = [],
        upTo position: Int64
    ) async throws(StateStoreError) {
        try await write { database in
            let ahead = try Self.takeRoutedAhead(upTo: position, database)
            for job in jobs where !ahead.contains(job.eventSequence ?? 0) { try Self.insert(job, database) }
            for delivery in deliveries { try Self.insert(delivery, database) }
            try Self.record(position, database)
        }
        pass(upTo: position)
    }

    /// Says that nothing is to be done for the events up to `position`, as far as `route` was not told otherwise.
    ///
    /// Costs nothing: recorded with the next jobs, with every change of what services are triggered by, and by
    /// `recordPassed`. Until then the events may be routed again after a crash, against the same services.
    package func pass(upTo position: Int64) { passed.withLock { $0 = max($0, position) } }

    /// Up to which event nothing is to be done any more.
    package var passedPosition: Int64 { passed.withLock { $0 } }

    /// Records what `pass` said.
    ///
    /// To be called before anything changes that events are matched against, unless this store records that change.
    package func recordPassed() async throws(StateStoreError) {
        guard passedPosition > (try await routerPosition()) else { return }
        try await write { [self] in try recordPassed($0) }
    }

    func recordPassed(_ database: Database) throws { try Self.record(passedPosition, database) }

    private static func record(_ position: Int64, _ database: Database) throws {
        try database.cachedStatement(sql: "UPDATE router SET position = max(position, ?) WHERE id = 0")
            .execute(arguments: [position])
    }

    static func insert(_ job: NewJob, _ database: Database, as state: JobState = .queued) throws {
        let statement = try database.cachedStatement(
            sql: """
                INSERT INTO job (name, service, event_sequence, state, input_bucket, input_key, principal, event, created)
                SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM service WHERE name = ?)
                ON CONFLICT DO NOTHING
                """
        )
        try statement.execute(arguments: [
            job.name.text, job.service.text, job.eventSequence, state.rawValue, job.input?.bucket.text,
            job.input?.key.text, job.principal, job.event.map { Data($0) }, job.created.nanoseconds,
            job.service.text,
        ])
    }

    /// The oldest waiting jobs of a service after that number; those that wait for their next attempt are left out.
    package func waitingJobs(
        of service: ServiceName,
        after number: Int64,
        limit: Int
    ) async throws(StateStoreError) -> [Int64] {
        try await read { database in
            try Int64.fetchAll(
                database,
                sql: """
                    SELECT number FROM job WHERE service = ? AND state = ? AND number > ? AND not_before IS NULL
                    ORDER BY number LIMIT ?
                    """,
                arguments: [service.text, JobState.queued.rawValue, number, limit]
            )
        }
    }

    /// A job with its event, to be run.
    package func jobToRun(_ number: Int64) async throws(StateStoreError) -> (job: JobRecord, event: [UInt8]?)? {
        try await read { database in
            guard let row = try Row.fetchOne(database, sql: "SELECT * FROM job WHERE number = ?", arguments: [number])
            else { return nil }
            let event: Data? = row["event"]
            return (try JobRecord(row: row), event.map(Array.init))
        }
    }
}

extension Duration {
    /// Whole nanoseconds.
    var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
