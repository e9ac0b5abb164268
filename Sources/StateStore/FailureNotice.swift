import FoundationEssentials
import GRDB
package import Model

/// What a service's failure output is to be told of a job, about to be committed together with the job's end.
package struct NewFailureNotice: Sendable {
    package var target: FailureOutput
    /// The job's event; `nil` where it cannot be read or is too large to be told.
    package var event: [UInt8]?
    /// The last lines of the last attempt's log.
    package var log: [String]

    package init(target: FailureOutput, event: [UInt8]?, log: [String]) {
        (self.target, self.event, self.log) = (target, event, log)
    }

    func insert(about job: JobRecord, at now: Instant, _ database: Database) throws {
        let document = Data(try document(about: job, AttemptRecord.all(of: job.number, database)).bytes())
        let folder: StorageIO? = if case .folder(let folder) = target { folder } else { nil }
        try database.execute(
            sql: "INSERT INTO failure_notice (bucket, key, principal, document) VALUES (?, ?, ?, ?)",
            arguments: [
                folder?.bucket ?? "", folder?.key(for: "\(job.name).json") ?? "", job.principal, document,
            ]
        )
        guard case .webhook(let webhook) = target else { return }
        // Its line is durable already; a number below zero is no event's, and this one is never given again.
        let id = database.lastInsertedRowID
        try ClusterState.insert(
            NewWebhookDelivery(webhook: webhook, eventSequence: -id, body: Array(document)), database)
        try database.execute(sql: "DELETE FROM failure_notice WHERE id = ?", arguments: [id])
    }

    private func document(about job: JobRecord, _ attempts: [AttemptRecord]) -> JSONValue {
        func time(_ instant: Instant) -> JSONValue { .string(instant.rfc3339(fractionDigits: 9)) }
        var object: JSONObject = [
            "job": .string(job.name.text), "service": .string(job.service.text), "state": .string(job.state.rawValue),
        ]
        object["message"] = job.message.map { .string($0) }
        object["created"] = time(job.created)
        object["finished"] = job.finished.map(time)
        object["input"] = job.input.map { .object(["bucket": .string($0.bucket.text), "key": .string($0.key.text)]) }
        object["attempts"] = .array(attempts.map(\.json))
        if let event {
            if let json = try? JSONValue.parse(bytes: event) {
                object["event"] = json
            } else {
                // What is no JSON travels as it may: in base 64.
                object["event_base64"] = .string(Base64.encode(event))
            }
        }
        object["log"] = .strings(log)
        return .object(object)
    }
}

/// What a folder of this cluster's store is still to get.
package struct FailureNotice: Sendable, Hashable {
    package var id: Int64
    package var bucket: String
    package var key: String
    package var principal: String
    package var document: [UInt8]
}

extension ClusterState {
    /// The oldest notices after that identifier.
    package func failureNotices(after id: Int64, limit: Int) async throws(StateStoreError) -> [FailureNotice] {
        try await read { database in
            try Row.fetchAll(
                database,
                sql: "SELECT * FROM failure_notice WHERE id > ? ORDER BY id LIMIT ?",
                arguments: [id, limit]
            ).map { row in
                let document: Data = row["document"]
                return FailureNotice(
                    id: row["id"], bucket: row["bucket"], key: row["key"], principal: row["principal"],
                    document: Array(document))
            }
        }
    }

    /// Records that a notice is where it belongs.
    package func removeFailureNotice(_ id: Int64) async throws(StateStoreError) {
        try await write { database in
            try database.execute(sql: "DELETE FROM failure_notice WHERE id = ?", arguments: [id])
        }
    }
}
