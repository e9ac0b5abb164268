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
    /// How many ended jobs are removed in one transaction.
    static let batch = 500

    let data: DataDirectory
    let state: ClusterState
    let catalog: ServiceCatalog
    let scheduler: JobScheduler
    let logs: JobLogs
    let steps: JobSteps
    let lines: DeliveryLineReasons
    let queueLimit: Int?
    let now: @Sendable () -> Instant
    /// Names that other clusters gave and that are being posted right now.
    let names = Mutex<Set<JobName>>([])

    /// - Parameter queueLimit: how many jobs of all services together may wait; `nil` for no limit.
    package init(
        data: DataDirectory,
        state: ClusterState,
        catalog: ServiceCatalog,
        scheduler: JobScheduler,
        logs: JobLogs,
        steps: JobSteps,
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
        self.steps = steps
        self.queueLimit = queueLimit
        self.now = now
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
            view.reason =
                record.waitReason
                ?? scheduler.reason(for: record.service, demand: service.demand, isFirst: isFirst).description
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

    /// The log of a job's attempt; with `follow`, until the attempt has ended.
    ///
    /// - Parameter attempt: the last one where `nil`; of a job that waits, with `follow`, the next one.
    /// - Throws: `ClusterError` with `notFound` where the service has no such job, or the job no such attempt.
    package func log(
        _ name: JobName,
        of service: ServiceName,
        attempt wanted: Int? = nil,
        follow: Bool
    ) async throws -> LogRecords {
        let job = try await job(name, of: service).record
        let awaitsNext = follow && job.state == .queued
        let attempt = wanted ?? (awaitsNext ? job.attempts + 1 : max(1, job.attempts))
        guard (1...max(1, job.attempts + (awaitsNext ? 1 : 0))).contains(attempt) else {
            throw ClusterError(
                code: .notFound,
                message: "the job \"\(name)\" has \(job.attempts) attempts, and none of number \(attempt)")
        }
        if awaitsNext, attempt > job.attempts {
            logs.announce(service, name, attempt: attempt)
            // It may have run to its end while the place was made.
            let again = try await self.job(name, of: service).record
            if again.state.isFinal || (again.attempts >= attempt && !again.state.holdsResources) {
                logs.ended(logs.path(service, name, attempt: attempt))
            }
        }
        return logs.records(service, name, attempt: attempt, follow: follow && job.finished == nil)
    }

    // MARK: Removing

    /// Stops the job where it runs, and removes it with its log.
    package func remove(_ name: JobName, of service: ServiceName) async throws {
        let job = try await job(name, of: service).record
        do {
            _ = try await state.deleteJob(job.number)
            if job.state == .delivering { steps.deliveriesWithdrawn() }
            scheduler.jobWithdrawn(job.number, of: service)
            _ = scheduler.cancel(job.number)
            try await removeFiles(of: name, service)
        } catch { throw Self.translate(error) }
    }

    /// Removes the ended jobs of a service that succeeded, or all its ended and waiting and running ones.
    ///
    /// - Parameter audience: only jobs that these may see; all where `nil`.
    package func removeAll(
        of service: ServiceName,
        includingUnsuccessful: Bool,
        audience: JobAudience? = nil
    ) async throws {
        guard catalog[service] != nil else { throw Self.noService(service) }
        do {
            let states: Set<JobState> = includingUnsuccessful ? [.succeeded, .failed, .cancelled, .dead] : [.succeeded]
            while true {
                let names = try await state.deleteEnded(
                    of: service, states: states, audience: audience, limit: Self.batch)
                for name in names { try await removeFiles(of: name, service) }
                if names.count < Self.batch { break }
            }
            guard includingUnsuccessful else { return }
            while true {
                var filter = JobFilter(service: service, limit: Self.batch)
                filter.audience = audience
                let (jobs, _) = try await state.jobs(filter)
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

    func removeFiles(of name: JobName, _ service: ServiceName) async throws {
        try await logs.remove(service, name)
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

    static func nameIsTaken(_ name: JobName) -> ClusterError {
        ClusterError(code: .alreadyExists, message: "a job \"\(name)\" exists already")
    }

    /// Errors of the state as those of a use case.
    static func translating<T>(_ work: () async throws -> T) async throws -> T {
        do { return try await work() } catch { throw translate(error) }
    }

    static func translate(_ error: any Error, retryAfter: Duration? = nil) -> ClusterError {
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
