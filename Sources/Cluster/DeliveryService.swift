package import AsyncHTTPClient
package import Logging
import Metrics
package import Model
import Providers
import Scheduling
import ServiceLifecycle
package import StateStore
import Synchronization
import SystemPackage

/// Takes finished results to storages outside this cluster, and tries again for as long as it takes.
package final class DeliveryService: Service {
    /// How many deliveries a line takes on at once.
    private static let batch = 128
    /// How many due deliveries are looked through for a destination that is free.
    private static let maximumWindow = 128 << 7
    /// How long to wait before looking again where some that are due cannot begin yet.
    private static let pause = Duration.seconds(1)

    private let data: DataDirectory
    private let state: ClusterState
    private let catalog: ServiceCatalog
    private let httpClient: HTTPClient
    private let backoff: Backoff
    private let signal: Signal
    private let steps: JobSteps
    private let now: @Sendable () -> Instant
    private let logger: Logger
    private let lines = Mutex(DeliveryLines())
    private let bytes = Counter(label: "apus_delivered_bytes_total")
    private let delivered = Counter(label: "apus_deliveries_total", dimensions: [("outcome", "delivered")])
    private let failed = Counter(label: "apus_deliveries_total", dimensions: [("outcome", "failed")])

    package init(
        data: DataDirectory,
        state: ClusterState,
        catalog: ServiceCatalog,
        httpClient: HTTPClient,
        longestPause: Duration,
        signal: Signal,
        steps: JobSteps,
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) {
        self.data = data
        self.state = state
        self.catalog = catalog
        self.httpClient = httpClient
        backoff = Backoff(ceiling: longestPause)
        self.signal = signal
        self.steps = steps
        self.now = now
        self.logger = logger
    }

    package func run() async throws {
        signal.send()
        await cancelWhenGracefulShutdown { [self] in
            await withDiscardingTaskGroup { group in
                var timer: Task<Void, any Error>?
                for await _ in signal.rings {
                    timer?.cancel()
                    timer = await wakeUp(after: beginLines(in: &group))
                }
                timer?.cancel()
            }
        }
    }

    /// Begins a line to each destination for which something is due; answers when to look again, `nil` for not before
    /// there is news.
    ///
    /// Nobody waits for a line's end: a storage that is slow or down holds up nobody else.
    private func beginLines(in group: inout DiscardingTaskGroup) async -> Duration? {
        do {
            lines.withLock { $0.prepare() }
            var limit = Self.batch
            while true {
                let due = try await state.dueDeliveries(at: now(), limit: limit)
                guard !due.isEmpty else { return try await state.nextDelivery().map { max(.zero, $0 - now()) } }
                if beginLines(due, in: &group) || due.count < limit || limit >= Self.maximumWindow { break }
                // All of these belong to destinations that are at work or rest. Others may come behind them.
                limit *= 2
            }
            return lines.withLock { $0.nextEndOfRest(after: now()) }.map { min($0 - now(), Self.pause) } ?? Self.pause
        } catch {
            if !Task.isCancelled { logger.error("deliveries cannot be read", metadata: ["error": "\(error)"]) }
            return .seconds(5)
        }
    }

    /// Answers whether a line has begun.
    private func beginLines(_ due: [DeliveryRecord], in group: inout DiscardingTaskGroup) -> Bool {
        let byDestination = Dictionary(grouping: due) {
            DeliveryLines.Destination(service: $0.service, provider: $0.provider)
        }
        var hasBegun = false
        for (destination, deliveries) in byDestination {
            let version = catalog[destination.service]?.version
            guard lines.withLock({ $0.begin(destination, version: version, at: now()) }) else { continue }
            hasBegun = true
            group.addTask { [self] in
                await deliver(deliveries.prefix(Self.batch), to: destination, version: version)
                lines.withLock { $0.end(destination) }
                signal.send()
            }
        }
        return hasBegun
    }

    private func wakeUp(after wait: Duration?) -> Task<Void, any Error>? {
        guard let wait else { return nil }
        // Ends by itself; `run` cancels it when there is news or the end has come.
        return Task { [signal] in
            try await Task.sleep(for: wait)
            signal.send()
        }
    }

    /// One after another, until the storage is down.
    private func deliver(
        _ deliveries: ArraySlice<DeliveryRecord>,
        to destination: DeliveryLines.Destination,
        version: Int64?
    ) async {
        do {
            for (index, delivery) in zip(deliveries.indices, deliveries) {
                guard !Task.isCancelled else { return }
                do {
                    try await put(delivery)
                } catch {
                    guard !Task.isCancelled else { return }
                    failed.increment()
                    guard error.isTransient else {
                        try await postpone([delivery], by: pause(after: delivery.attempts), error.message)
                        continue
                    }
                    let pause = pause(after: max(delivery.attempts, failureCount(of: destination)))
                    rest(destination, version: version, for: pause)
                    return try await postpone(deliveries[index...], by: pause, error.message)
                }
                lines.withLock { $0.succeeded(destination) }
                try await arrived(delivery)
            }
        } catch {
            if !Task.isCancelled { logger.error("a delivery cannot be recorded", metadata: ["error": "\(error)"]) }
            rest(destination, version: version, for: .seconds(5))
        }
    }

    private func failureCount(of destination: DeliveryLines.Destination) -> Int {
        lines.withLock { $0.failureCount(of: destination) }
    }

    private func rest(_ destination: DeliveryLines.Destination, version: Int64?, for pause: Duration) {
        let now = now()
        lines.withLock { $0.failed(destination, version: version, until: now + pause, at: now) }
    }

    private func pause(after attempts: Int) -> Duration {
        var random = SystemRandomNumberGenerator()
        return backoff.delay(afterAttempt: attempts + 1, using: &random)
    }

    private func arrived(_ delivery: DeliveryRecord) async throws {
        delivered.increment()
        bytes.increment(by: delivery.size.bytes)
        if let end = try await state.delivered(delivery, at: now()) { await steps.perform(end) }
        logger.info(
            "result delivered",
            metadata: ["job.name": "\(delivery.jobName)", "provider": "\(delivery.provider)"]
        )
    }

    private func put(_ delivery: DeliveryRecord) async throws(ProviderError) {
        guard let service = catalog[delivery.service] else {
            throw ProviderError(.invalidConfiguration, "the service is gone")
        }
        guard let id = ProviderID(delivery.provider) else {
            throw ProviderError(.invalidConfiguration, "\"\(delivery.provider)\" is no provider")
        }
        let provider = try ProviderFactory.make(
            for: id, in: service.definition.storageProviders, httpClient: httpClient)
        let file = data.deliveries.appending(delivery.jobName.text).appending(delivery.file)
        try await provider.put(file: file, name: delivery.name, at: delivery.path)
    }

    private func postpone(
        _ deliveries: ArraySlice<DeliveryRecord>,
        by pause: Duration,
        _ message: String
    ) async throws {
        guard let first = deliveries.first else { return }
        logger.warning(
            "a result cannot be delivered now",
            metadata: [
                "job.name": "\(first.jobName)", "provider": "\(first.provider)", "error": "\(message)",
                "retry.seconds": "\(pause.seconds)", "waiting": "\(deliveries.count)",
            ]
        )
        for delivery in deliveries {
            try await state.deliveryFailed(delivery, error: message, next: now() + pause)
        }
    }
}
