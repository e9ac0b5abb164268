import DurableSQLite
import GRDB
package import Model

/// How many jobs may wait before more are refused.
package struct QueueLimits: Sendable, Hashable {
    /// Of one service; `nil` for no limit.
    package var service: Int?
    /// Of all services together; `nil` for no limit.
    package var cluster: Int?

    package init(service: Int? = nil, cluster: Int? = nil) {
        self.service = service
        self.cluster = cluster
    }

    /// Why one more is refused while so many wait; `nil` where it is not.
    package func refusal(for name: ServiceName, waiting: Int, inCluster: Int) -> String? {
        if let service, waiting >= service {
            return "\(waiting) jobs of the service \"\(name)\" wait already, and its queue.limit is \(service)"
        }
        if let cluster, inCluster >= cluster {
            return "\(inCluster) jobs wait already, and the cluster's queue-limit is \(cluster)"
        }
        return nil
    }
}

extension Schema {
    /// Counting a million rows takes longer than anything that asks for their number should.
    static let queueCounts = SchemaStep(
        "numbers of jobs by service and state",
        sql: """
            -- Kept by the triggers below; rows may say 0.
            CREATE TABLE job_count (
                service TEXT NOT NULL,
                state TEXT NOT NULL,
                jobs INTEGER NOT NULL,
                PRIMARY KEY (service, state)
            ) WITHOUT ROWID;
            INSERT INTO job_count SELECT service, state, count(*) FROM job GROUP BY service, state;
            CREATE TRIGGER job_count_insert AFTER INSERT ON job BEGIN
                INSERT INTO job_count VALUES (new.service, new.state, 1)
                    ON CONFLICT (service, state) DO UPDATE SET jobs = jobs + 1;
            END;
            CREATE TRIGGER job_count_delete AFTER DELETE ON job BEGIN
                UPDATE job_count SET jobs = jobs - 1 WHERE service = old.service AND state = old.state;
            END;
            CREATE TRIGGER job_count_update AFTER UPDATE OF service, state ON job
            WHEN old.state <> new.state OR old.service <> new.service BEGIN
                UPDATE job_count SET jobs = jobs - 1 WHERE service = old.service AND state = old.state;
                INSERT INTO job_count VALUES (new.service, new.state, 1)
                    ON CONFLICT (service, state) DO UPDATE SET jobs = jobs + 1;
            END;
            """
    )
}

extension ClusterState {
    /// - Throws: `StateStoreError` with `queueFull`.
    static func check(_ limits: QueueLimits, for service: ServiceName, _ database: Database) throws {
        guard limits.service != nil || limits.cluster != nil else { return }
        let waiting = try count("service = ? AND state = ?", [service.text, JobState.queued.rawValue], database)
        let all = limits.cluster == nil ? 0 : try count("state = ?", [JobState.queued.rawValue], database)
        if let refusal = limits.refusal(for: service, waiting: waiting, inCluster: all) {
            throw StateStoreError(code: .queueFull, message: refusal)
        }
    }

    /// How many jobs a filter matches, where the counts can tell.
    static func count(_ filter: JobFilter, _ database: Database) throws -> Int? {
        guard filter == JobFilter(service: filter.service, states: filter.states, limit: filter.limit) else {
            return nil
        }
        var condition = "1"
        var arguments = StatementArguments()
        if let service = filter.service {
            condition += " AND service = ?"
            arguments += [service.text]
        }
        if !filter.states.isEmpty {
            condition += " AND state IN (\(filter.states.map { _ in "?" }.joined(separator: ", ")))"
            arguments += StatementArguments(filter.states.map(\.rawValue))
        }
        return try count(condition, arguments, database)
    }

    private static func count(_ condition: String, _ arguments: StatementArguments, _ database: Database) throws -> Int
    {
        let statement = try database.cachedStatement(
            sql: "SELECT coalesce(sum(jobs), 0) FROM job_count WHERE \(condition)")
        return try Int.fetchOne(statement, arguments: arguments) ?? 0
    }

    /// How many jobs are in each state.
    package func jobCounts() async throws(StateStoreError) -> [JobState: Int] {
        try await read { database in
            var counts: [JobState: Int] = [:]
            let rows = try Row.fetchAll(database, sql: "SELECT state, sum(jobs) AS jobs FROM job_count GROUP BY state")
            for row in rows {
                guard let state = JobState(rawValue: row["state"]), let jobs: Int = row["jobs"], jobs > 0 else {
                    continue
                }
                counts[state] = jobs
            }
            return counts
        }
    }
}
