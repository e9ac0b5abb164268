import GRDB
package import Model

/// One attempt to run a job.
package struct AttemptRecord: Sendable, Hashable {
    /// From 1.
    package var number: Int
    /// When it began, with staging in.
    package var begun: Instant
    /// When its script started.
    package var started: Instant?
    package var ended: Instant?
    /// `nil` while it is under way.
    package var outcome: AttemptOutcome?
    package var exitCode: Int32?
    /// The signal that ended the script, where one did.
    package var signal: Int32?
    /// Whether the kernel ended the script for want of memory; `nil` where nobody knows.
    package var isOutOfMemory: Bool?
    package var stageIn: Duration?
    package var run: Duration?
    package var stageOut: Duration?
    /// User and system time of the script and all that it started; `nil` where nobody knows.
    package var cpuTime: Duration?
    /// The highest use of memory; `nil` as above.
    package var peakMemory: ByteCount?
    package var node: String
    package var sandbox: String
    /// What went wrong, in words.
    package var message: String?

    /// The attempt as the API and notices of failures tell it.
    package var json: JSONValue {
        func time(_ instant: Instant?) -> JSONValue? { instant.map { .string($0.rfc3339(fractionDigits: 9)) } }
        func seconds(_ duration: Duration?) -> JSONValue? { duration.map { .double(Double($0.nanoseconds) / 1e9) } }
        var object: JSONObject = ["number": .integer(number)]
        object["outcome"] = outcome.map { .string($0.rawValue) }
        object["begun"] = time(begun)
        object["started"] = time(started)
        object["ended"] = time(ended)
        object["exit_code"] = exitCode.map { .integer($0) }
        object["signal"] = signal.map { .integer($0) }
        // Said only of scripts that failed, where somebody may want to know; "unknown" is an answer.
        if outcome == .script { object["out_of_memory"] = isOutOfMemory.map { .bool($0) } ?? .string("unknown") }
        object["message"] = message.map { .string($0) }
        object["node"] = node.isEmpty ? nil : .string(node)
        object["sandbox"] = sandbox.isEmpty ? nil : .string(sandbox)
        var durations = JSONObject()
        durations["stage_in"] = seconds(stageIn)
        durations["run"] = seconds(run)
        durations["stage_out"] = seconds(stageOut)
        object["durations"] = .object(durations)
        object["cpu_seconds"] = seconds(cpuTime)
        object["peak_memory_bytes"] = peakMemory.map { .integer($0.bytes) }
        return .object(object)
    }
}

extension AttemptRecord {
    init(row: Row) throws {
        func instant(_ name: String) -> Instant? { (row[name] as Int64?).map(Instant.init(nanoseconds:)) }
        func duration(_ name: String) -> Duration? { (row[name] as Int64?).map(Duration.nanoseconds) }
        number = row["number"]
        begun = Instant(nanoseconds: row["begun"])
        (started, ended) = (instant("started"), instant("ended"))
        outcome = (row["outcome"] as String?).flatMap(AttemptOutcome.init(rawValue:))
        (exitCode, signal, isOutOfMemory) = (row["exit_code"], row["signal"], row["out_of_memory"])
        (stageIn, run, stageOut) = (duration("stage_in"), duration("run"), duration("stage_out"))
        (cpuTime, peakMemory) = (duration("cpu_time"), (row["peak_memory"] as Int64?).map(ByteCount.init))
        (node, sandbox, message) = (row["node"], row["sandbox"], row["message"])
    }

    static func all(of job: Int64, _ database: Database) throws -> [AttemptRecord] {
        try Row.fetchAll(database, sql: "SELECT * FROM attempt WHERE job = ? ORDER BY number", arguments: [job])
            .map(AttemptRecord.init(row:))
    }
}

extension ClusterState {
    /// The attempts of a job, in order.
    package func attempts(of job: Int64) async throws(StateStoreError) -> [AttemptRecord] {
        try await read { try AttemptRecord.all(of: job, $0) }
    }
}
