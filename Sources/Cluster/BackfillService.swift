package import Logging
package import Model
package import ObjectEngine
import ServiceLifecycle
package import StateStore

/// Makes jobs for objects that are there already, as if each had just been put.
///
/// Goes through a bucket in the order of keys, one page after another; a page's jobs and the place behind it are one
/// transaction, so whatever is interrupted goes on exactly there. Waits while many jobs of the service wait.
package final class BackfillService: Service {
    /// How a backfill goes.
    package struct Settings: Sendable {
        /// How many objects a page has.
        package var page = 500
        /// With so many waiting jobs of the service, nothing is added.
        package var mostWaiting = 2000
        /// How long to wait then.
        package var pause = Duration.milliseconds(250)

        package init() {}
    }

    private let store: ObjectStore
    private let state: ClusterState
    private let catalog: ServiceCatalog
    private let notifications: Notifications
    private let scheduler: JobScheduler
    private let settings: Settings
    private let now: @Sendable () -> Instant
    private let logger: Logger
    private let signal = Signal()

    package init(
        store: ObjectStore,
        state: ClusterState,
        catalog: ServiceCatalog,
        notifications: Notifications,
        scheduler: JobScheduler,
        settings: Settings = Settings(),
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) {
        self.store = store
        self.state = state
        self.catalog = catalog
        self.notifications = notifications
        self.scheduler = scheduler
        self.settings = settings
        self.now = now
        self.logger = logger
    }

    // MARK: Orders

    /// Begins a backfill, or goes on with the one that has the token.
    ///
    /// - Parameter again: whether one that is done begins anew.
    /// - Throws: `ClusterError` with `notFound`, `alreadyExists`, `invalid`, `failed`.
    package func begin(_ new: NewBackfill, again: Bool) async throws -> BackfillRecord {
        guard let service = catalog[new.service] else { throw JobBoard.noService(new.service) }
        guard let facts = try await store.facts(of: new.bucket) else {
            throw ClusterError(code: .notFound, message: "there is no bucket \"\(new.bucket)\"")
        }
        let hasInput = service.definition.input.contains { input in
            input.provider == .clusterStore && input.bucketName == new.bucket && input.events.contains(.created)
                && (input.keyPrefix.hasPrefix(new.prefix) || new.prefix.hasPrefix(input.keyPrefix))
        }
        guard hasInput || facts.settings[.notification] != nil else {
            let place = new.prefix.isEmpty ? new.bucket.text : "\(new.bucket)/\(new.prefix)"
            throw ClusterError(
                code: .invalid,
                message: "no input of \"\(new.service)\" takes objects from \(place); its inputs are "
                    + service.definition.input.map(\.path).joined(separator: ", ")
            )
        }
        let begun = try await JobBoard.translating { try await state.begin(new, again: again, at: now()) }
        signal.send()
        return begun
    }

    /// - Throws: `ClusterError` with `notFound`.
    package func backfill(_ id: Int64, of service: ServiceName) async throws -> BackfillRecord {
        guard let found = try await state.backfill(id), found.service == service else {
            throw ClusterError(code: .notFound, message: "the service \"\(service)\" has no backfill \(id)")
        }
        return found
    }

    /// The newest first.
    ///
    /// - Throws: `ClusterError` with `notFound` where there is no such service.
    package func backfills(of service: ServiceName) async throws -> [BackfillRecord] {
        guard catalog[service] != nil else { throw JobBoard.noService(service) }
        return try await state.backfills(of: service)
    }

    /// Stops a backfill where it is; jobs that were made stay.
    ///
    /// - Throws: `ClusterError` with `notFound`.
    package func cancel(_ id: Int64, of service: ServiceName) async throws -> BackfillRecord {
        _ = try await backfill(id, of: service)
        _ = try await state.endBackfill(id, as: .cancelled, message: "it was cancelled", at: now())
        return try await backfill(id, of: service)
    }

    // MARK: Work

    package func run() async throws {
        signal.send()
        await cancelWhenGracefulShutdown { [self] in
            for await _ in signal.rings {
                while !Task.isCancelled, let pause = await turn() {
                    if pause > .zero { try? await Task.sleep(for: pause) }  // Cancellation is seen by the loop.
                }
            }
        }
    }

    /// One page of each backfill that is under way.
    ///
    /// - Returns: how long to wait for the next turn; `nil` where none is under way.
    private func turn() async -> Duration? {
        do {
            let running = try await state.backfills(running: true)
            var isHeldUp = true
            for backfill in running.reversed() where try await step(backfill) { isHeldUp = false }
            return running.isEmpty ? nil : isHeldUp ? settings.pause : .zero
        } catch {
            if Task.isCancelled { return nil }
            logger.error("a backfill cannot go on; trying again", metadata: ["error": "\(error)"])
            return .seconds(2)
        }
    }

    /// - Returns: `false` where it waits for jobs to run.
    private func step(_ backfill: BackfillRecord) async throws -> Bool {
        if !backfill.isDryRun, try await state.hasWaiting(settings.mostWaiting, of: backfill.service) { return false }
        let page: Listing
        do throws(ObjectStoreError) {
            page = try await store.list(
                bucket: backfill.bucket, prefix: backfill.prefix, after: backfill.afterKey, limit: settings.page)
        } catch {
            guard error.code == .noSuchBucket else { throw error }
            let message = "the bucket \"\(backfill.bucket)\" is not there any more"
            _ = try await state.endBackfill(backfill.id, as: .failed, message: message, at: now())
            return true
        }
        let events = try await taken(page.objects, backfill)
        let step = BackfillStep(
            jobs: backfill.isDryRun ? [] : events.map { job(for: backfill.service, $0) }, seen: page.objects.count,
            counted: backfill.isDryRun ? events.count : 0, afterKey: page.next)
        let advanced = try await state.advance(backfill, by: step, at: now())
        if !step.jobs.isEmpty { scheduler.jobsAdded(to: backfill.service) }
        if let advanced, advanced.state == .done {
            logger.info(
                "a backfill is done",
                metadata: [
                    "service": "\(advanced.service)", "bucket": "\(advanced.bucket)", "objects": "\(advanced.seen)",
                    "jobs": "\(advanced.jobs)",
                ])
        }
        return true
    }

    /// The events of those objects that the service takes.
    private func taken(_ objects: [ObjectRecord], _ backfill: BackfillRecord) async throws -> [ObjectEvent] {
        let all = objects.filter { backfill.includes($0.lastModified) }.map {
            ObjectEvent(of: $0, principal: backfill.principal)
        }
        let targets = try await notifications.targets(of: all)
        return zip(all, targets).filter { event, targets in
            notifications.services(for: targets, of: event).contains(backfill.service)
        }.map(\.0)
    }

    private func job(for service: ServiceName, _ event: ObjectEvent) -> NewJob {
        NewJob(
            name: JobName(service: service, unique: UniqueID.uuid()), service: service, eventSequence: nil,
            input: ObjectLocation(bucket: event.bucket, key: event.key), principal: event.principal,
            event: event.minioJSON().bytes(), created: now()
        )
    }
}

extension BackfillRecord {
    /// What is younger than the backfill has, or had, an event of its own.
    fileprivate func includes(_ modified: Instant) -> Bool { modified <= created && modified >= since ?? modified }
}

extension ObjectEvent {
    /// The event of an object that is there already; later than all that the store has told.
    fileprivate init(of record: ObjectRecord, principal: String) {
        self.init(
            sequence: .max, cause: record.partCount == nil ? .put : .multipart, bucket: record.bucket, key: record.key,
            size: record.size, eTag: record.eTag, contentType: record.attributes.contentType,
            userMetadata: record.attributes.userMetadata, time: record.lastModified, principal: principal,
            sourceAddress: "")
    }
}
