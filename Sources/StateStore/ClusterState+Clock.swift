import GRDB
import Model

extension ClusterState {
    /// Columns that say when something is to be tried again, by the wall clock.
    private static let tries = [("delivery", "next_attempt"), ("job", "not_before")]

    /// Moves the times at which something is to be tried again, because the wall clock was set by so much: pauses stay
    /// as long as they were.
    package func moveSchedules(by step: Duration) async throws(StateStoreError) {
        try await write { database in
            for (table, column) in Self.tries
            where try database.columns(in: table).contains(where: { $0.name == column }) {
                try database.execute(
                    sql: "UPDATE \(table) SET \(column) = \(column) + ? WHERE \(column) IS NOT NULL",
                    arguments: [step.nanoseconds]
                )
            }
        }
    }
}
