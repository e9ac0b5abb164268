package import Logging
import Metrics
package import Model
package import ObjectEngine
import ServiceLifecycle
package import StateStore

/// Turns the object store's events into jobs: one for each event and each service that it triggers.
///
/// Its place in the sequence of events is committed together with the jobs, so an event is neither lost nor doubled,
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
    private let now: @Sendable () -> Instant
    private let logger: Logger
    private let eventCounter = Counter(label: "apus_events_total")

    package init(
        store: ObjectStore,
        state: ClusterState,
        catalog: ServiceCatalog,
        scheduler: JobScheduler,
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) {
        self.store = store
        self.state = state
        self.catalog = catalog
        self.scheduler = scheduler
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
        do { try await store.discardEvents(through: position) } catch {
            logger.warning("routed events cannot be discarded yet", metadata: ["error": "\(error)"])
            return false
        }
        return true
    }

    private func routeAll(after position: inout Int64) async throws {
        while true {
            let events = try await store.events(after: position, limit: Self.batch)
            guard let last = events.last else { return }
            let jobs = events.flatMap(jobs(for:))
            try await state.route(jobs, upTo: last.sequence)
            eventCounter.increment(by: events.count)
            position = last.sequence
            for service in Set(jobs.map(\.service)) { scheduler.jobsAdded(to: service) }
        }
    }

    private func jobs(for event: ObjectEvent) -> [NewJob] {
        catalog.services(triggeredBy: (event.bucket, event.key)).map { service in
            let name = JobName(service: service, unique: UniqueID.uuid())
            logger.debug("event routed", metadata: ["job.name": "\(name)", "event.sequence": "\(event.sequence)"])
            return NewJob(
                name: name,
                service: service,
                eventSequence: event.sequence,
                input: ObjectLocation(bucket: event.bucket, key: event.key),
                principal: event.principal,
                event: event.minioJSON().bytes(),
                created: now()
            )
        }
    }
}
