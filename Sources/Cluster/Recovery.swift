package import Logging
package import Model
package import StateStore
import SystemPackage

/// Brings a cluster back to where it was: what a crash left behind is removed, repeated or finished.
package struct Recovery: Sendable {
    private let data: DataDirectory
    private let state: ClusterState
    private let sandboxes: SandboxSet
    private let registry: ServiceRegistry
    private let executor: JobExecutor
    private let now: @Sendable () -> Instant
    private let logger: Logger

    package init(
        data: DataDirectory,
        state: ClusterState,
        sandboxes: SandboxSet,
        registry: ServiceRegistry,
        executor: JobExecutor,
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) {
        self.data = data
        self.state = state
        self.sandboxes = sandboxes
        self.registry = registry
        self.executor = executor
        self.now = now
        self.logger = logger
    }

    /// To be run once, before the first job is started.
    package func run() async throws {
        await sandboxes.removeLeftovers()
        // Results in `work/` are synced only when they go on from there, so after a power cut they may be cut short.
        let resultsAreWhole = try await !Folder.offload { try data.machineWasRestarted() }
        let (requeued, stagingOut) = try await state.recover(resultsAreWhole: resultsAreWhole, at: now())
        if requeued > 0 { logger.notice("jobs that ran when Apus ended run again", metadata: ["jobs": "\(requeued)"]) }
        try await removeFolders(keeping: Set(stagingOut.map(\.name.text)))
        try await registry.load()
        await executor.resumeStageOut(stagingOut)
        try await executor.steps.forgetEndedPuts()
    }

    /// Removes events whose job is gone or has succeeded, and those that were only half written.
    private func removeEvents() async throws {
        let events = data.events
        for entry in try await Folder.offload({ try Folder.entries(events) }) {
            if let name = try? JobName(entry.name), let job = try await state.job(named: name), job.state != .succeeded
            {
                continue
            }
            try await Folder.offload { try Folder.removeFile(events.appending(entry.name)) }
        }
    }

    /// Removes the folders of invocations and deliveries that no job needs.
    private func removeFolders(keeping stagingOut: Set<String>) async throws {
        try await removeEvents()
        let live = try await state.unendedJobs()
        let (work, instances, deliveries) = (data.work, data.instances, data.deliveries)
        try await Folder.offload {
            for entry in try Folder.entries(instances) { try Folder.remove(instances.appending(entry.name)) }
            for entry in try Folder.entries(work) where !stagingOut.contains(entry.name) {
                try Folder.remove(work.appending(entry.name))
            }
            for entry in try Folder.entries(deliveries) where !live.contains(entry.name) {
                try Folder.remove(deliveries.appending(entry.name))
            }
        }
    }
}
