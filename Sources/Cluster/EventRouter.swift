package import Logging
import Metrics
package import Model
package import ObjectEngine
import ServiceLifecycle
package import StateStore

/// Turns the object store's events into jobs, one for each event and each service that it triggers, and into what
/// webhooks are to be told.
///
/// Its place in the sequence of events is committed together with both, so an event is neither lost nor doubled,
/// wherever the program dies.
package final class EventRouter: Service {
    /// How many events are committed at once.
    private static let batch = 256
    /// How many routed events may stay in the object store's outbox before they are discarded there.
    private static let discardAfter: Int64 = 1024

    private let store: ObjectStore
    private let state: ClusterState
    private let catalog: ServiceCatalog
    private let scheduler: JobScheduler
    private let notifications: Notifications
    private let now: @Sendable () -> Instant
    private let logger: Logger
    private let eventCounter = Counter(label: "apus_events_total")

    package init(
        store: ObjectStore,
        state: ClusterState,
        catalog: ServiceCatalog,
        scheduler: JobScheduler,
        notifications: Notifications,
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) {
        self.store = store
        self.state = state
        self.catalog = catalog
        self.scheduler = scheduler
        self.notifications = notifications
        self.now = now
        self.logger = logger
    }

    package func run() async throws {
        var position = try await state.routerPosition()
        var discarded = position
        let signal = store.eventSignal.cancelOnGracefulShutdown()
        for await _ in signal {
            position = await routeAllPatiently(after: position)
            if position - discarded >= Self.discardAfter, await discard(through: position) { discarded = position }
        }
        // What comes after the signal's end is routed at the next start.
        _ = await discard(through: position)
    }

    /// Tries until all events are routed or the cluster stops.
    ///
    /// On a full disk, for example, they stay in the object store until then.
    private func routeAllPatiently(after start: Int64) async -> Int64 {
        var position = start
        while true {
            do {
                try await routeAll(after: &position)
                return position
            } catch {
                if Task.isCancelled || Task.isShuttingDownGracefully { return position }
                logger.error("events cannot be routed; trying again", metadata: ["error": "\(error)"])
                // Ends early where the cluster stops.
                try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .seconds(1)) }
            }
        }
    }

    private func discard(through position: Int64) async -> Bool {
        do {
            // The jobs first: where commits do not wait for the disk, a power cut must not leave neither.
            try await state.synchronize()
            return try await store.discardEvents(through: position)
        } catch {
            logger.warning("routed events cannot be discarded yet", metadata: ["error": "\(error)"])
            return false
        }
    }

    private func routeAll(after position: inout Int64) async throws {
        while true {
            let events = try await store.events(after: position, limit: Self.batch)
            guard let last = events.last else { return }
            var batch = Batch()
            for event in events { try await add(event, to: &batch) }
            try await state.route(batch.jobs, webhooks: batch.deliveries, upTo: last.sequence)
            eventCounter.increment(by: events.count)
            position = last.sequence
            for service in Set(batch.jobs.map(\.service)) { scheduler.jobsAdded(to: service) }
            for webhook in Set(batch.deliveries.map(\.webhook)) { notifications.ring(webhook) }
        }
    }

    /// What some events come to.
    private struct Batch {
        var jobs: [NewJob] = []
        var deliveries: [NewWebhookDelivery] = []
    }

    private func add(_ event: ObjectEvent, to batch: inout Batch) async throws {
        let targets = try await notifications.targets(of: event)
        let byInput = event.cause.isCreation ? catalog.services(triggeredBy: (event.bucket, event.key)) : []
        let services = Set(byInput).union(targets.services).sorted()
        guard !services.isEmpty || !targets.webhooks.isEmpty else { return }
        let document = event.minioJSON().bytes()
        batch.jobs += services.map { job(for: $0, event, document) }
        batch.deliveries += targets.webhooks.map {
            NewWebhookDelivery(webhook: $0, eventSequence: event.sequence, body: document)
        }
    }

    private func job(for service: ServiceName, _ event: ObjectEvent, _ document: [UInt8]) -> NewJob {
        let name = JobName(service: service, unique: UniqueID.uuid())
        logger.debug("event routed", metadata: ["job.name": "\(name)", "event.sequence": "\(event.sequence)"])
        return NewJob(
            name: name,
            service: service,
            eventSequence: event.sequence,
            input: ObjectLocation(bucket: event.bucket, key: event.key),
            principal: event.principal,
            event: document,
            created: now()
        )
    }
}
