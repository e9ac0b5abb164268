import Logging
package import Model
import Scheduling
package import StateStore
import Synchronization
import SystemPackage

/// A job as people and scripts see it: its record, and why it waits.
package struct JobView: Sendable {
    package var record: JobRecord
    /// What it waits for, or how it ended, in words.
    package var reason: String?
    package var deliveries: [DeliveryRecord]
}

/// Posts, lists, follows and removes jobs.
package final class JobBoard: Sendable {
    /// Events up to this size are kept in the database, larger ones in a file.
    private static let inlineEvent = 64 << 10
    /// How many ended jobs are removed in one transaction.
    private static let batch = 500

    private let data: DataDirectory
    private let state: ClusterState
    private let catalog: ServiceCatalog
    private let scheduler: JobScheduler
    private let logs: JobLogs
    private let lines: DeliveryLineReasons
    private let queueLimit: Int?
    private let now: @Sendable () -> Instant
    /// Names that other clusters gave and that are being posted right now.
    private let names = Mutex<Set<JobName>>([])

    /// - Parameter queueLimit: how many jobs of all services together may wait; `nil` for no limit.
    package init(
        data: DataDirectory,
        state: ClusterState,
        catalog: ServiceCatalog,
        scheduler: JobScheduler,
        logs: JobLogs,
        lines: DeliveryLineReasons = DeliveryLineReasons(),
        queueLimit: Int? = nil,
        now: @escaping @Sendable () -> Instant
    ) {
        self.lines = lines
        self.data = data
        self.state = state
        self.catalog = catalog
        self.scheduler = scheduler
        self.logs = logs
        self.queueLimit = queueLimit
        self.now = now
    }

    // MARK: Posting

    /// Queues a job with that event; durable when this returns.
    ///
    /// - Parameter name: what another cluster calls the job; a new name where `nil`.
    /// - Throws: `ClusterError` with `notFound`, `alreadyExists`, `busy` where too many wait, `unavailable` where the disk has
    ///   no room, `failed`.
    package func post(
        _ event: [UInt8],
        to service: ServiceName,
        name: JobName?,
        principal: String
    ) async throws -> JobName {
        guard catalog[service] != nil else { throw Self.noService(service) }
        try scheduler.checkStorage()
        guard let name else {
            return try await post(event, to: service, as: JobName(service: service, unique: UniqueID.uuid()), principal)
        }
        // Before the event's file is written: it must not replace that of another job.
        guard names.withLock({ $0.insert(name).inserted }) else { throw Self.nameIsTaken(name) }
        defer { _ = names.withLock { $0.remove(name) } }
        do {
            guard try await state.job(named: name) == nil else { throw Self.nameIsTaken(name) }
        } catch { throw Self.translate(error) }
        return try await post(event, to: service, as: name, principal)
    }

    private func post(
        _ event: [UInt8],
        to service: ServiceName,
        as name: JobName,
        _ principal: String
    ) async throws -> JobName {
        let isInline = event.count <= Self.inlineEvent
        let path = data.events.appending(name.text)
        if !isInline { try await Folder.offload { try Folder.writeDurably(path, event, mode: 0o600) } }
        do {
            try await state.enqueue(
                NewJob(
                    name: name, service: service, eventSequence: nil, input: nil, principal: principal,
                    event: isInline ? event : nil, created: now()
                ),
                limits: QueueLimits(service: catalog[service]?.definition.queue.limit, cluster: queueLimit)
            )
        } catch {
            if !isInline { try? await Folder.offload { try Folder.removeFile(path) } }
            throw Self.translate(error, retryAfter: scheduler.expectedPause(of: service))
        }
        scheduler.jobsAdded(to: service)
        return name
    }

    // MARK: Reading

    /// The newest jobs first.
    package func jobs(_ filter: JobFilter) async throws -> (jobs: [JobView], remaining: Int) {
        do {
            let (records, remaining) = try await state.jobs(filter)
            var views: [JobView] = []
            var heads: [ServiceName: Int64?] = [:]
            for record in records { views.append(try await view(record, heads: &heads)) }
            return (views, remaining)
        } catch { throw Self.translate(error) }
    }

    /// - Throws: `ClusterError` with `notFound` where the service has no such job.
    package func job(_ name: JobName, of service: ServiceName) async throws -> JobView {
        do {
            guard let record = try await state.job(named: name), record.service == service else {
                throw StateStoreError(code: .notFound, message: "the service \"\(service)\" has no job \"\(name)\"")
            }
            var heads: [ServiceName: Int64?] = [:]
            return try await view(record, heads: &heads)
        } catch { throw Self.translate(error) }
    }

    private func view(
        _ record: JobRecord,
        heads: inout [ServiceName: Int64?]
    ) async throws(StateStoreError) -> JobView {
        var view = JobView(record: record, reason: record.message, deliveries: [])
        if record.state == .queued, let service = catalog[record.service] {
            if heads[record.service] == nil { heads[record.service] = try await state.firstWaiting(of: record.service) }
            let isFirst = heads[record.service].map { $0 == record.number } ?? true
            view.reason = scheduler.reason(for: record.service, demand: service.demand, isFirst: isFirst).description
        }
        if record.state == .delivering {
            view.deliveries = try await state.deliveries(of: record.number)
            if view.reason == nil, !view.deliveries.isEmpty {
                let providers = Set(view.deliveries.map(\.provider)).sorted().joined(separator: ", ")
                view.reason =
                    lines.reason(of: view.deliveries) ?? "the results wait for their turn to go to \(providers)"
            }
        }
        return view
    }

    package func counts() async throws -> [JobState: Int] { try await state.jobCounts() }
    package func deliveryCount() async throws -> Int { try await state.deliveryCount() }

    /// The log of a job; with `follow`, until its attempt has ended.
    ///
    /// - Throws: `ClusterError` with `notFound` where the service has no such job.
    package func log(_ name: JobName, of service: ServiceName, follow: Bool) async throws -> LogRecords {
        let job = try await job(name, of: service)
        if follow, job.record.state == .queued {
            logs.announce(service, name)
            // It may have run to its end while the place was made.
            let again = try await self.job(name, of: service)
            if again.record.finished != nil || again.record.state == .delivering {
                logs.ended(logs.path(service, name))
            }
        }
        return logs.records(service, name, follow: follow && job.record.finished == nil)
    }

    // MARK: Removing

    /// Stops the job where it runs, and removes it with its log.
    package func remove(_ name: JobName, of service: ServiceName) async throws {
        let job = try await job(name, of: service).record
        do {
            _ = try await state.deleteJob(job.number)
            scheduler.jobWithdrawn(job.number, of: service)
            _ = scheduler.cancel(job.number)
            try await removeFiles(of: name, service)
        } catch { throw Self.translate(error) }
    }

    /// Removes the ended jobs of a service that succeeded, or all its ended and waiting and running ones.
    package func removeAll(of service: ServiceName, includingUnsuccessful: Bool) async throws {
        guard catalog[service] != nil else { throw Self.noService(service) }
        do {
            let states: Set<JobState> = includingUnsuccessful ? [.succeeded, .failed, .cancelled] : [.succeeded]
            while true {
                let names = try await state.deleteEnded(of: service, states: states, limit: Self.batch)
                for name in names { try await removeFiles(of: name, service) }
                if names.count < Self.batch { break }
            }
            guard includingUnsuccessful else { return }
            while true {
                let (jobs, _) = try await state.jobs(JobFilter(service: service, limit: Self.batch))
                for job in jobs {
                    // Somebody else may have removed it meanwhile.
                    do { try await remove(job.name, of: service) } catch let error as ClusterError
                        where error.code == .notFound
                    {}
                }
                if jobs.isEmpty { break }
            }
        } catch { throw Self.translate(error) }
    }

    private func removeFiles(of name: JobName, _ service: ServiceName) async throws {
        try await logs.remove(service, name)
        logs.ended(logs.path(service, name))
        let event = data.events.appending(name.text)
        let deliveries = data.deliveries.appending(name.text)
        try await Folder.offload {
            try Folder.removeFile(event)
            try Folder.remove(deliveries)
        }
    }

    // MARK: Errors

    static func noService(_ name: ServiceName) -> ClusterError {
        ClusterError(code: .notFound, message: "there is no service \"\(name)\"")
    }

    private static func nameIsTaken(_ name: JobName) -> ClusterError {
        ClusterError(code: .alreadyExists, message: "a job \"\(name)\" exists already")
    }

    private static func translate(_ error: any Error, retryAfter: Duration? = nil) -> ClusterError {
        if let known = error as? ClusterError { return known }
        guard let error = error as? StateStoreError else {
            return ClusterError(code: .failed, message: "the job could not be handled", cause: error)
        }
        switch error.code {
        case .notFound: return ClusterError(code: .notFound, message: error.message)
        case .alreadyExists: return ClusterError(code: .alreadyExists, message: error.message)
        case .queueFull:
            return ClusterError(code: .busy, message: error.message, retryAfter: retryAfter ?? .seconds(10))
        case .damaged, .database: return ClusterError(code: .failed, message: error.message, cause: error)
        }
    }
}
