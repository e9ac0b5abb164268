import DurableSQLite
import GRDB
package import Model

/// Since when a service is paused, and who paused it.
package struct ServicePause: Sendable, Hashable {
    package let since: Instant
    /// The name of who asked for it.
    package let principal: String

    package init(since: Instant, principal: String) {
        self.since = since
        self.principal = principal
    }
}

extension Schema {
    static let pauses = SchemaStep(
        "paused services",
        sql: """
            CREATE TABLE service_pause (
                service TEXT NOT NULL PRIMARY KEY REFERENCES service (name) ON DELETE CASCADE,
                since INTEGER NOT NULL,        -- nanoseconds since 1970
                principal TEXT NOT NULL
            ) WITHOUT ROWID;
            """
    )
}

extension ClusterState {
    /// All pauses, by service.
    package func pauses() async throws(StateStoreError) -> [ServiceName: ServicePause] {
        try await read { database in
            var pauses: [ServiceName: ServicePause] = [:]
            for row in try Row.fetchAll(database, sql: "SELECT service, since, principal FROM service_pause") {
                pauses[try ServiceName(row["service"] as String)] = ServicePause(
                    since: Instant(nanoseconds: row["since"]), principal: row["principal"])
            }
            return pauses
        }
    }

    /// Records a pause; one that is there already stays as it is.
    ///
    /// - Returns: the pause that holds.
    /// - Throws: `notFound` where there is no such service.
    package func pause(_ service: ServiceName, _ pause: ServicePause) async throws(StateStoreError) -> ServicePause {
        try await write { database in
            try database.execute(
                sql: """
                    INSERT INTO service_pause (service, since, principal)
                    SELECT name, ?, ? FROM service WHERE name = ? ON CONFLICT DO NOTHING
                    """,
                arguments: [pause.since.nanoseconds, pause.principal, service.text]
            )
            let sql = "SELECT since, principal FROM service_pause WHERE service = ?"
            guard let row = try Row.fetchOne(database, sql: sql, arguments: [service.text]) else {
                throw StateStoreError(code: .notFound, message: "there is no service \"\(service)\"")
            }
            return ServicePause(since: Instant(nanoseconds: row["since"]), principal: row["principal"])
        }
    }

    /// Forgets a service's pause; harmless where there is none.
    package func resume(_ service: ServiceName) async throws(StateStoreError) {
        try await write { database in
            try database.execute(sql: "DELETE FROM service_pause WHERE service = ?", arguments: [service.text])
        }
    }
}
