import GRDB
package import Model

extension ClusterState {
    /// Lets nothing wait longer than until now for its next try.
    ///
    /// Times of next tries are the wall clock's, since they outlive the program. After the clock was set, or the program was
    /// away, nobody knows whether a time that lies ahead is still meant so; to try too early does no harm.
    package func makeSchedulesDue(at now: Instant) async throws(StateStoreError) {
        try await write { database in
            try database.execute(
                sql: "UPDATE delivery SET next_attempt = ?1 WHERE next_attempt > ?1", arguments: [now.nanoseconds])
            try database.execute(
                sql: "UPDATE job SET not_before = ?1 WHERE not_before > ?1", arguments: [now.nanoseconds])
        }
    }
}
