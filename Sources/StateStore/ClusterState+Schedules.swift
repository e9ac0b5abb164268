import GRDB
package import Model

/// What is remembered of one schedule of a service.
package struct ScheduleRecord: Sendable, Hashable {
    package var service: ServiceName
    package var name: String
    package var expression: String
    /// What was due up to here is done or left out.
    package var decided: Instant
    /// How many jobs it has made.
    package var runs: Int64
    /// The instant of its last job.
    package var lastDue: Instant?
    package var lastJob: JobName?
}

/// A job that a schedule is about to make.
package struct ScheduledJob: Sendable {
    /// With which the job is unique in its schedule.
    package var due: Instant
    package var job: NewJob

    package init(due: Instant, job: NewJob) { (self.due, self.job) = (due, job) }
}

extension ClusterState {
    /// How many of a schedule's instants are remembered one by one; behind the oldest nothing is made.
    private static let rememberedRuns = 10_000
    /// After how many jobs of a schedule its old instants are forgotten.
    private static let forgetEvery: Int64 = 256

    /// All schedules that have begun.
    package func schedules() async throws(StateStoreError) -> [ScheduleRecord] {
        try await read { database in
            try Row.fetchAll(database, sql: "SELECT * FROM schedule ORDER BY service, name")
                .map(ScheduleRecord.init(row:))
        }
    }

    /// Begins a schedule, or begins it anew where its expression has changed: it asks for nothing before that instant.
    package func beginSchedule(
        _ name: String,
        of service: ServiceName,
        expression: String,
        at now: Instant
    ) async throws(StateStoreError) {
        try await write { database in
            try database.execute(
                sql: """
                    INSERT INTO schedule (service, name, expression, decided, forgotten)
                    SELECT ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM service WHERE name = ?)
                    ON CONFLICT (service, name) DO UPDATE SET expression = excluded.expression, decided = excluded.decided
                    """,
                arguments: [service.text, name, expression, now.nanoseconds, Int64.min, service.text]
            )
        }
    }

    /// Forgets a schedule that its service has no more.
    package func forgetSchedule(_ name: String, of service: ServiceName) async throws(StateStoreError) {
        try await write { database in
            for table in ["schedule", "schedule_run"] {
                try database.execute(
                    sql: "DELETE FROM \(table) WHERE service = ? AND name = ?", arguments: [service.text, name])
            }
        }
    }

    /// Commits a schedule's jobs and that it is decided up to an instant, in one transaction.
    ///
    /// An instant that has had its job gets none, whatever `decided` was before: a clock that was put back repeats nothing.
    ///
    /// - Returns: how many jobs there are now that were not there before.
    package func run(
        _ name: String,
        of service: ServiceName,
        jobs: [ScheduledJob],
        decided: Instant
    ) async throws(StateStoreError) -> Int {
        try await write { database in
            var made: [ScheduledJob] = []
            for scheduled in jobs where try Self.claim(scheduled.due, name, service, database) {
                try Self.insert(scheduled.job, database)
                made.append(scheduled)
            }
            let last = made.last
            try database.execute(
                sql: """
                    UPDATE schedule SET decided = ?, runs = runs + ?, last_due = coalesce(?, last_due),
                        last_job = coalesce(?, last_job)
                    WHERE service = ? AND name = ?
                    """,
                arguments: [
                    decided.nanoseconds, made.count, last?.due.nanoseconds, last?.job.name.text, service.text, name,
                ]
            )
            if !made.isEmpty { try Self.forgetOldRuns(name, service, justMade: Int64(made.count), database) }
            return made.count
        }
    }

    /// Whether nothing was made for that instant so far; from now on something is.
    private static func claim(
        _ due: Instant,
        _ name: String,
        _ service: ServiceName,
        _ database: Database
    ) throws -> Bool {
        try database.execute(
            sql: """
                INSERT INTO schedule_run (service, name, due)
                SELECT service, name, ? FROM schedule WHERE service = ? AND name = ? AND forgotten < ?
                ON CONFLICT DO NOTHING
                """,
            arguments: [due.nanoseconds, service.text, name, due.nanoseconds]
        )
        return database.changesCount == 1
    }

    private static func forgetOldRuns(
        _ name: String,
        _ service: ServiceName,
        justMade: Int64,
        _ database: Database
    ) throws {
        let key: StatementArguments = [service.text, name]
        let sql = "SELECT runs FROM schedule WHERE service = ? AND name = ?"
        guard let runs = try Int64.fetchOne(database, sql: sql, arguments: key),
            runs / forgetEvery != (runs - justMade) / forgetEvery
        else { return }
        let oldest = try Int64.fetchOne(
            database,
            sql: "SELECT due FROM schedule_run WHERE service = ? AND name = ? ORDER BY due DESC LIMIT 1 OFFSET ?",
            arguments: key + [rememberedRuns])
        guard let oldest else { return }
        try database.execute(
            sql: "DELETE FROM schedule_run WHERE service = ? AND name = ? AND due <= ?", arguments: key + [oldest])
        try database.execute(
            sql: "UPDATE schedule SET forgotten = ? WHERE service = ? AND name = ?",
            arguments: [oldest, service.text, name])
    }
}

extension ScheduleRecord {
    fileprivate init(row: Row) throws {
        do {
            service = try ServiceName(row["service"] as String)
            name = row["name"]
            expression = row["expression"]
            decided = Instant(nanoseconds: row["decided"])
            runs = row["runs"]
            lastDue = (row["last_due"] as Int64?).map(Instant.init(nanoseconds:))
            lastJob = try (row["last_job"] as String?).map { try JobName($0) }
        } catch {
            throw StateStoreError(code: .damaged, message: "a schedule in the store cannot be read", cause: error)
        }
    }
}
