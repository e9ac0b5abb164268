import AsyncHTTPClient
import Metrics
import Model
import NIOCore
import NIOHTTP1
import S3Client
import S3Wire
import Scheduling
import StateStore

/// What one webhook is still to be told.
struct WebhookOutbox: Outbox {
    /// How much of an answer is read.
    private static let answerLimit = 64 << 10

    private let webhook: Webhook
    private let state: ClusterState
    private let httpClient: HTTPClient
    private let timeout: Duration
    private let now: @Sendable () -> Instant
    private let delivered: Counter
    private let failed: Counter

    var destination: String { "\(Self.prefix)\(webhook.name)" }

    /// What destinations of this kind begin with; no service's name has a colon.
    static let prefix = "webhook:"

    init(
        _ webhook: Webhook,
        state: ClusterState,
        httpClient: HTTPClient,
        timeout: Duration,
        now: @escaping @Sendable () -> Instant
    ) {
        self.webhook = webhook
        self.state = state
        self.httpClient = httpClient
        self.timeout = timeout
        self.now = now
        func counter(_ outcome: String) -> Counter {
            Counter(
                label: "apus_webhook_deliveries_total",
                dimensions: [("webhook", webhook.name), ("outcome", outcome)]
            )
        }
        (delivered, failed) = (counter("delivered"), counter("failed"))
    }

    func opening(at now: Instant) -> Instant? { nil }

    func entries(
        after id: Int64,
        at now: Instant,
        limit: Int
    ) async throws -> (due: [OutboxLine.Entry], nextDue: Instant?) {
        // All have the same key: none overtakes another.
        let ids = try await state.webhookDeliveries(to: webhook.name, after: id, limit: limit)
        return (ids.map { OutboxLine.Entry(id: $0, key: "") }, nil)
    }

    func send(_ id: Int64) async -> OutboxFailure? {
        do {
            guard let delivery = try await state.webhookDelivery(id) else { return nil }
            let answer: HTTPClientResponse
            do {
                answer = try await httpClient.execute(
                    request(delivery.body, trace: delivery.trace), timeout: .nanoseconds(timeout.nanoseconds))
            } catch {
                failed.increment()
                return OutboxFailure(.destination(retryAfter: nil), error.transferReason)
            }
            guard (200...299).contains(answer.status.code) else {
                failed.increment()
                await drain(answer)
                let wish = answer.headers.first(name: "Retry-After").flatMap { RetryAfter.parse($0, at: now()) }
                return OutboxFailure(.destination(retryAfter: wish), "it answered \(answer.status.code)")
            }
            // It has taken it, however long the rest of the answer takes.
            try await state.webhook(webhook.name, tookThrough: id)
            delivered.increment()
            await drain(answer)
            return nil
        } catch {
            return OutboxFailure(.destination(retryAfter: nil), "it cannot be read or recorded: \(error)")
        }
    }

    /// The line's own memory is enough: what is refused is tried again, whoever refused it.
    func failed(_ id: Int64, _ failure: OutboxFailure, next: Instant) async throws {}

    private func request(_ body: [UInt8], trace: String?) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: webhook.url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: "User-Agent", value: "Apus")
        if let trace { request.headers.add(name: "traceparent", value: trace) }
        if let authorization = webhook.authorization {
            request.headers.add(name: "Authorization", value: authorization)
        }
        request.body = .bytes(ByteBuffer(bytes: body))
        return request
    }

    /// Reads an answer, for the connection to be of use again; what it says is of no interest, nor whether it ends.
    private func drain(_ answer: HTTPClientResponse) async {
        await withTaskGroup { group in
            group.addTask { _ = try? await answer.body.collect(upTo: Self.answerLimit) }
            // Ends early where the answer has ended.
            group.addTask { [timeout] in try? await Task.sleep(for: timeout) }
            await group.next()
            group.cancelAll()
        }
    }
}
