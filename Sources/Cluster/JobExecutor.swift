package import Logging
package import Model
package import ObjectEngine
import Sandboxes
package import StateStore
import SystemPackage

/// Takes one job from the queue to its end: stage in, run, stage out, deliver.
package final class JobExecutor: Sendable {
    let data: DataDirectory
    let store: ObjectStore
    let state: ClusterState
    let catalog: ServiceCatalog
    let sandboxes: SandboxSet
    let logs: JobLogs
    let deliverySignal: Signal
    let now: @Sendable () -> Instant
    let logger: Logger
    let timing = InvocationMetrics()

    package init(
        data: DataDirectory,
        store: ObjectStore,
        state: ClusterState,
        catalog: ServiceCatalog,
        sandboxes: SandboxSet,
        logs: JobLogs,
        deliverySignal: Signal,
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) {
        self.data = data
        self.store = store
        self.state = state
        self.catalog = catalog
        self.sandboxes = sandboxes
        self.logs = logs
        self.deliverySignal = deliverySignal
        self.now = now
        self.logger = logger
    }

    /// Executes a job.
    ///
    /// Whatever happens is in the job's record when this returns; a job that was cancelled by a shutdown stays as it
    /// is and runs again at the next start.
    package func execute(_ number: Int64) async {
        do {
            guard let (job, event) = try await state.jobToRun(number), job.finished == nil else { return }
            guard let service = catalog[job.service] else { return }
            timing.waited(job.created, now())
            let log = logs.writer(job.service, job.name)
            defer { log.close() }
            await attempt(Attempt(job: job, event: event, service: service, log: log))
        } catch {
            logger.error("a job cannot be read", metadata: ["job.number": "\(number)", "error": "\(error)"])
        }
    }

    struct Attempt: Sendable {
        var job: JobRecord
        let event: [UInt8]?
        let service: RegisteredService
        let log: JobLogWriter
        var result = AttemptResult()

        var metadata: Logger.Metadata { ["job.name": "\(job.name)", "service": "\(job.service)"] }
    }

    private func attempt(_ start: Attempt) async {
        var attempt = start
        attempt.job.attempts += 1
        do {
            let folder = try await WorkFolder.make(attempt.job.name.text, in: data.work)
            try await runScript(&attempt, in: folder)
            try await stageOut(&attempt, in: folder)
            await removeFolder(of: attempt.job)
        } catch  where Task.isCancelled {
            // Each part says in its own words that it was cancelled; the task itself knows for certain.
            return await cancelled(attempt)
        } catch {
            await fail(attempt, error as? JobFailure ?? JobFailure(message: "\(error)"))
        }
        if Task.isCancelled { await removeFilesOfDeleted(attempt.job) }
    }

    // MARK: Stage in and run

    private func runScript(_ attempt: inout Attempt, in folder: WorkFolder) async throws {
        let job = attempt.job
        let stageInStart = ContinuousClock.now
        // The record follows the work: should it be lost in a crash, the job is still queued and runs again.
        async let marked: Void = state.advance(
            job.number, to: .running, attempts: job.attempts, result: AttemptResult(started: now())
        )
        let prepared = try await stageIn(attempt, in: folder)
        attempt.result.stageIn = ContinuousClock.now - stageInStart
        timing.stagedIn(prepared.size)
        let invocation = prepared.invocation(of: attempt.service, id: job.name.text, in: folder)
        let runStart = ContinuousClock.now
        let log = attempt.log
        let now = now
        let sandbox = try await sandboxes.sandbox(for: attempt.service.sandbox)
        let outcome = try await sandbox.run(invocation) { output in
            await log.append(LogRecord(time: now(), stream: output.stream.logStream, bytes: output.bytes))
        }
        attempt.result.run = ContinuousClock.now - runStart
        attempt.result.started = outcome.startedAt
        try await marked
        if let failure = JobFailure(outcome.ending, of: attempt.service) { throw failure }
        attempt.result.exitCode = 0
    }

    private func stageIn(_ attempt: Attempt, in folder: WorkFolder) async throws -> PreparedInput {
        let stager = InputStager(store: store)
        if let event = attempt.event { return try await stager.stage(event: event, for: attempt.service, in: folder) }
        let path = data.events.appending(attempt.job.name.text)
        return try await stager.stage(file: path, for: attempt.service, in: folder)
    }

    // MARK: Ends

    private func cancelled(_ attempt: Attempt) async {
        // Either the job was deleted, or the cluster stops and runs it again, or goes on to stage its results out.
        logger.info("job stopped", metadata: attempt.metadata)
        let isDeleted = await removeFilesOfDeleted(attempt.job)
        if !isDeleted { await attempt.log.note("the job was stopped", at: now()) }
        if isDeleted || attempt.job.state != .stagingOut { await removeFolder(of: attempt.job) }
    }

    /// A job that was deleted while it ran leaves neither results in the delivery folder nor what it wrote since.
    ///
    /// - Returns: whether the job was deleted.
    @discardableResult
    private func removeFilesOfDeleted(_ job: JobRecord) async -> Bool {
        let state = state
        // Awaited here; a task of its own, because reads of a cancelled task fail.
        // Where this fails, the next start cleans up.
        guard case .success(nil) = await Task(operation: { try await state.job(named: job.name) }).result else {
            return false
        }
        let folder = data.deliveries.appending(job.name.text)
        do {
            try await Folder.offload { try Folder.remove(folder) }
            try await logs.remove(job.service, job.name)
            if catalog[job.service] == nil { try await logs.removeAll(of: job.service) }
        } catch {
            logger.warning(
                "files of a deleted job are left", metadata: ["job.name": "\(job.name)", "error": "\(error)"]
            )
        }
        return true
    }

    func fail(_ attempt: Attempt, _ failure: JobFailure) async {
        var result = attempt.result
        result.exitCode = failure.exitCode
        result.message = failure.message
        await attempt.log.note("Apus: \(failure.message)", at: now())
        await end(attempt.job, as: .failed, result: result)
        await removeFolder(of: attempt.job)
    }

    func end(_ job: JobRecord, as state: JobState, result: AttemptResult) async {
        do {
            guard try await self.state.end(job.number, as: state, at: now(), result: result) else { return }
            timing.ended(state, result)
            var metadata: Logger.Metadata = [
                "job.name": "\(job.name)", "service": "\(job.service)", "state": "\(state)",
            ]
            if let message = result.message { metadata["message"] = "\(message)" }
            if let run = result.run { metadata["run.seconds"] = "\(run.seconds)" }
            logger.info("job ended", metadata: metadata)
            await removeEvent(of: job)
        } catch {
            // The record still says that the job is under way, so it runs again at the next start.
            logger.error("a job's end cannot be recorded", metadata: ["job.name": "\(job.name)", "error": "\(error)"])
        }
    }

    private func removeFolder(of job: JobRecord) async {
        do { try await WorkFolder(root: data.work.appending(job.name.text)).remove() } catch {
            logger.warning(
                "a job's folder cannot be removed", metadata: ["job.name": "\(job.name)", "error": "\(error)"])
        }
    }

    private func removeEvent(of job: JobRecord) async {
        guard job.input == nil else { return }
        let path = data.events.appending(job.name.text)
        // Most events are in the database and have no file.
        try? await Folder.offload { try Folder.removeFile(path) }
    }
}

/// Why a job failed, in the words that its record keeps.
struct JobFailure: Error {
    let exitCode: Int32?
    let message: String

    init(exitCode: Int32? = nil, message: String) {
        self.exitCode = exitCode
        self.message = message
    }

    /// `nil` where the script ended well.
    init?(_ ending: SandboxOutcome.Ending, of service: RegisteredService) {
        switch ending {
        case .exited(0): return nil
        case .exited(let code): self.init(exitCode: code, message: "the script ended with exit code \(code)")
        case .signalled(let signal):
            self.init(exitCode: 128 + signal, message: "the script was ended by signal \(signal)")
        case .timedOut:
            let limit = service.definition.timeout.map { " of \($0.shortText)" } ?? ""
            self.init(
                exitCode: 124, message: "the script ran longer than the service's timeout\(limit) and was stopped")
        case .outOfMemory:
            self.init(
                exitCode: 137,
                message: "the script used more than the service's memory of \(service.definition.memoryLimit) and was "
                    + "stopped; raise the service's memory"
            )
        }
    }
}
