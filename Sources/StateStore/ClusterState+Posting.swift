import FoundationEssentials
import GRDB
package import Model

/// What makes a post the same as an earlier one.
package struct PostKey: Sendable, Hashable {
    /// Unique within a service.
    package var text: String
    /// Of the body; empty where any body will do.
    package var digest: [UInt8]

    package init(text: String, digest: [UInt8] = []) { (self.text, self.digest) = (text, digest) }
}

/// What became of a post.
package enum PostOutcome: Sendable, Hashable {
    case queued
    /// The same was posted before.
    case known(JobName)
    /// Something else was posted under the same key.
    case mismatch
}

extension ClusterState {
    /// Commits one job that a client posted, unless the same was posted before.
    ///
    /// - Throws: `alreadyExists` where a job has that name; `notFound` where the service is gone; `queueFull`.
    @discardableResult
    package func enqueue(
        _ job: NewJob,
        key: PostKey? = nil,
        limits: QueueLimits = QueueLimits()
    ) async throws(StateStoreError) -> PostOutcome {
        try await write { database in
            if let key, let known = try Self.outcome(of: key, job.service, database) { return known }
            try Self.check(limits, for: job.service, database)
            try Self.insert(job, database)
            guard database.changesCount == 0 else {
                if let key { try Self.insert(key, job.service, database.lastInsertedRowID, database) }
                return .queued
            }
            let sql = "SELECT EXISTS (SELECT 1 FROM job WHERE name = ?)"
            if try Bool.fetchOne(database, sql: sql, arguments: [job.name.text]) == true {
                throw StateStoreError(code: .alreadyExists, message: "a job \"\(job.name)\" exists already")
            }
            throw StateStoreError(code: .notFound, message: "there is no service \"\(job.service)\"")
        }
    }

    /// What a post of that key would come to; `nil` where it is new.
    package func outcome(of key: PostKey, for service: ServiceName) async throws(StateStoreError) -> PostOutcome? {
        try await read { try Self.outcome(of: key, service, $0) }
    }

    private static func outcome(
        of key: PostKey,
        _ service: ServiceName,
        _ database: Database
    ) throws -> PostOutcome? {
        let row = try Row.fetchOne(
            database,
            sql: """
                SELECT digest, job.name AS name FROM job_key JOIN job ON job.number = job_key.job
                WHERE job_key.service = ? AND key = ?
                """,
            arguments: [service.text, key.text]
        )
        guard let row else { return nil }
        let digest: Data = row["digest"]
        return Array(digest) == key.digest ? .known(try JobName(row["name"] as String)) : .mismatch
    }

    private static func insert(_ key: PostKey, _ service: ServiceName, _ job: Int64, _ database: Database) throws {
        try database.execute(
            sql: "INSERT INTO job_key (service, key, digest, job) VALUES (?, ?, ?, ?)",
            arguments: [service.text, key.text, Data(key.digest), job]
        )
    }
}
