import GRDB
package import Model

/// Which jobs a listing shows.
package struct JobFilter: Sendable, Hashable {
    package var service: ServiceName?
    package var states: Set<JobState> = []
    /// Only jobs before that number: the place where the last page ended.
    package var before: Int64?
    /// Only jobs that ended then or later.
    package var endedSince: Instant?
    /// Only jobs that these may see; all where `nil`.
    package var audience: JobAudience?
    package var limit: Int

    package init(
        service: ServiceName? = nil,
        states: Set<JobState> = [],
        before: Int64? = nil,
        endedSince: Instant? = nil,
        limit: Int = 70
    ) {
        self.service = service
        self.states = states
        self.before = before
        self.endedSince = endedSince
        self.limit = limit
    }

    /// The filter as the condition of a query, its limit aside.
    var condition: (sql: String, arguments: StatementArguments) {
        var conditions: [String] = []
        var arguments = StatementArguments()
        if let service {
            conditions.append("service = ?")
            arguments += [service.text]
        }
        if !states.isEmpty {
            conditions.append("state IN (\(states.map { _ in "?" }.joined(separator: ", ")))")
            arguments += StatementArguments(states.map(\.rawValue))
        }
        if let before {
            conditions.append("number < ?")
            arguments += [before]
        }
        if let endedSince {
            conditions.append("finished >= ?")
            arguments += [endedSince.nanoseconds]
        }
        if let audience {
            let (sql, values) = audience.condition
            conditions.append(sql)
            arguments += values
        }
        return (conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND "), arguments)
    }
}

extension ClusterState {
    /// The newest jobs first; `remaining` counts those that match and come after this page.
    package func jobs(_ filter: JobFilter) async throws(StateStoreError) -> (jobs: [JobRecord], remaining: Int) {
        try await read { database in
            let (condition, arguments) = filter.condition
            let rows = try Row.fetchAll(
                database,
                sql: "SELECT \(JobRecord.columns) FROM job \(filter.numbers ?? condition) ORDER BY number DESC LIMIT ?",
                arguments: (filter.numbers == nil ? arguments : []) + [filter.limit + 1]
            )
            let jobs = try rows.prefix(filter.limit).map(JobRecord.init(row:))
            guard rows.count > filter.limit else { return (jobs, 0) }
            if let all = try Self.count(filter, database) { return (jobs, all - jobs.count) }
            let sql = "SELECT count(*) FROM job \(condition)"
            let all = try Int.fetchOne(database, sql: sql, arguments: arguments) ?? 0
            return (jobs, all - jobs.count)
        }
    }

    package func job(named name: JobName) async throws(StateStoreError) -> JobRecord? {
        try await read { database in
            try Row.fetchOne(
                database, sql: "SELECT \(JobRecord.columns) FROM job WHERE name = ?", arguments: [name.text]
            )
            .map(JobRecord.init(row:))
        }
    }

    /// The number of the oldest waiting job of a service.
    package func firstWaiting(of service: ServiceName) async throws(StateStoreError) -> Int64? {
        try await waitingJobs(of: service, after: 0, limit: 1).first
    }

    /// Removes one job with its deliveries; false where there was none.
    package func deleteJob(_ number: Int64) async throws(StateStoreError) -> Bool {
        try await write { database in
            try database.execute(sql: "DELETE FROM job WHERE number = ?", arguments: [number])
            return database.changesCount == 1
        }
    }

    /// Removes ended jobs of a service, the oldest first, at most so many at once; answers their names.
    ///
    /// - Parameters:
    ///   - states: which ended states to remove.
    ///   - audience: only jobs that these may see; all where `nil`.
    package func deleteEnded(
        of service: ServiceName,
        states: Set<JobState>,
        audience: JobAudience? = nil,
        limit: Int
    ) async throws(StateStoreError) -> [JobName] {
        try await write { database in
            let visible = audience?.condition ?? ("1", [])
            let marks = states.map { _ in "?" }.joined(separator: ", ")
            let rows = try Row.fetchAll(
                database,
                sql: """
                    DELETE FROM job WHERE number IN (
                        SELECT number FROM job WHERE service = ? AND state IN (\(marks)) AND finished IS NOT NULL
                            AND \(visible.0)
                        ORDER BY number LIMIT ?
                    ) RETURNING name
                    """,
                arguments: StatementArguments([service.text]) + StatementArguments(states.map(\.rawValue))
                    + visible.1 + [limit]
            )
            return try rows.map { try JobName($0["name"] as String) }
        }
    }

    /// The names of all jobs that have not ended: their folders are in use.
    package func unendedJobs() async throws(StateStoreError) -> Set<String> {
        try await read { database in
            try String.fetchSet(
                database,
                sql: "SELECT name FROM job WHERE state IN (?, ?, ?, ?)",
                arguments: [
                    JobState.stagingIn.rawValue, JobState.running.rawValue, JobState.stagingOut.rawValue,
                    JobState.delivering.rawValue,
                ]
            )
        }
    }
}

extension JobRecord {
    /// What `init(row:)` reads; the event, which may be large, is left out.
    static let columns = """
        number, name, service, state, input_bucket, input_key, principal, attempts, exit_code, message, created, started, \
        finished, stage_in, run, stage_out, not_before, round
        """

    init(row: Row) throws {
        do {
            guard let state = JobState(rawValue: row["state"]) else {
                throw StateStoreError(code: .damaged, message: "unknown job state")
            }
            number = row["number"]
            name = try JobName(row["name"] as String)
            service = try ServiceName(row["service"] as String)
            self.state = state
            if let bucket: String = row["input_bucket"], let key: String = row["input_key"] {
                input = ObjectLocation(bucket: try BucketName(bucket), key: try ObjectKey(key))
            }
            principal = row["principal"]
            attempts = row["attempts"]
            exitCode = row["exit_code"]
            message = row["message"]
            created = Instant(nanoseconds: row["created"])
            started = (row["started"] as Int64?).map(Instant.init(nanoseconds:))
            finished = (row["finished"] as Int64?).map(Instant.init(nanoseconds:))
            stageIn = (row["stage_in"] as Int64?).map(Duration.nanoseconds)
            run = (row["run"] as Int64?).map(Duration.nanoseconds)
            stageOut = (row["stage_out"] as Int64?).map(Duration.nanoseconds)
            notBefore = (row["not_before"] as Int64?).map(Instant.init(nanoseconds:))
            round = row["round"]
        } catch {
            throw StateStoreError(code: .damaged, message: "a job in the store cannot be read", cause: error)
        }
    }
}
