import FoundationEssentials
import GRDB

/// What a webhook is to be told, about to be committed.
package struct NewWebhookDelivery: Sendable, Hashable {
    package let webhook: String
    /// The event's sequence number, with which the delivery is unique per webhook.
    package let eventSequence: Int64
    package let body: [UInt8]
    /// The event's `traceparent`.
    package let trace: String?

    package init(webhook: String, eventSequence: Int64, body: [UInt8], trace: String? = nil) {
        (self.webhook, self.eventSequence, self.body, self.trace) = (webhook, eventSequence, body, trace)
    }
}

extension ClusterState {
    static func insert(_ delivery: NewWebhookDelivery, _ database: Database) throws {
        let statement = try database.cachedStatement(
            sql: """
                INSERT INTO webhook_delivery (webhook, event_sequence, body, trace) VALUES (?, ?, ?, ?)
                ON CONFLICT DO NOTHING
                """
        )
        try statement.execute(
            arguments: [delivery.webhook, delivery.eventSequence, Data(delivery.body), delivery.trace])
    }

    /// The oldest deliveries to a webhook after that one, in order.
    package func webhookDeliveries(
        to webhook: String,
        after id: Int64 = 0,
        limit: Int
    ) async throws(StateStoreError) -> [Int64] {
        try await read { database in
            try Int64.fetchAll(
                database,
                sql: "SELECT id FROM webhook_delivery WHERE webhook = ? AND id > ? ORDER BY id LIMIT ?",
                arguments: [webhook, id, limit]
            )
        }
    }

    /// What a webhook is to be told; `nil` where that does not wait any more.
    package func webhookDelivery(
        _ id: Int64
    ) async throws(StateStoreError) -> (body: [UInt8], trace: String?)? {
        try await read { database in
            try Row.fetchOne(
                database, sql: "SELECT body, trace FROM webhook_delivery WHERE id = ?", arguments: [id]
            ).map { (Array($0["body"] as Data), $0["trace"]) }
        }
    }

    /// Records that a webhook has taken everything up to that delivery, that included.
    package func webhook(_ webhook: String, tookThrough id: Int64) async throws(StateStoreError) {
        try await write { database in
            try database.execute(
                sql: "DELETE FROM webhook_delivery WHERE webhook = ? AND id <= ?", arguments: [webhook, id])
        }
    }

    /// How many deliveries wait, by webhook; those for which nothing waits are left out.
    package func webhookDeliveryCounts() async throws(StateStoreError) -> [String: Int] {
        try await read { database in
            let rows = try Row.fetchAll(
                database, sql: "SELECT webhook, count(*) AS waiting FROM webhook_delivery GROUP BY webhook")
            return Dictionary(uniqueKeysWithValues: rows.map { ($0["webhook"] as String, $0["waiting"] as Int) })
        }
    }

    /// Gives up what a webhook is still to be told.
    ///
    /// - Returns: how many deliveries that were.
    package func dropWebhookDeliveries(to webhook: String) async throws(StateStoreError) -> Int {
        try await write { database in
            try database.execute(sql: "DELETE FROM webhook_delivery WHERE webhook = ?", arguments: [webhook])
            return database.changesCount
        }
    }

    /// Remembers that these webhooks were declared, and answers all that ever were.
    package func declareWebhooks(_ names: [String]) async throws(StateStoreError) -> Set<String> {
        try await write { database in
            for name in names {
                try database.execute(
                    sql: "INSERT INTO webhook (name) VALUES (?) ON CONFLICT DO NOTHING", arguments: [name])
            }
            return try String.fetchSet(database, sql: "SELECT name FROM webhook")
        }
    }

    /// Forgets a webhook with what it was still to be told.
    ///
    /// - Returns: how many deliveries that were.
    package func forgetWebhook(_ name: String) async throws(StateStoreError) -> Int {
        try await write { database in
            try database.execute(sql: "DELETE FROM webhook WHERE name = ?", arguments: [name])
            try database.execute(sql: "DELETE FROM webhook_delivery WHERE webhook = ?", arguments: [name])
            return database.changesCount
        }
    }
}
