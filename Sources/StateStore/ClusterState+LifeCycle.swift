import FoundationEssentials
import GRDB
package import Model
package import Scheduling

extension ClusterState {
    /// Takes a step of a job's life, durably.
    ///
    /// - Parameters:
    ///   - result: what the attempt came to so far.
    ///   - deliveries: the results that wait for other storages from now on.
    ///   - notice: what the failure output is told, should the job end with this step.
    /// - Returns: what has to be done now; `nil` where there is no such job, or where the events come too late, because
    ///   somebody has cancelled it for example: nothing changes then.
    package func handle(
        _ events: [JobLifeCycle.Event],
        of number: Int64,
        at now: Instant,
        _ result: AttemptResult = AttemptResult(),
        deliveries: [NewDelivery] = [],
        notice: NewFailureNotice? = nil
    ) async throws(StateStoreError) -> JobChange? {
        try await write { database in
            try JobStep(
                number: number, events: events, now: now, result: result, deliveries: deliveries, notice: notice
            ).take(database)
        }
    }

    /// Puts the jobs that were under way when the program ended back into the queue.
    ///
    /// - Parameter resultsAreWhole: whether jobs whose results were being staged out go on from there; else these run
    ///   again, too.
    /// - Returns: how many run again, and the jobs that go on with staging out.
    package func recover(
        resultsAreWhole: Bool = true,
        at now: Instant
    ) async throws(StateStoreError) -> (requeued: Int, stagingOut: [JobRecord]) {
        try await write { database in
            let numbers = try Int64.fetchAll(
                database,
                sql: "SELECT number FROM job WHERE state IN (?, ?, ?) ORDER BY number",
                arguments: [
                    JobState.stagingIn.rawValue, JobState.running.rawValue, JobState.stagingOut.rawValue,
                ]
            )
            var requeued = 0
            var stagingOut: [JobRecord] = []
            let result = AttemptResult(message: "the program ended while the job ran; it runs again")
            for number in numbers {
                let events = [JobLifeCycle.Event.programEnded(resultsAreWhole: resultsAreWhole)]
                let step = JobStep(number: number, events: events, now: now, result: result)
                guard let change = try step.take(database) else { continue }
                if change.actions.contains(.storeResults) { stagingOut.append(change.job) } else { requeued += 1 }
            }
            return (requeued, stagingOut)
        }
    }

    // MARK: Waiting for the next attempt

    /// When the next job is due that waits for its next attempt; `nil` where none waits.
    package func nextRetry() async throws(StateStoreError) -> Instant? {
        try await read { database in
            try Int64.fetchOne(database, sql: "SELECT min(not_before) FROM job WHERE not_before IS NOT NULL")
                .map(Instant.init(nanoseconds:))
        }
    }

    /// Puts jobs whose pause is over in the queue, at most so many at once.
    ///
    /// - Returns: the services that have such.
    package func releaseRetries(at now: Instant, limit: Int) async throws(StateStoreError) -> Set<ServiceName> {
        try await write { database in
            let names = try String.fetchSet(
                database,
                sql: """
                    UPDATE job SET not_before = NULL WHERE number IN (
                        SELECT number FROM job WHERE not_before IS NOT NULL AND not_before <= ? ORDER BY not_before LIMIT ?
                    ) RETURNING service
                    """,
                arguments: [now.nanoseconds, limit]
            )
            return Set(try names.map { try ServiceName($0) })
        }
    }

    // MARK: Beginning anew

    /// Sends jobs that ended without success on their way again, at most so many as the filter's limit.
    ///
    /// - Returns: the jobs, in the queue now.
    package func sendAgain(_ filter: JobFilter, at now: Instant) async throws(StateStoreError) -> [JobRecord] {
        try await write { database in
            let (condition, arguments) = filter.unsuccessful.condition
            let numbers = try Int64.fetchAll(
                database,
                sql: "SELECT number FROM job \(condition) ORDER BY number LIMIT ?",
                arguments: arguments + [filter.limit]
            )
            return try numbers.compactMap {
                try JobStep(number: $0, events: [.sentAgain], now: now).take(database)?.job
            }
        }
    }

    /// Removes jobs that ended without success, at most so many as the filter's limit.
    ///
    /// - Returns: the jobs, whose files are still to be removed.
    package func purge(_ filter: JobFilter) async throws(StateStoreError) -> [JobRecord] {
        try await write { database in
            let (condition, arguments) = filter.unsuccessful.condition
            let rows = try Row.fetchAll(
                database,
                sql: """
                    DELETE FROM job WHERE number IN (SELECT number FROM job \(condition) ORDER BY number LIMIT ?)
                    RETURNING \(JobRecord.columns)
                    """,
                arguments: arguments + [filter.limit]
            )
            return try rows.map(JobRecord.init(row:))
        }
    }

    /// The event of a job; `nil` where it is kept in a file, or the job is gone.
    package func event(of number: Int64) async throws(StateStoreError) -> [UInt8]? {
        try await read { database in
            let sql = "SELECT event FROM job WHERE number = ?"
            return try Data.fetchOne(database, sql: sql, arguments: [number]).map(Array.init)
        }
    }
}

extension JobFilter {
    /// Only ends that somebody may want to begin anew.
    fileprivate var unsuccessful: JobFilter {
        var filter = self
        let all = Set(JobState.allCases.filter(\.isUnsuccessful))
        filter.states = states.isEmpty ? all : states.intersection(all)
        // No state at all would mean every state.
        if filter.states.isEmpty { filter.before = 0 }
        return filter
    }
}
