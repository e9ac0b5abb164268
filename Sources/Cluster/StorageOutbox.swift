import AsyncHTTPClient
import Logging
import Metrics
import Model
import Providers
import S3Client
import Scheduling
import StateStore
import Synchronization
import SystemPackage

/// The results that wait for one storage outside this cluster, as one service knows it.
struct StorageOutbox: Outbox {
    /// What all lines share.
    struct Context: Sendable {
        let data: DataDirectory
        let state: ClusterState
        let catalog: ServiceCatalog
        let steps: JobSteps
        let httpClient: HTTPClient
        let paces: LinkPaces
        let partSize: ByteCount
        /// The newest delivery that an earlier run of the program may have tried.
        let newestAtStart: Int64
        /// Called when something has arrived.
        let arrived: @Sendable () -> Void
        let recordSpan: SpanRecorder?
        let now: @Sendable () -> Instant
        let logger: Logger
    }

    let place: DeliveryDestination
    private let context: Context
    private let tried = Tried()
    private let bytes: Counter
    private let delivered: Counter
    private let failed: Counter

    var destination: String { place.description }

    init(_ place: DeliveryDestination, _ context: Context) {
        (self.place, self.context) = (place, context)
        let label = [("destination", place.description)]
        bytes = Counter(label: "apus_delivered_bytes_total", dimensions: label)
        delivered = Counter(label: "apus_deliveries_total", dimensions: label + [("outcome", "delivered")])
        failed = Counter(label: "apus_deliveries_total", dimensions: label + [("outcome", "failed")])
    }

    func entries(
        after id: Int64,
        at now: Instant,
        limit: Int
    ) async throws -> (due: [OutboxLine.Entry], nextDue: Instant?) {
        let (due, next) = try await context.state.deliveries(to: destination, after: id, at: now, limit: limit)
        let entries = due.map {
            OutboxLine.Entry(id: $0.id, key: $0.key, attempts: $0.attempts, isBehind: $0.isBehind)
        }
        return (entries, next)
    }

    func opening(at now: Instant) -> Instant? {
        guard let id = ProviderID(place.provider), let service = context.catalog[place.service] else { return nil }
        return context.paces.opening(of: service.definition.storageProviders.link(id), at: now)
    }

    // MARK: Sending

    func send(_ id: Int64) async -> OutboxFailure? {
        do {
            // Read again: it may have come further, or have been withdrawn.
            guard let delivery = try await context.state.delivery(id) else { return nil }
            let begun = context.now()
            let trace = delivery.trace.flatMap { TraceContext(traceparent: $0) }
            let span = trace?.within(TraceContext.identifier(delivery.token, "deliver"))
            try await TraceContext.$current.withValue(span) { try await put(delivery) }
            try await arrived(delivery)
            if let span { record(span, of: delivery, parent: trace?.span, begun: begun) }
            return nil
        } catch let error as ProviderError {
            if error.code != .paused, error.code != .cancelled { failed.increment() }
            return OutboxFailure(error.setback, error.message)
        } catch {
            return OutboxFailure(.destination(retryAfter: nil), "it cannot be recorded: \(error)")
        }
    }

    /// Tells of the try that arrived.
    private func record(_ span: TraceContext, of delivery: DeliveryRecord, parent: UInt64?, begun: Instant) {
        guard span.isSampled, let recordSpan = context.recordSpan else { return }
        recordSpan(
            TraceSpan(
                context: span, parent: parent, name: "deliver", start: begun, end: context.now(),
                attributes: [
                    "apus.job.name": delivery.jobName.text, "apus.destination": destination,
                    "apus.result": delivery.name, "apus.delivery.attempts": "\(delivery.attempts + 1)",
                ]))
    }

    private func put(_ delivery: DeliveryRecord) async throws {
        guard let service = context.catalog[delivery.service] else {
            throw ProviderError(.invalidConfiguration, "the service is gone")
        }
        guard let id = ProviderID(delivery.provider) else {
            throw ProviderError(.invalidConfiguration, "\"\(delivery.provider)\" is no provider")
        }
        let declared = service.definition.storageProviders
        let provider = try ProviderFactory.make(
            for: id, in: declared, httpClient: context.httpClient, partSize: context.partSize)
        let mayHaveArrived =
            tried.insert(delivery.id) || delivery.attempts > 0 || delivery.id <= context.newestAtStart
        try await provider.put(
            Transfer(
                file: context.data.deliveries.appending(delivery.jobName.text).appending(delivery.file),
                name: delivery.name, path: delivery.path,
                record: try await record(of: delivery, mayHaveArrived: mayHaveArrived),
                pace: context.paces.pace(of: declared.link(id), to: declared.address(of: id))
            )
        )
    }

    private func record(of delivery: DeliveryRecord, mayHaveArrived: Bool) async throws -> UploadRecord {
        let state = context.state
        let id = delivery.id
        return UploadRecord(
            token: delivery.token, mayHaveArrived: mayHaveArrived, upload: delivery.upload,
            parts: delivery.upload == nil ? [:] : try await state.parts(ofDelivery: id),
            setUpload: { try await state.delivery(id, isUnderWayIn: $0, isGivenUp: $1) },
            addPart: { try await state.delivery(id, hasPart: $0, eTag: $1) }
        )
    }

    private func arrived(_ delivery: DeliveryRecord) async throws {
        let failureOutput = context.catalog[delivery.service]?.definition.failureOutput
        if let end = try await context.state.delivered(delivery, at: context.now(), failureOutput: failureOutput) {
            await context.steps.perform(end, telling: failureOutput)
        }
        tried.remove(delivery.id)
        context.arrived()
        delivered.increment()
        bytes.increment(by: delivery.size.bytes)
        context.logger.info(
            "result delivered",
            metadata: ["job.name": "\(delivery.jobName)", "provider": "\(delivery.provider)"]
        )
    }

    func failed(_ id: Int64, _ failure: OutboxFailure, next: Instant) async throws {
        guard let delivery = try await context.state.delivery(id) else { return }
        try await context.state.deliveryFailed(delivery, error: failure.message, next: next)
    }

    /// Aborts an upload that nobody will finish.
    ///
    /// - Returns: whether it is done with, also where nobody can abort it any more.
    func abandon(_ upload: AbandonedUpload) async -> Bool {
        guard let service = context.catalog[place.service], let id = ProviderID(place.provider) else { return true }
        do throws(ProviderError) {
            let provider = try ProviderFactory.make(
                for: id, in: service.definition.storageProviders, httpClient: context.httpClient)
            try await provider.abandon(upload.upload, of: upload.name, at: upload.path)
            return true
        } catch {
            return !error.isTransient && error.code != .cancelled
        }
    }

    /// The deliveries that this run of the program has begun to send and that have not arrived.
    private final class Tried: Sendable {
        private let ids = Mutex<Set<Int64>>([])

        /// Whether it was there already.
        func insert(_ id: Int64) -> Bool { ids.withLock { !$0.insert(id).inserted } }
        func remove(_ id: Int64) { ids.withLock { _ = $0.remove(id) } }
    }
}

extension ProviderError {
    fileprivate var setback: OutboxLine.Setback {
        switch code {
        case .unreachable, .full: .destination(retryAfter: retryAfter)
        case .refused, .invalidConfiguration, .local: .entry(retryAfter: retryAfter)
        case .paused, .cancelled: .interrupted
        }
    }
}
