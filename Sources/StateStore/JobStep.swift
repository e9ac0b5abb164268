import GRDB
package import Model
package import Scheduling

/// What a step of a job's life came to.
package struct JobChange: Sendable {
    /// The job after it.
    package var job: JobRecord
    package var previous: JobState
    /// What the shell has to do now.
    package var actions: [JobLifeCycle.Action]
}

/// A step of a job's life: what happened, and what is recorded with it, in one transaction.
struct JobStep: Sendable {
    let number: Int64
    let events: [JobLifeCycle.Event]
    let now: Instant
    var result = AttemptResult()
    var deliveries: [NewDelivery] = []
    var notice: NewFailureNotice?

    /// Takes the step; `nil` where there is no such job, or where the events come too late: nothing changes then.
    func take(_ database: Database) throws -> JobChange? {
        let select = try database.cachedStatement(sql: "SELECT \(JobRecord.columns) FROM job WHERE number = ?")
        guard let row = try Row.fetchOne(select, arguments: [number]) else { return nil }
        var job = try JobRecord(row: row)
        let previous = job.state
        var cycle = JobLifeCycle(
            state: job.state, attempts: job.attempts, failures: try failures(before: job, database))
        guard let actions = cycle.handle(events) else { return nil }
        (job.state, job.attempts) = (cycle.state, cycle.attempts)
        if previous.isFinal, !cycle.state.isFinal {
            job.begin(round: cycle.attempts)
            // What was given up before is made anew.
            try database.execute(sql: "UPDATE job SET lost_results = 0 WHERE number = ?", arguments: [number])
        }
        if actions.contains(where: { if case .beginAttempt = $0 { true } else { false } }) { job.clearResult() }
        job.take(result)
        for action in actions { try record(action, &job, database) }
        try write(job, database)
        if actions.contains(.tellFailure) { try notice?.insert(about: job, at: now, database) }
        return JobChange(job: job, previous: previous, actions: actions)
    }

    /// The failures of the job's round; looked up only where they matter.
    private func failures(before job: JobRecord, _ database: Database) throws -> JobLifeCycle.Failures {
        var failures = JobLifeCycle.Failures()
        guard events.contains(where: { if case .attemptFailed = $0 { true } else { false } }) else { return failures }
        let rows = try Row.fetchAll(
            database,
            sql: "SELECT outcome, count(*) AS count FROM attempt WHERE job = ? AND number > ? GROUP BY outcome",
            arguments: [number, job.round]
        )
        for row in rows {
            switch (row["outcome"] as String?).flatMap(AttemptOutcome.init(rawValue:)) {
            case .script: failures.script = row["count"]
            case .timeout: failures.timeout = row["count"]
            case .infrastructure: failures.infrastructure = row["count"]
            case .succeeded, .input, .output, .cancelled, .lost, nil: break
            }
        }
        return failures
    }

    private func record(_ action: JobLifeCycle.Action, _ job: inout JobRecord, _ database: Database) throws {
        switch action {
        case .beginAttempt(let attempt): try begin(attempt, database)
        case .endAttempt(let outcome): try end(outcome, job, database)
        case .retry(let pause): job.notBefore = now + pause
        case .enqueue: job.notBefore = nil
        case .finish: (job.finished, job.notBefore) = (now, nil)
        case .deliver: try ClusterState.insert(deliveries, of: number, at: now, database)
        case .dropDeliveries:
            try database.execute(sql: "DELETE FROM delivery WHERE job = ?", arguments: [number])
        case .stopWork, .storeResults, .tellFailure: break
        }
    }

    private func begin(_ attempt: Int, _ database: Database) throws {
        let statement = try database.cachedStatement(
            sql: "INSERT OR REPLACE INTO attempt (job, number, begun, node, sandbox) VALUES (?, ?, ?, ?, ?)")
        try statement.execute(arguments: [
            number, attempt, now.nanoseconds, result.node, result.sandbox?.rawValue ?? "",
        ])
    }

    private func end(_ outcome: AttemptOutcome, _ job: JobRecord, _ database: Database) throws {
        let statement = try database.cachedStatement(
            sql: """
                UPDATE attempt SET started = ?, ended = ?, outcome = ?, exit_code = ?, signal = ?, out_of_memory = ?,
                    stage_in = ?, run = ?, stage_out = ?, cpu_time = ?, peak_memory = ?, message = ?
                WHERE job = ? AND number = ?
                """
        )
        try statement.execute(arguments: [
            job.started?.nanoseconds, now.nanoseconds, outcome.rawValue, job.exitCode, result.signal,
            result.isOutOfMemory, job.stageIn?.nanoseconds, job.run?.nanoseconds, job.stageOut?.nanoseconds,
            result.cpuTime?.nanoseconds, result.peakMemory?.bytes, result.message, number, job.attempts,
        ])
    }

    private func write(_ job: JobRecord, _ database: Database) throws {
        let statement = try database.cachedStatement(
            sql: """
                UPDATE job SET state = ?, attempts = ?, started = ?, finished = ?, exit_code = ?, message = ?, stage_in = ?,
                    run = ?, stage_out = ?, not_before = ?, round = ? WHERE number = ?
                """
        )
        try statement.execute(arguments: [
            job.state.rawValue, job.attempts, job.started?.nanoseconds, job.finished?.nanoseconds, job.exitCode,
            job.message, job.stageIn?.nanoseconds, job.run?.nanoseconds, job.stageOut?.nanoseconds,
            job.notBefore?.nanoseconds, job.round, number,
        ])
    }
}

extension JobRecord {
    /// Begins anew: attempts up to that number do not count any more.
    fileprivate mutating func begin(round: Int) {
        self.round = round
        finished = nil
        clearResult()
    }

    fileprivate mutating func clearResult() {
        (started, exitCode, stageIn, run, stageOut) = (nil, nil, nil, nil, nil)
    }

    fileprivate mutating func take(_ result: AttemptResult) {
        message = result.message
        started = result.started ?? started
        exitCode = result.exitCode ?? exitCode
        stageIn = result.stageIn ?? stageIn
        run = result.run ?? run
        stageOut = result.stageOut ?? stageOut
    }
}
