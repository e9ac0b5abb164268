package import Logging
import Metrics
package import Model
package import ObjectEngine
import S3Wire
import Scheduling
import ServiceLifecycle
package import StateStore

/// Turns the object store's events into jobs, one for each event and each service that it triggers, and into what
/// webhooks are to be told.
///
/// Its place in the sequence of events is committed together with both, so an event is neither lost nor doubled,
/// wherever the program dies. Where events come to nothing, the place is committed later: an upload that triggers nothing
/// costs no second commit.
package final class EventRouter: Service {
    /// How many events are committed at once.
    private static let batch = 256
    /// How many routed events may stay in the object store's outbox before they are discarded there.
    private static let discardAfter: Int64 = 1024
    /// The rest after events that came to nothing: so many uploads then share one look into the outbox, which takes
    /// longer than an upload.
    private static let rest = Duration.milliseconds(5)

    private let store: ObjectStore
    private let state: ClusterState
    private let catalog: ServiceCatalog
    private let scheduler: JobScheduler
    private let notifications: Notifications
    private let memory: EventMemory
    /// By which name the administrator's buckets are kept, beside those that no user can have; `nil` where there are no
    /// users.
    private let administrator: String?
    private let now: @Sendable () -> Instant
    private let logger: Logger
    private let eventCounter = Counter(label: "apus_events_total")

    package init(
        store: ObjectStore,
        state: ClusterState,
        catalog: ServiceCatalog,
        scheduler: JobScheduler,
        notifications: Notifications,
        memory: EventMemory,
        administrator: String? = nil,
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) {
        self.store = store
        self.state = state
        self.catalog = catalog
        self.scheduler = scheduler
        self.notifications = notifications
        self.memory = memory
        self.administrator = administrator
        self.now = now
        self.logger = logger
    }

    package func run() async throws {
        var position = try await state.routerPosition()
        // Those before it may still be there; they go with the next ones.
        var discarded = position
        let signal = store.eventSignal.cancelOnGracefulShutdown()
        for await _ in signal {
            let isIdle = await routeAllPatiently(after: &position, &discarded)
            if isIdle { try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.rest) } }
        }
        // What comes after the signal's end is routed at the next start.
        _ = await discard(through: position)
    }

    /// Tries until all events are routed or the cluster stops.
    ///
    /// On a full disk, for example, they stay in the object store until then.
    ///
    /// - Returns: whether they came to nothing.
    private func routeAllPatiently(after position: inout Int64, _ discarded: inout Int64) async -> Bool {
        while true {
            do {
                return try await routeAll(after: &position, &discarded)
            } catch {
                if Task.isCancelled || Task.isShuttingDownGracefully { return true }
                logger.error("events cannot be routed; trying again", metadata: ["error": "\(error)"])
                // Ends early where the cluster stops.
                try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .seconds(1)) }
            }
        }
    }

    private func discard(through position: Int64) async -> Bool {
        do {
            try await state.recordPassed()
            // The jobs first: where commits do not wait for the disk, a power cut must not leave neither.
            try await state.synchronize()
            return try await store.discardEvents(through: position)
        } catch {
            logger.warning("routed events cannot be discarded yet", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// Few are discarded at a time, also in a flood: uploads wait for each transaction.
    ///
    /// - Returns: whether they came to nothing.
    private func routeAll(after position: inout Int64, _ discarded: inout Int64) async throws -> Bool {
        var lanes = EventLanes()
        var isIdle = true
        while true {
            let events = try await store.events(after: position, limit: Self.batch)
            guard let last = events.last else { return isIdle }
            let batch = try await matches(of: events)
            memory.add(batch.events)
            if batch.isEmpty {
                state.pass(upTo: last.sequence)
            } else {
                isIdle = false
                try await state.route(
                    batch.jobs, webhooks: batch.deliveries, events: memory.take(), keepingEvents: memory.kept,
                    upTo: last.sequence)
            }
            eventCounter.increment(by: events.count)
            position = last.sequence
            if position - discarded >= Self.discardAfter, await discard(through: position) { discarded = position }
            for service in Set(batch.jobs.map(\.service)) { scheduler.jobsAdded(to: service) }
            for webhook in Set(batch.deliveries.map(\.webhook)) { notifications.ring(webhook) }
            let moreWait = events.count == Self.batch
            if let look = lanes.routed(events.map(\.bucket), through: position, moreWait: moreWait) {
                try await routeAhead(look, &lanes)
            }
            // What came meanwhile has rung again.
            guard moreWait else { return isIdle }
        }
    }

    /// Makes the jobs of what stands behind a flood.
    ///
    /// Webhooks are told in order, so not here.
    private func routeAhead(_ look: EventLanes.Look, _ lanes: inout EventLanes) async throws {
        let (events, through) = try await store.events(
            after: look.after, besides: look.besides, reach: look.reach, limit: look.limit)
        let batch = try await matches(of: events)
        if !batch.jobs.isEmpty { try await state.routeAhead(batch.jobs) }
        lanes.found(events.map(\.bucket), through: through)
        for service in Set(batch.jobs.map(\.service)) { scheduler.jobsAdded(to: service) }
    }

    /// What some events come to.
    private struct Batch {
        var jobs: [NewJob] = []
        var deliveries: [NewWebhookDelivery] = []
        var events: [RoutedEvent] = []

        var isEmpty: Bool { jobs.isEmpty && deliveries.isEmpty }
    }

    private func matches(of events: [ObjectEvent]) async throws -> Batch {
        var batch = Batch()
        let targets = try await notifications.targets(of: events)
        for (event, targets) in zip(events, targets) {
            let services = try await allowed(notifications.services(for: targets, of: event), targets, event)
            add(event, for: targets, services, to: &batch)
        }
        return batch
    }

    /// Those whose owners may read what came, for not even its name is told to others; and, of those that only the bucket's
    /// own rules name, those that the bucket's owner may see.
    private func allowed(
        _ services: [ServiceName],
        _ targets: Notifications.Targets,
        _ event: ObjectEvent
    ) async throws -> [ServiceName] {
        guard !services.isEmpty else { return [] }
        let access = BucketAccess(store: store)
        let byInput = targets.services.isEmpty ? Set(services) : Set(catalog.services(triggeredBy: event))
        var allowed: [ServiceName] = []
        for name in services {
            guard let service = catalog[name]?.definition else { continue }
            if !byInput.contains(name), let facts = try await store.facts(of: event.bucket),
                !isAdministrator(facts.owner), !Principal(owner: facts.owner).may(.read, service)
            {
                continue
            }
            let isAllowed = try await access.allowsOwner(of: service, .getObject, event.bucket, key: event.key)
            // Of a bucket that is gone meanwhile the job says so.
            if isAllowed != false { allowed.append(name) }
        }
        return allowed
    }

    private func isAdministrator(_ owner: String) -> Bool {
        administrator.map { owner == $0 || UserID.reserved.contains(owner) } ?? true
    }

    private func add(
        _ event: ObjectEvent,
        for targets: Notifications.Targets,
        _ services: [ServiceName],
        to batch: inout Batch
    ) {
        let isForNobody = services.isEmpty && targets.webhooks.isEmpty
        batch.events.append(
            RoutedEvent(
                event, services: services, webhooks: targets.webhooks,
                reason: isForNobody ? catalog.whyNobody(hears: event) : nil))
        guard !isForNobody else { return }
        let document = event.minioJSON().bytes()
        batch.jobs += services.map { job(for: $0, event, document) }
        batch.deliveries += targets.webhooks.map {
            NewWebhookDelivery(
                webhook: $0, eventSequence: event.sequence, body: document, trace: event.trace)
        }
    }

    private func job(for service: ServiceName, _ event: ObjectEvent, _ document: [UInt8]) -> NewJob {
        let name = JobName(service: service, unique: UniqueID.uuid())
        logger.debug("event routed", metadata: ["job.name": "\(name)", "event.sequence": "\(event.sequence)"])
        var job = NewJob(
            name: name,
            service: service,
            eventSequence: event.sequence,
            input: ObjectLocation(bucket: event.bucket, key: event.key),
            principal: event.principal,
            event: document,
            created: now()
        )
        job.trace = event.trace
        return job
    }
}
