package import Logging
package import Model
package import StateStore

/// A destination, what waits for it, and what its line does.
package struct DestinationView: Sendable {
    /// `service/provider`, or `webhook:name`.
    package var name: String
    package var waiting: Int
    /// Unknown for webhooks.
    package var bytes: ByteCount?
    /// When the oldest that waits came; unknown for webhooks.
    package var oldest: Instant?
    package var state: OutboxState
}

/// Shows what waits for other places, and lets people hurry or give it up.
package struct DeliveryDesk: Sendable {
    /// How much is given up in one transaction.
    private static let batch = 500

    private let state: ClusterState
    private let deliveries: DeliveryService
    private let webhooks: WebhookService
    private let now: @Sendable () -> Instant
    private let logger: Logger

    package init(
        state: ClusterState,
        deliveries: DeliveryService,
        webhooks: WebhookService,
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) {
        self.state = state
        self.deliveries = deliveries
        self.webhooks = webhooks
        self.now = now
        self.logger = logger
    }

    /// The destinations for which something waits, by name.
    ///
    /// - Parameter destination: only that one.
    /// - Throws: `StateStoreError`.
    package func destinations(_ destination: String? = nil) async throws -> [DestinationView] {
        var views = try await state.deliveryBacklogs().map { backlog in
            var line =
                deliveries.line(to: backlog.destination)
                ?? OutboxState(activity: .idle, active: 0, failures: 0, next: nil, lastError: nil)
            line.lastError = line.lastError ?? backlog.lastError
            return DestinationView(
                name: backlog.destination, waiting: backlog.waiting, bytes: backlog.bytes, oldest: backlog.oldest,
                state: line)
        }
        for (webhook, waiting) in try await state.webhookDeliveryCounts() {
            let undeclared = "no webhook of that name is declared"
            let line =
                webhooks.line(to: webhook)
                ?? OutboxState(activity: .idle, active: 0, failures: 0, next: nil, lastError: undeclared)
            views.append(
                DestinationView(
                    name: WebhookOutbox.prefix + webhook, waiting: waiting, bytes: nil, oldest: nil, state: line))
        }
        return views.filter { destination == nil || $0.name == destination }.sorted { $0.name < $1.name }
    }

    /// Tries at once what waits for a destination, or for all.
    ///
    /// - Returns: how much waits there.
    /// - Throws: `StateStoreError`; `ClusterError` with `notFound` where nothing waits for that destination.
    package func retry(_ destination: String?) async throws -> Int {
        let views = try await destinations(destination)
        if let destination, views.isEmpty { throw Self.nothingWaits(destination) }
        let webhook = destination.flatMap(Self.webhook)
        if webhook == nil {
            _ = try await state.retryDeliveries(to: destination, at: now())
            deliveries.retry(destination)
        }
        if destination == nil || webhook != nil { webhooks.retry(webhook) }
        return views.reduce(0) { $0 + $1.waiting }
    }

    /// Gives up all that waits for a destination; jobs that have nothing else to deliver end as failed.
    ///
    /// - Parameter principal: who wants it.
    /// - Returns: how much was given up.
    /// - Throws: `StateStoreError`; `ClusterError` with `notFound` where nothing waits for that destination.
    package func drop(_ destination: String, principal: String) async throws -> Int {
        guard try await !destinations(destination).isEmpty else { throw Self.nothingWaits(destination) }
        var count = 0
        if let webhook = Self.webhook(destination) {
            count = try await state.dropWebhookDeliveries(to: webhook)
            webhooks.withdrawn()
        } else {
            let message = "results for \(destination) were given up by \(principal)"
            while true {
                let lost = try await deliveries.drop(to: destination, message: message, limit: Self.batch)
                guard !lost.dropped.isEmpty else { break }
                count += lost.dropped.count
            }
            deliveries.withdrawn()
        }
        logger.warning(
            "what waited for a destination was given up",
            metadata: ["destination": "\(destination)", "dropped": "\(count)", "principal": "\(principal)"])
        return count
    }

    private static func webhook(_ destination: String) -> String? {
        destination.hasPrefix(WebhookOutbox.prefix) ? String(destination.dropFirst(WebhookOutbox.prefix.count)) : nil
    }

    private static func nothingWaits(_ destination: String) -> ClusterError {
        ClusterError(code: .notFound, message: "nothing waits for a destination \"\(destination)\"")
    }
}
