import FoundationEssentials
import GRDB
package import Model

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
    /// An event's job that is there already, and a job whose service is gone, are left out, so routing an event twice is harmless.
    package func route(
        _ jobs: [NewJob],
        webhooks deliveries: [NewWebhookDelivery] = [],
        upTo position: Int64
    ) async throws(StateStoreError) {
        try await write { database in
            for job in jobs { try Self.insert(job, database) }
            for delivery in deliveries { try Self.insert(delivery, database) }
            try database.execute(
                sql: "UPDATE router SET position = max(position, ?) WHERE id = 0", arguments: [position])
        }
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
