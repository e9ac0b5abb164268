package import AsyncHTTPClient
package import Logging
import Metrics
package import Model
import Providers
import Scheduling
import ServiceLifecycle
package import StateStore
import SystemPackage

/// Takes finished results to storages outside this cluster, and tries again for as long as it takes.
package final class DeliveryService: Service {
    /// How many deliveries are looked at in one round.
    private static let batch = 128

    private let data: DataDirectory
    private let state: ClusterState
    private let catalog: ServiceCatalog
    private let httpClient: HTTPClient
    private let backoff: Backoff
    private let signal: Signal
    private let now: @Sendable () -> Instant
    private let logger: Logger
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
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) {
        self.data = data
        self.state = state
        self.catalog = catalog
        self.httpClient = httpClient
        backoff = Backoff(ceiling: longestPause)
        self.signal = signal
        self.now = now
        self.logger = logger
    }

    package func run() async throws {
        signal.send()
        await cancelWhenGracefulShutdown { [self] in
            var timer: Task<Void, any Error>?
            for await _ in signal.rings {
                timer?.cancel()
                timer = await wakeUp(after: deliverAll())
            }
            timer?.cancel()
        }
    }

    /// Tries all that is due; answers how long to wait, `nil` where nothing waits.
    private func deliverAll() async -> Duration? {
        do {
            while try await round() {}
            return try await state.nextDelivery().map { max(.zero, $0 - now()) }
        } catch {
            if !Task.isCancelled { logger.error("deliveries cannot be read", metadata: ["error": "\(error)"]) }
            return .seconds(5)
        }
    }

    private func wakeUp(after wait: Duration?) -> Task<Void, any Error>? {
        guard let wait else { return nil }
        // Ends by itself; `run` cancels it when there is news or the end has come.
        return Task { [signal] in
            try await Task.sleep(for: wait)
            signal.send()
        }
    }

    /// Tries what is due; false where nothing was.
    private func round() async throws -> Bool {
        let due = try await state.dueDeliveries(at: now(), limit: Self.batch)
        guard !due.isEmpty else { return false }
        // One line a destination: a storage that is down holds up nobody else, and is asked once a round.
        let lines = Dictionary(grouping: due) { Destination(service: $0.service, provider: $0.provider) }
        try await withThrowingDiscardingTaskGroup { group in
            for line in lines.values { group.addTask { [self] in try await deliver(line) } }
        }
        return true
    }

    private struct Destination: Hashable {
        let service: ServiceName
        let provider: String
    }

    private func deliver(_ line: [DeliveryRecord]) async throws {
        for (index, delivery) in line.enumerated() {
            try Task.checkCancellation()
            do {
                try await put(delivery)
            } catch {
                try Task.checkCancellation()
                failed.increment()
                let isDown = error.isTransient
                try await postpone(isDown ? Array(line[index...]) : [delivery], error.message)
                if isDown { return }
                continue
            }
            delivered.increment()
            bytes.increment(by: delivery.size.bytes)
            if try await state.delivered(delivery, at: now()) { await removeFolder(of: delivery.jobName) }
            logger.info(
                "result delivered",
                metadata: ["job.name": "\(delivery.jobName)", "provider": "\(delivery.provider)"]
            )
        }
    }

    private func put(_ delivery: DeliveryRecord) async throws(ProviderError) {
        guard let service = catalog[delivery.service] else {
            throw ProviderError(.invalidConfiguration, "the service is gone")
        }
        guard let id = ProviderID(delivery.provider) else {
            throw ProviderError(.invalidConfiguration, "\"\(delivery.provider)\" is no provider")
        }
        let provider = try ProviderFactory.make(for: id, in: service.definition.storageProviders, httpClient: httpClient)
        let file = data.deliveries.appending(delivery.jobName.text).appending(delivery.file)
        try await provider.put(file: file, name: delivery.name, at: delivery.path)
    }

    private func postpone(_ deliveries: [DeliveryRecord], _ message: String) async throws {
        guard let first = deliveries.first else { return }
        var random = SystemRandomNumberGenerator()
        let pause = backoff.delay(afterAttempt: first.attempts + 1, using: &random)
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

    private func removeFolder(of job: JobName) async {
        let folder = data.deliveries.appending(job.text)
        do { try await Folder.offload { try Folder.remove(folder) } } catch {
            logger.warning("a delivery folder cannot be removed", metadata: ["job.name": "\(job)", "error": "\(error)"])
        }
    }
}
