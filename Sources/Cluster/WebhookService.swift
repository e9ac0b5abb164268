package import AsyncHTTPClient
package import Logging
import Metrics
import NIOCore
import NIOHTTP1
import Scheduling
import ServiceLifecycle
package import StateStore

/// Tells webhooks what they are to be told: each in order, at least once, and again and again until it has taken it.
///
/// What waits is in the database, so a webhook that is down costs no memory, and no other webhook waits for it.
package final class WebhookService: Service {
    /// How many deliveries a line has in memory.
    private static let batch = 16
    /// How much of an answer is read.
    private static let answerLimit = 64 << 10

    private let state: ClusterState
    private let webhooks: [Webhook]
    private let notifications: Notifications
    private let httpClient: HTTPClient
    private let backoff: Backoff
    private let timeout: Duration
    private let logger: Logger

    /// - Parameters:
    ///   - timeout: how long one delivery may take.
    package init(
        state: ClusterState,
        webhooks: [Webhook],
        notifications: Notifications,
        httpClient: HTTPClient,
        longestPause: Duration,
        timeout: Duration = .seconds(10),
        logger: Logger
    ) {
        self.state = state
        self.webhooks = webhooks
        self.notifications = notifications
        self.httpClient = httpClient
        backoff = Backoff(ceiling: longestPause)
        self.timeout = timeout
        self.logger = logger
    }

    package func run() async throws {
        guard !webhooks.isEmpty else {
            try await gracefulShutdown()
            return
        }
        await cancelWhenGracefulShutdown { [self] in
            await withDiscardingTaskGroup { group in
                for webhook in webhooks { group.addTask { [self] in await serve(webhook) } }
            }
        }
    }

    /// Until the task is cancelled.
    private func serve(_ webhook: Webhook) async {
        guard let signal = notifications.signal(of: webhook.name) else { return }
        let counters = Counters(webhook)
        var rings = signal.rings.makeAsyncIterator()
        var failures = 0
        while !Task.isCancelled {
            do {
                let waiting = try await state.webhookDeliveries(to: webhook.name, limit: Self.batch)
                guard !waiting.isEmpty else {
                    guard await rings.next() != nil else { return }
                    continue
                }
                let (taken, failure) = await tell(webhook, waiting)
                counters.delivered.increment(by: taken.count)
                if let last = taken.last {
                    try await state.webhook(webhook.name, tookThrough: last.id)
                    if failures > 0 {
                        logger.notice("a webhook answers again", metadata: ["webhook": "\(webhook.name)"])
                    }
                    failures = 0
                }
                guard let failure, !Task.isCancelled else { continue }
                failures += 1
                counters.failed.increment()
                await pause(webhook, failure, after: failures)
            } catch {
                guard !Task.isCancelled else { return }
                failures += 1
                logger.error("deliveries to webhooks cannot be read or recorded", metadata: ["error": "\(error)"])
                await pause(webhook, nil, after: failures)
            }
        }
    }

    /// One after another until one is not taken.
    private func tell(
        _ webhook: Webhook,
        _ deliveries: [WebhookDelivery]
    ) async -> (taken: ArraySlice<WebhookDelivery>, failure: String?) {
        for (index, delivery) in deliveries.enumerated() {
            if let failure = await post(delivery.body, to: webhook) { return (deliveries[..<index], failure) }
        }
        return (deliveries[...], nil)
    }

    /// - Returns: why it was not taken; `nil` where it was.
    private func post(_ body: [UInt8], to webhook: Webhook) async -> String? {
        var request = HTTPClientRequest(url: webhook.url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: "User-Agent", value: "Apus")
        if let authorization = webhook.authorization {
            request.headers.add(name: "Authorization", value: authorization)
        }
        request.body = .bytes(ByteBuffer(bytes: body))
        let (httpClient, timeout, prepared) = (httpClient, timeout, request)
        return await withTaskGroup(of: String?.self) { group in
            group.addTask {
                do {
                    let answer = try await httpClient.execute(prepared, timeout: .nanoseconds(timeout.nanoseconds))
                    // Read for the connection to be of use again; what it says is of no interest.
                    _ = try? await answer.body.collect(upTo: Self.answerLimit)
                    return (200...299).contains(answer.status.code) ? nil : "it answered \(answer.status.code)"
                } catch { return "\(error)" }
            }
            group.addTask {
                // Ends early where the delivery has ended.
                try? await Task.sleep(for: timeout)
                return "it did not answer within \(timeout)"
            }
            let outcome = await group.next() ?? nil
            group.cancelAll()
            return outcome
        }
    }

    private func pause(_ webhook: Webhook, _ failure: String?, after failures: Int) async {
        var random = SystemRandomNumberGenerator()
        let pause = backoff.delay(afterAttempt: failures, using: &random)
        if let failure {
            logger.warning(
                "a webhook does not take an event; trying again",
                metadata: [
                    "webhook": "\(webhook.name)", "error": "\(failure)", "failures": "\(failures)",
                    "retry.seconds": "\(pause.seconds)",
                ]
            )
        }
        try? await Task.sleep(for: pause)  // Cancellation is seen by the loop.
    }

    private struct Counters {
        let delivered: Counter
        let failed: Counter

        init(_ webhook: Webhook) {
            func counter(_ outcome: String) -> Counter {
                Counter(
                    label: "apus_webhook_deliveries_total",
                    dimensions: [("webhook", webhook.name), ("outcome", outcome)]
                )
            }
            delivered = counter("delivered")
            failed = counter("failed")
        }
    }
}
