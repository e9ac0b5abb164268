package import Logging
package import Model
import ServiceLifecycle
package import StateStore
import SystemPackage

/// How long jobs and their logs are kept.
package struct Retention: Sendable, Hashable {
    /// Ended jobs and their logs are removed after this time.
    package var age: Duration
    /// The logs of all jobs together; beyond this the oldest are removed.
    package var logBytes: ByteCount

    package init(age: Duration = .seconds(30 * 86_400), logBytes: ByteCount = ByteCount(4 << 30)) {
        self.age = age
        self.logBytes = logBytes
    }
}

/// Removes what is older or more than the cluster shall keep, a little at a time.
package final class Housekeeper: Service {
    private static let batch = 500

    private let data: DataDirectory
    private let state: ClusterState
    private let logs: JobLogs
    private let retention: Retention
    private let interval: Duration
    private let trustsAges: @Sendable () -> Bool
    private let now: @Sendable () -> Instant
    private let logger: Logger

    package init(
        data: DataDirectory,
        state: ClusterState,
        logs: JobLogs,
        retention: Retention,
        interval: Duration = .seconds(600),
        trustsAges: @escaping @Sendable () -> Bool = { true },
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) {
        self.data = data
        self.state = state
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
        let oldest = now() - retention.age
        while true {
            let removed = try await state.deleteEnded(before: oldest, limit: Self.batch)
            for (service, job) in removed { try await removeFiles(of: job, service) }
            if removed.count < Self.batch { break }
            try Task.checkCancellation()
        }
        try await trimLogs()
    }

    private func removeFiles(of job: JobName, _ service: ServiceName) async throws {
        try await logs.remove(service, job)
        // A job that failed may have a large event still.
        let event = data.events.appending(job.text)
        try await Folder.offload { try Folder.removeFile(event) }
    }

    private func trimLogs() async throws {
        let (folder, limit) = (logs.folder, retention.logBytes.bytes)
        let removed: Int = try await Folder.offload {
            var logs: [(path: FilePath, size: Int64, modified: Int64)] = []
            for service in try Folder.entries(folder) where service.isFolder {
                let entries = try Folder.entries(service.path)
                // Those of later attempts are one folder deeper.
                let later = try entries.filter(\.isFolder).flatMap { try Folder.entries($0.path) }
                logs += (entries + later).filter(\.isRegularFile).map { ($0.path, $0.size, $0.modified) }
            }
            var total = logs.reduce(0) { $0 + $1.size }
            var removed = 0
            for log in logs.sorted(by: { $0.modified < $1.modified }) where total > limit {
                try Folder.removeFile(log.path)
                total -= log.size
                removed += 1
            }
            return removed
        }
        if removed > 0 { logger.info("old logs removed", metadata: ["logs": "\(removed)"]) }
    }
}

extension Instant {
    static func - (instant: Instant, duration: Duration) -> Instant { instant + (.zero - duration) }
}
