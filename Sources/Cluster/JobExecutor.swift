package import Logging
package import Model
package import ObjectEngine
import Sandboxes
import Scheduling
package import StateStore
import SystemPackage

/// Takes one job from the queue to the end of an attempt: stage in, run, stage out, deliver.
package final class JobExecutor: Sendable {
    /// How long to wait before the store is asked again that could not be read or written.
    private static let patience = Duration.seconds(1)

    let data: DataDirectory
    let store: ObjectStore
    let state: ClusterState
    let catalog: ServiceCatalog
    let sandboxes: SandboxSet
    let logs: JobLogs
    let steps: JobSteps
    let deliverySignal: Signal
    let node: String
    let now: @Sendable () -> Instant
    let recordSpan: SpanRecorder?
    let logger: Logger

    var timing: InvocationMetrics { steps.timing }

    /// - Parameter node: the name of this machine, for the records of attempts.
    package init(
        data: DataDirectory,
        store: ObjectStore,
        state: ClusterState,
        catalog: ServiceCatalog,
        sandboxes: SandboxSet,
        logs: JobLogs,
        steps: JobSteps,
        deliverySignal: Signal,
        node: String,
        now: @escaping @Sendable () -> Instant,
        recordSpan: SpanRecorder? = nil,
        logger: Logger
    ) {
        self.data = data
        self.store = store
        self.state = state
        self.catalog = catalog
        self.sandboxes = sandboxes
        self.logs = logs
        self.steps = steps
        self.deliverySignal = deliverySignal
        self.node = node
        self.now = now
        self.recordSpan = recordSpan
        self.logger = logger
    }

    /// Executes an attempt of a job.
    ///
    /// Whatever happens is in the job's record when this returns; a job that was stopped by a shutdown stays as it
    /// is and runs again at the next start.
    ///
    /// - Parameter scheduler: knows where its place is.
    package func execute(_ number: Int64, _ scheduler: JobScheduler) async {
        guard let (job, event) = await read(number), job.state == .queued, job.notBefore == nil,
            let service = catalog[job.service]
        else { return }
        timing.waited(job.created, now())
        let log = logs.writer(job.service, job.name, attempt: job.attempts + 1)
        defer { log.close() }
        var result = AttemptResult()
        (result.node, result.sandbox) = (node, service.sandbox)
        let place = InvocationPlace(ticket: .job(number), scheduler: scheduler, sandboxes: sandboxes)
        await attempt(Attempt(job: job, event: event, service: service, place: place, log: log, result: result))
    }

    /// Tries until the store answers: whoever gave up would leave the job in a queue that nobody reads again.
    ///
    /// `nil` where the job is gone, or the cluster stops.
    private func read(_ number: Int64) async -> (job: JobRecord, event: [UInt8]?)? {
        while !Task.isCancelled {
            do { return try await state.jobToRun(number) } catch {
                logger.error("a job cannot be read", metadata: ["job.number": "\(number)", "error": "\(error)"])
                try? await Task.sleep(for: Self.patience)  // Cancellation is seen by the loop.
            }
        }
        return nil
    }

    struct Attempt: Sendable {
        var job: JobRecord
        let event: [UInt8]?
        let service: RegisteredService
        /// `nil` where the script has run already.
        var place: InvocationPlace?
        let log: JobLogWriter
        var result = AttemptResult()

        /// What was not recorded yet of the way to the script's start.
        var begin: [JobLifeCycle.Event] {
            switch job.state {
            case .queued: [.started, .scriptStarted]
            case .stagingIn: [.scriptStarted]
            case .running, .stagingOut, .delivering, .succeeded, .failed, .cancelled, .dead: []
            }
        }
    }

    /// Somebody else has ended the job, or removed it.
    struct Withdrawn: Error {}

    private func attempt(_ start: Attempt) async {
        var attempt = start
        do {
            let folder = try await WorkFolder.make(attempt.job.name.text, in: data.work)
            try await work(on: &attempt, in: folder)
            await removeFolder(of: attempt.job)
            recordSpans(of: start, .succeeded, attempt.result)
        } catch  where Task.isCancelled || error is Withdrawn {
            // Each part says in its own words that it was cancelled; the task itself knows for certain.
            return await stopped(attempt)
        } catch {
            let failure = JobFailure(error)
            await fail(attempt, failure)
            attempt.result.exitCode = failure.exitCode
            attempt.result.message = failure.message
            recordSpans(of: start, .failed, attempt.result)
        }
        if Task.isCancelled { await cleanUpAfterWithdrawal(of: attempt.job) }
    }

    // MARK: Records

    /// Takes a step with what the attempt came to so far; tries until it is recorded.
    ///
    /// - Throws: `Withdrawn` where the step comes too late; `CancellationError` where the cluster stops.
    @discardableResult
    func record(
        _ events: [JobLifeCycle.Event],
        of attempt: Attempt,
        deliveries: [NewDelivery] = [],
        notice: NewFailureNotice? = nil
    ) async throws -> JobRecord {
        var hasFailed = false
        while true {
            switch await outcome(of: events, of: attempt, deliveries, notice) {
            case .success(let change?): return change.job
            case .success(nil):
                // A commit that failed on a failing disk may turn out to have happened.
                if hasFailed, let job = try await recorded(events, of: attempt) { return job }
                throw Withdrawn()
            case .failure(let error):
                try Task.checkCancellation()
                hasFailed = true
                var metadata = attempt.job.metadata
                metadata["error"] = "\(error)"
                logger.error("a job's step cannot be recorded; trying again", metadata: metadata)
                try await Task.sleep(for: Self.patience)
            }
        }
    }

    /// The job where these events are what brought it to where it is.
    private func recorded(_ events: [JobLifeCycle.Event], of attempt: Attempt) async throws -> JobRecord? {
        var cycle = JobLifeCycle(state: attempt.job.state, attempts: attempt.job.attempts)
        guard let actions = cycle.handle(events), let job = try await state.job(named: attempt.job.name),
            job.attempts == cycle.attempts
        else { return nil }
        if actions.contains(.deliver) { deliverySignal.send() }
        return job.state == cycle.state ? job : nil
    }

    private func outcome(
        of events: [JobLifeCycle.Event],
        of attempt: Attempt,
        _ deliveries: [NewDelivery],
        _ notice: NewFailureNotice?
    ) async -> Result<JobChange?, any Error> {
        do {
            return .success(
                try await steps.take(
                    events, of: attempt.job.number, attempt.result, deliveries: deliveries, notice: notice))
        } catch {
            return .failure(error)
        }
    }

    // MARK: Stage in and run

    private func recordSpans(of start: Attempt, _ state: JobState, _ result: AttemptResult) {
        guard let recordSpan, let trace = JobTrace(start.job, isRecorded: true) else { return }
        for span in trace.spans(state, result, end: now()) { recordSpan(span) }
    }

    /// What the script and its results cause is part of the job's trace.
    private func work(on attempt: inout Attempt, in folder: WorkFolder) async throws {
        let trace = JobTrace(attempt.job, isRecorded: recordSpan != nil)?.script
        try await TraceContext.$current.withValue(trace) {
            try await runScript(&attempt, in: folder)
            try await stageOut(&attempt, in: folder)
        }
    }

    private func runScript(_ attempt: inout Attempt, in folder: WorkFolder) async throws {
        let stageInStart = ContinuousClock.now
        let prepared = try await stageIn(&attempt, in: folder)
        attempt.result.stageIn = ContinuousClock.now - stageInStart
        timing.stagedIn(prepared.size)
        let invocation = prepared.invocation(of: attempt.service, id: attempt.job.name.text, in: folder)
        let runStart = ContinuousClock.now
        attempt.result.started = now()
        // The record follows the work: should it be lost in a crash, the job is still queued and runs again.
        let (begin, beginning) = (attempt.begin, attempt)
        async let recorded = record(begin, of: beginning)
        let outcome = await run(invocation, of: attempt)
        attempt.job = try await recorded
        let (ended, countsMemory) = try outcome.get()
        attempt.result.run = ContinuousClock.now - runStart
        attempt.result.started = ended.startedAt
        (attempt.result.cpuTime, attempt.result.peakMemory) = (ended.cpuTime, ended.peakMemory)
        if let failure = JobFailure(ended.ending, of: attempt.service, countsMemory: countsMemory) { throw failure }
        attempt.result.exitCode = 0
    }

    /// Answers also whether the sandbox knows when memory runs out.
    private func run(
        _ invocation: SandboxInvocation,
        of attempt: Attempt
    ) async -> Result<(SandboxOutcome, Bool), any Error> {
        let (log, now) = (attempt.log, now)
        do {
            guard let place = attempt.place else {
                throw JobFailure(.infrastructure, message: "the job has no place to run in")
            }
            return .success(
                try await place.run(
                    invocation, of: attempt.service, principal: attempt.job.principal
                ) { output in
                    await log.append(LogRecord(time: now(), stream: output.stream.logStream, bytes: output.bytes))
                })
        } catch {
            return .failure(error)
        }
    }

    private func stageIn(_ attempt: inout Attempt, in folder: WorkFolder) async throws -> PreparedInput {
        let stager = InputStager(store: store)
        let event = try await event(of: attempt)
        // A short way needs no record of its own.
        if stager.size(of: event, for: attempt.service) > InputStager.longWay {
            attempt.job = try await record([.started], of: attempt)
        }
        return try await stager.stage(event: event, for: attempt.service, in: folder)
    }

    func event(of attempt: Attempt) async throws -> [UInt8] {
        if let event = attempt.event { return event }
        let path = data.events.appending(attempt.job.name.text)
        do {
            return try await Folder.offload {
                // Fails where there is no file, which would read as an empty event.
                _ = try Folder.read(path, from: 0, atMost: 1)
                return try Folder.readFile(path)
            }
        } catch Errno.noSuchFileOrDirectory {
            throw JobFailure(.input, message: "the job's event is not there any more; post it again")
        }
    }

    // MARK: Ends

    /// Either somebody has cancelled or removed the job, or the cluster stops, and runs it again or goes on to stage
    /// its results out.
    private func stopped(_ attempt: Attempt) async {
        logger.info("job stopped", metadata: attempt.job.metadata)
        let isWithdrawn = await cleanUpAfterWithdrawal(of: attempt.job)
        if !isWithdrawn { await attempt.log.note("the job was stopped", at: now()) }
        if isWithdrawn || attempt.job.state != .stagingOut { await removeFolder(of: attempt.job) }
    }

    /// A job that was removed or cancelled while it ran leaves no results in the delivery folder, and a removed one
    /// nothing that it wrote since.
    ///
    /// - Returns: whether it was either.
    @discardableResult
    private func cleanUpAfterWithdrawal(of job: JobRecord) async -> Bool {
        let state = state
        // Awaited here; a task of its own, because reads of a cancelled task fail.
        // Where this fails, the next start cleans up.
        guard case .success(let found) = await Task(operation: { try await state.job(named: job.name) }).result else {
            return false
        }
        if let found, found.state != .cancelled { return false }
        await removeDeliveries(of: job)
        guard found == nil else { return true }
        do {
            try await logs.remove(job.service, job.name)
            if catalog[job.service] == nil { try await logs.removeAll(of: job.service) }
        } catch {
            logger.warning(
                "files of a deleted job are left", metadata: ["job.name": "\(job.name)", "error": "\(error)"]
            )
        }
        return true
    }

    func fail(_ start: Attempt, _ failure: JobFailure) async {
        var attempt = start
        attempt.result.exitCode = failure.exitCode
        attempt.result.signal = failure.signal
        attempt.result.isOutOfMemory = failure.isOutOfMemory
        attempt.result.message = failure.message
        await attempt.log.note("Apus: \(failure.message)", at: now())
        let begin: [JobLifeCycle.Event] = attempt.job.state == .queued ? [.started] : []
        // The results that were to be delivered belong to no attempt any more.
        if attempt.job.state == .stagingOut { await removeDeliveries(of: attempt.job) }
        do {
            let events = begin + [steps.failure(failure, of: attempt.service)]
            try await record(events, of: attempt, notice: await notice(of: attempt))
            await removeFolder(of: attempt.job)
        } catch {
            await stopped(attempt)
        }
    }

    private func removeDeliveries(of job: JobRecord) async {
        let folder = data.deliveries.appending(job.name.text)
        do { try await Folder.offload { try Folder.remove(folder) } } catch {
            logger.warning("a delivery folder is left", metadata: ["job.name": "\(job.name)", "error": "\(error)"])
        }
    }

    private func removeFolder(of job: JobRecord) async {
        do { try await WorkFolder(root: data.work.appending(job.name.text)).remove() } catch {
            logger.warning(
                "a job's folder cannot be removed", metadata: ["job.name": "\(job.name)", "error": "\(error)"])
        }
    }
}
