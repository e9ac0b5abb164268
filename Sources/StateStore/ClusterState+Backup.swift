import DurableSQLite
import GRDB
package import Model

/// A file beside the database that a job needs.
package struct WaitingFile: Sendable, Hashable {
    /// Where a list goes on.
    package let place: Int64
    package let job: JobName
    /// The name of a result in the job's delivery folder; `nil` for the job's event.
    package let result: String?
    /// Whether the job cannot go on without it; a job that has failed only keeps its event to be run again by hand.
    package let isRequired: Bool
}

extension ClusterState {
    /// Opens the store in a file for reading only, also while a server writes it.
    ///
    /// - Throws: `StateStoreError` with `database`: the file cannot be opened, or is of another version.
    package static func openReadOnly(at path: String) async throws(StateStoreError) -> ClusterState {
        do {
            return ClusterState(database: try await DurableDatabase.openReadOnly(at: path, steps: Schema.steps))
        } catch {
            throw StateStoreError(
                code: .database, message: "the cluster's state in \(path) cannot be read", cause: error)
        }
    }

    /// Writes a copy of all, as it is at one moment, to a new file; writers go on meanwhile.
    ///
    /// - Throws: `StateStoreError` with `database`.
    package func copy(to path: String) async throws(StateStoreError) {
        do { try await database.copy(to: path) } catch {
            throw StateStoreError(code: .database, message: "the cluster's state cannot be copied", cause: error)
        }
    }

    /// The files that hold events of jobs which are still to run, or may be run again.
    ///
    /// - `place`: 0 for the begin, then that of the last one.
    package func eventFiles(after place: Int64, limit: Int) async throws(StateStoreError) -> [WaitingFile] {
        let running: Set<JobState> = [.queued, .stagingIn, .running, .stagingOut]
        return try await read { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT number, name, state FROM job
                    WHERE number > ? AND state != ? AND event IS NULL AND input_key IS NULL
                    ORDER BY number LIMIT ?
                    """,
                arguments: [place, JobState.succeeded.rawValue, limit]
            )
            return try rows.map { row in
                WaitingFile(
                    place: row[0],
                    job: try JobName(row[1] as String),
                    result: nil,
                    isRequired: JobState(rawValue: row[2] as String).map(running.contains) ?? false
                )
            }
        }
    }

    /// The files of results that wait for their delivery.
    ///
    /// - `place`: 0 for the begin, then that of the last one.
    package func deliveryFiles(after place: Int64, limit: Int) async throws(StateStoreError) -> [WaitingFile] {
        try await read { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT id, job.name, file FROM delivery JOIN job ON job.number = delivery.job
                    WHERE id > ? ORDER BY id LIMIT ?
                    """,
                arguments: [place, limit]
            )
            return try rows.map {
                WaitingFile(place: $0[0], job: try JobName($0[1] as String), result: $0[2], isRequired: true)
            }
        }
    }
}
