import GRDB
package import Model

extension ClusterState {
    /// Removes jobs of a service that ended before that instant, at most so many at once; answers their names.
    package func deleteEnded(
        of service: ServiceName,
        before instant: Instant,
        limit: Int
    ) async throws(StateStoreError) -> [JobName] {
        try await deleteJobs(
            "service = ? AND finished IS NOT NULL AND finished < ? ORDER BY finished LIMIT ?",
            [service.text, instant.nanoseconds, limit])
    }

    /// Removes ended jobs of a service but the newest `kept`, at most so many at once; answers their names.
    package func deleteEnded(
        of service: ServiceName,
        keeping kept: Int,
        limit: Int
    ) async throws(StateStoreError) -> [JobName] {
        try await deleteJobs(
            "service = ? AND finished IS NOT NULL ORDER BY finished DESC, number DESC LIMIT ? OFFSET ?",
            [service.text, limit, kept])
    }

    private func deleteJobs(
        _ which: String,
        _ arguments: StatementArguments
    ) async throws(StateStoreError) -> [JobName] {
        try await write { database in
            try Row.fetchAll(
                database,
                sql: "DELETE FROM job WHERE number IN (SELECT number FROM job WHERE \(which)) RETURNING name",
                arguments: arguments
            ).map { try JobName($0["name"] as String) }
        }
    }
}
