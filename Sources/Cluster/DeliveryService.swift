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
///
/// Each destination has a line of its own, from its first delivery to its last one.
package final class DeliveryService: Service {
    /// How many results go to one destination side by side.
    private static let parallel = 4
    /// How many uploads are aborted in one go.
    private static let batch = 100

    private let data: DataDirectory
    private let state: ClusterState
    private let catalog: ServiceCatalog
    private let httpClient: HTTPClient
    private let backoff: Backoff
    private let partSize: ByteCount
    private let quota: DeliveryQuota?
    private let hold: @Sendable (ByteCount?) -> Void
    private let recordSpan: SpanRecorder?
    private let isHolding = Atomic(false)
    private let signal: Signal
    private let steps: JobSteps
    private let now: @Sendable () -> Instant
    private let logger: Logger
    private let lines = Mutex<[String: Line]>([:])
    private let isAborting = Atomic(false)
    private let dropped = Counter(label: "apus_deliveries_dropped_total")

    private struct Line {
        let runner: OutboxRunner<StorageOutbox>
        /// The service's, when the line last began anew.
        var version: Int64?
    }

    /// - Parameters:
    ///   - longestPause: between two tries.
    ///   - partSize: what is larger goes in parts of this size, where the storage takes parts.
    ///   - quota: how much may wait; `nil` for whatever the disk holds.
    ///   - hold: called with the limit when that is passed and what would make more is to wait, and with `nil` when there
    ///     is room again.
    package init(
        data: DataDirectory,
        state: ClusterState,
        catalog: ServiceCatalog,
        httpClient: HTTPClient,
        longestPause: Duration,
        partSize: ByteCount = S3Provider.partSize,
        quota: DeliveryQuota? = nil,
        hold: @escaping @Sendable (ByteCount?) -> Void = { _ in },
        recordSpan: SpanRecorder? = nil,
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
        self.partSize = partSize
        self.quota = quota
        self.hold = hold
        self.recordSpan = recordSpan
        self.signal = signal
        self.steps = steps
        self.now = now
        self.logger = logger
    }

    package func run() async throws {
        signal.send()
        await cancelWhenGracefulShutdown { [self] in
            guard let context = await context() else { return }
            await withDiscardingTaskGroup { group in
                for await _ in signal.rings {
                    do {
                        try await holdBack()
                        try await dropExcess()
                        try await beginLines(context, in: &group)
                        try await abortUploads(context, in: &group)
                    } catch {
                        guard !Task.isCancelled else { return }
                        logger.error("deliveries cannot be read", metadata: ["error": "\(error)"])
                        try? await Task.sleep(for: .seconds(5))  // Cancellation is seen by the loop.
                        signal.send()
                    }
                }
            }
        }
    }

    /// `nil` where the task was cancelled.
    private func context() async -> StorageOutbox.Context? {
        while !Task.isCancelled {
            do {
                return StorageOutbox.Context(
                    data: data, state: state, catalog: catalog, steps: steps, httpClient: httpClient,
                    paces: LinkPaces(now: now),
                    partSize: partSize, newestAtStart: try await state.newestDelivery(),
                    arrived: { [self] in if isHolding.load(ordering: .relaxed) { signal.send() } },
                    recordSpan: recordSpan,
                    now: now, logger: logger)
            } catch {
                guard !Task.isCancelled else { return nil }
                logger.error("deliveries cannot be read", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: .seconds(5))  // Cancellation is seen by the loop.
            }
        }
        return nil
    }

    /// Begins a line to each destination that has none and for which something waits; tells the others.
    private func beginLines(
        _ context: StorageOutbox.Context,
        in group: inout DiscardingTaskGroup
    ) async throws {
        for text in try await state.deliveryDestinations() {
            guard let place = DeliveryDestination(text) else { continue }
            let version = catalog[place.service]?.version
            let known = lines.withLock { lines -> (runner: OutboxRunner<StorageOutbox>, isChanged: Bool)? in
                guard let line = lines[text] else { return nil }
                lines[text]?.version = version
                return (line.runner, line.version != version)
            }
            if let (runner, isChanged) = known {
                if isChanged { runner.retry() } else { runner.news() }
                continue
            }
            let runner = OutboxRunner(
                StorageOutbox(place, context), parallel: Self.parallel, backoff: backoff, now: now, logger: logger)
            lines.withLock { $0[text] = Line(runner: runner, version: version) }
            group.addTask { [self] in
                await runner.run(endsWhenEmpty: true)
                lines.withLock { $0[text] = nil }
                // Something may have come while it ended.
                signal.send()
            }
        }
    }

    /// Lets nothing start that makes more where more waits than may, until there is some room again.
    private func holdBack() async throws {
        guard let quota, quota.policy == .wait else { return }
        let waiting = try await state.deliveryBytes().bytes
        let isHolding = isHolding.load(ordering: .relaxed)
        // A little below, so that it does not start and stop with every result.
        guard isHolding ? waiting <= quota.limit.bytes / 10 * 9 : waiting >= quota.limit.bytes else { return }
        self.isHolding.store(!isHolding, ordering: .relaxed)
        hold(isHolding ? nil : quota.limit)
        logger.notice(
            isHolding
                ? "there is room for results again" : "jobs that deliver wait: too much waits for other storages",
            metadata: ["waiting": "\(ByteCount(waiting))", "quota": "\(quota.limit)"]
        )
    }

    /// Gives up the oldest results where more wait than may, and that is what is to happen then.
    private func dropExcess() async throws {
        guard let quota, quota.policy == .dropOldest else { return }
        while try await state.deliveryBytes() > quota.limit {
            let lost = try await drop(
                to: nil, keepingBytes: quota.limit,
                message: "its results were given up: more than \(quota.limit) waited for other storages",
                limit: Self.batch)
            guard !lost.dropped.isEmpty else { return }
            dropped.increment(by: lost.dropped.count)
            for line in lines.withLock({ Array($0.values) }) { line.runner.withdrawn() }
            for delivery in lost.dropped {
                logger.warning(
                    "a result was given up: too much waits for other storages",
                    metadata: [
                        "job.name": "\(delivery.jobName)", "destination": "\(delivery.service)/\(delivery.provider)",
                        "result": "\(delivery.name)", "quota": "\(quota.limit)",
                    ]
                )
            }
        }
    }

    /// Gives up the oldest results, with their files; the jobs that have nothing else to deliver end as failed.
    ///
    /// - Parameter keepingBytes: only as many as it takes for no more than that to wait; `nil` for all.
    func drop(
        to destination: String?,
        keepingBytes: ByteCount? = nil,
        message: String,
        limit: Int
    ) async throws -> DroppedDeliveries {
        let lost = try await state.dropDeliveries(
            to: destination, keepingBytes: keepingBytes, message: message, at: now(), limit: limit,
            failureOutput: { [catalog] in catalog[$0]?.definition.failureOutput })
        let folder = data.deliveries
        do {
            try await Folder.offload {
                for (job, file) in lost.files { try Folder.removeFile(folder.appending(job.text).appending(file)) }
            }
        } catch {
            logger.warning("files of deliveries that were given up are left", metadata: ["error": "\(error)"])
        }
        for end in lost.ended {
            await steps.perform(end, telling: catalog[end.job.service]?.definition.failureOutput)
        }
        return lost
    }

    // MARK: For people

    /// What the line to a destination does; `nil` where there is none.
    package func line(to destination: String) -> OutboxState? {
        lines.withLock { $0[destination]?.runner }?.current
    }

    /// Tries what waits for a destination, or for all, at once.
    func retry(_ destination: String?) {
        for (name, line) in lines.withLock({ $0 }) where destination == nil || destination == name {
            line.runner.retry()
        }
        signal.send()
    }

    /// Deliveries were given up: nobody is to wait for them.
    func withdrawn() {
        for line in lines.withLock({ Array($0.values) }) { line.runner.withdrawn() }
        signal.send()
    }

    // MARK: Uploads that were given up

    /// Aborts uploads that nobody will finish, for as long as it takes, beside the lines.
    private func abortUploads(_ context: StorageOutbox.Context, in group: inout DiscardingTaskGroup) async throws {
        guard try await !state.abandonedUploads(limit: 1).isEmpty else { return }
        guard isAborting.compareExchange(expected: false, desired: true, ordering: .relaxed).exchanged else { return }
        group.addTask { [self] in
            while !Task.isCancelled, await !abortUploads(context) {
                try? await Task.sleep(for: backoff.ceiling)  // Cancellation is seen by the loop.
            }
            isAborting.store(false, ordering: .relaxed)
        }
    }

    /// - Returns: whether none is left.
    private func abortUploads(_ context: StorageOutbox.Context) async -> Bool {
        var unreachable: Set<DeliveryDestination> = []
        do {
            let uploads = try await state.abandonedUploads(limit: Self.batch)
            for upload in uploads where !unreachable.contains(upload.destination) {
                if await StorageOutbox(upload.destination, context).abandon(upload) {
                    try await state.forgetAbandonedUpload(upload.id)
                } else {
                    unreachable.insert(upload.destination)
                }
            }
            return unreachable.isEmpty && uploads.count < Self.batch
        } catch {
            return false
        }
    }
}
