import GRDB
import Model

extension ClusterState {
    /// Moves the times at which something is to be tried again, because the wall clock was set by so much: pauses stay
    /// as long as they were.
    package func moveSchedules(by step: Duration) async throws(StateStoreError) {
        try await write { database in
            try database.execute(
                sql: "UPDATE delivery SET next_attempt = next_attempt + ?", arguments: [step.nanoseconds])
            try database.execute(
                sql: "UPDATE job SET not_before = not_before + ? WHERE not_before IS NOT NULL",
                arguments: [step.nanoseconds]
            )
        }
    }
}
