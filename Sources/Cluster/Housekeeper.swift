package import Logging
package import Model
import ServiceLifecycle
package import StateStore
import SystemPackage

/// How long jobs, their logs and events are kept, where services do not say it for themselves.
package struct Retention: Sendable, Hashable {
    /// Ended jobs and their logs are removed after this time, and events.
    package var age: Duration
    /// The logs of all jobs together; beyond this the oldest are removed.
    package var logBytes: ByteCount
    /// How many ended jobs of each service are kept; `nil` for all.
    package var jobs: Int?

    package init(
        age: Duration = .seconds(30 * 86_400),
        logBytes: ByteCount = ByteCount(4 << 30),
        jobs: Int? = nil
    ) {
        self.age = age
        self.logBytes = logBytes
        self.jobs = jobs
    }
}

/// Removes what is older or more than the cluster shall keep, a little at a time.
package final class Housekeeper: Service {
    private static let batch = 500

    private let data: DataDirectory
    private let state: ClusterState
    private let catalog: ServiceCatalog
    private let logs: JobLogs
    private let retention: Retention
    private let interval: Duration
    private let trustsAges: @Sendable () -> Bool
    private let now: @Sendable () -> Instant
    private let logger: Logger

    package init(
        data: DataDirectory,
        state: ClusterState,
        catalog: ServiceCatalog,
        logs: JobLogs,
        retention: Retention,
        interval: Duration = .seconds(600),
        trustsAges: @escaping @Sendable () -> Bool = { true },
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) {
        self.data = data
        self.state = state
        self.catalog = catalog
        self.logs = logs
        self.retention = retention
        self.interval = interval
        self.trustsAges = trustsAges
        self.now = now
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            while !Task.isCancelled {
                do { try await cleanUp() } catch {
                    if Task.isCancelled { return }
                    logger.warning("old jobs and logs could not be removed", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: interval)  // Cancellation is seen by the loop.
            }
        }
    }

    /// One round.
    package func cleanUp() async throws {
        // Ages are wrong where the clock is.
        guard trustsAges() else { return }
        for service in try await state.services() {
            try await prune(service.name, catalog[service.name]?.definition.retention ?? .init())
        }
        let oldest = now() - retention.age
        while try await state.forgetEvents(before: oldest, limit: Self.batch) == Self.batch {
            try Task.checkCancellation()
        }
        try await trimLogs()
    }

    /// What a service says goes before what the cluster says.
    private func prune(_ service: ServiceName, _ own: ServiceDefinition.Retention) async throws {
        let oldest = now() - (own.age ?? retention.age)
        try await removeEnded(of: service) {
            try await state.deleteEnded(of: service, before: oldest, limit: Self.batch)
        }
        if let most = own.jobs ?? retention.jobs {
            try await removeEnded(of: service) {
                try await state.deleteEnded(of: service, keeping: most, limit: Self.batch)
            }
        }
        guard let limit = own.bytes?.bytes else { return }
        let folder = logs.folder.appending(service.text)
        report(try await Folder.offload { try LogTrimmer.trim([folder], to: limit) })
    }

    /// Little by little, so that nothing else waits for long.
    private func removeEnded(
        of service: ServiceName,
        _ removeSome: () async throws -> [JobName]
    ) async throws {
        while true {
            let removed = try await removeSome()
            for job in removed { try await removeFiles(of: job, service) }
            if removed.count < Self.batch { return }
            try Task.checkCancellation()
        }
    }

    private func removeFiles(of job: JobName, _ service: ServiceName) async throws {
        try await logs.remove(service, job)
        // A job that failed may have a large event still.
        let event = data.events.appending(job.text)
        try await Folder.offload { try Folder.removeFile(event) }
    }

    private func trimLogs() async throws {
        let (folder, limit) = (logs.folder, retention.logBytes.bytes)
        report(
            try await Folder.offload {
                try LogTrimmer.trim(try Folder.entries(folder).filter(\.isFolder).map(\.path), to: limit)
            })
    }

    private func report(_ removed: Int) {
        if removed > 0 { logger.info("old logs removed", metadata: ["logs": "\(removed)"]) }
    }
}

extension Instant {
    static func - (instant: Instant, duration: Duration) -> Instant { instant + (.zero - duration) }
}
