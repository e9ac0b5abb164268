import DurableSQLite
import GRDB
import Model

extension Schema {
    static let routedAhead = SchemaStep(
        "events that were routed before their turn",
        sql: """
            -- Their jobs are made; what is behind the router's place is forgotten.
            CREATE TABLE routed_ahead (sequence INTEGER PRIMARY KEY);
            """
    )
}

extension ClusterState {
    /// Commits the jobs of events before their turn.
    ///
    /// The router's place stays; when it comes to these events, their jobs are not made again, also where they have ended and
    /// were removed by then.
    package func routeAhead(_ jobs: [NewJob]) async throws(StateStoreError) {
        try await write { database in
            let isKnown = try database.cachedStatement(sql: "SELECT 1 FROM routed_ahead WHERE sequence = ?")
            let known = try Set(jobs.compactMap(\.eventSequence)).filter {
                try Int.fetchOne(isKnown, arguments: [$0]) != nil
            }
            let mark = try database.cachedStatement(sql: "INSERT INTO routed_ahead VALUES (?) ON CONFLICT DO NOTHING")
            for job in jobs {
                guard let sequence = job.eventSequence, !known.contains(sequence) else { continue }
                try Self.insert(job, database)
                try mark.execute(arguments: [sequence])
            }
        }
    }

    /// The events up to that number whose jobs were made before their turn; they are forgotten with this transaction.
    static func takeRoutedAhead(upTo position: Int64, _ database: Database) throws -> Set<Int64> {
        let select = try database.cachedStatement(sql: "SELECT sequence FROM routed_ahead WHERE sequence <= ?")
        let ahead = try Int64.fetchSet(select, arguments: [position])
        if !ahead.isEmpty {
            try database.execute(sql: "DELETE FROM routed_ahead WHERE sequence <= ?", arguments: [position])
        }
        return ahead
    }
}
