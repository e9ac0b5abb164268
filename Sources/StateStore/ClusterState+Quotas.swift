import DurableSQLite
import GRDB
package import Model

extension Schema {
    static let quotas = SchemaStep(
        "quotas of users",
        sql: """
            CREATE TABLE user_quota (
                user TEXT NOT NULL,
                field TEXT NOT NULL,
                amount INTEGER,                -- NULL for no limit
                PRIMARY KEY (user, field)
            ) STRICT, WITHOUT ROWID;
            """
    )
}

extension ClusterState {
    /// How the quotas of users differ from that of everybody, by user.
    package func quotas() async throws(StateStoreError) -> [String: QuotaOverrides] {
        try await read { database in
            var quotas: [String: QuotaOverrides] = [:]
            for row in try Row.fetchAll(database, sql: "SELECT user, field, amount FROM user_quota") {
                // One that a later version wrote is none of ours.
                guard let field = QuotaField(rawValue: row["field"]) else { continue }
                let amount: Int64? = row["amount"]
                quotas[row["user"], default: [:]][field] = amount.map { .most($0) } ?? .unlimited
            }
            return quotas
        }
    }

    /// Changes a user's quota.
    ///
    /// - Returns: how it differs from that of everybody now.
    package func changeQuota(
        of user: String,
        to overrides: QuotaOverrides,
        resetting resets: Set<QuotaField>
    ) async throws(StateStoreError) -> QuotaOverrides {
        try await write { database in
            for field in resets {
                try database.execute(
                    sql: "DELETE FROM user_quota WHERE user = ? AND field = ?", arguments: [user, field.rawValue])
            }
            for (field, limit) in overrides {
                try database.execute(
                    sql: "INSERT OR REPLACE INTO user_quota (user, field, amount) VALUES (?, ?, ?)",
                    arguments: [user, field.rawValue, limit.amount])
            }
            var now: QuotaOverrides = [:]
            let sql = "SELECT field, amount FROM user_quota WHERE user = ?"
            for row in try Row.fetchAll(database, sql: sql, arguments: [user]) {
                guard let field = QuotaField(rawValue: row["field"]) else { continue }
                let amount: Int64? = row["amount"]
                now[field] = amount.map { .most($0) } ?? .unlimited
            }
            return now
        }
    }
}
