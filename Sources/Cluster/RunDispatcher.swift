package import Logging
import Metrics
package import Model
package import NIOCore
package import ObjectEngine
import Sandboxes
import Synchronization
import SystemPackage

/// Serves synchronous runs: the input is the request's body, the answer is what the function made of it.
package final class RunDispatcher: Sendable {
    /// How body and answer are written.
    package enum Form: Sendable {
        /// Body as in supervisor.md section 5, files in the answer in base 64.
        case oscar
        /// Body and answer are plain bytes.
        case bytes
    }

    let data: DataDirectory
    private let stager: InputStager
    let executor: JobExecutor
    let catalog: ServiceCatalog
    private let sandboxes: SandboxSet
    let scheduler: JobScheduler
    private let maximumEvent: ByteCount
    let logger: Logger
    let counts = RunMetrics()
    /// Answers of small runs that somebody is about to fetch.
    let kept = Mutex<[UInt64: RunAnswer]>([:])

    package init(
        data: DataDirectory,
        store: ObjectStore,
        catalog: ServiceCatalog,
        sandboxes: SandboxSet,
        scheduler: JobScheduler,
        executor: JobExecutor,
        maximumEvent: ByteCount,
        logger: Logger
    ) {
        self.data = data
        stager = InputStager(store: store)
        self.executor = executor
        self.catalog = catalog
        self.sandboxes = sandboxes
        self.scheduler = scheduler
        self.maximumEvent = maximumEvent
        self.logger = logger
    }

    /// Runs the service on that body.
    ///
    /// The caller reads the answer and then discards it. Cancelling the task ends the script.
    ///
    /// - Throws: `ClusterError` with `notFound`, `tooLarge`, `busy`, `unavailable`, `stopping`, `invalid`, `failed`; `CancellationError`.
    package func run(
        _ name: ServiceName,
        body: some AsyncSequence<ByteBuffer, any Error>,
        form: Form,
        principal: String,
        poster: Principal? = nil
    ) async throws -> RunAnswer {
        guard let service = catalog[name] else { throw JobBoard.noService(name) }
        try scheduler.checkRun(of: service)
        let job = JobName(service: name, unique: UniqueID.uuid())
        let id = job.text
        let folder = try await WorkFolder.make(id, in: data.work)
        do {
            let input = try await receive(body, form: form, for: service, by: poster, in: folder)
            let start = ContinuousClock.now
            let ending = try await Deadline.run(within: service.definition.timeout) { [self] isWaiting in
                try await scheduler.withResources(of: service) { ticket in
                    let place = InvocationPlace(ticket: ticket, scheduler: scheduler, sandboxes: sandboxes)
                    try await place.wait()
                    isWaiting.end()
                    counts.waited(ContinuousClock.now - start)
                    return try await execute(
                        service, id: id, input: input, in: folder, place, principal)
                }
            }
            counts.ended(after: ContinuousClock.now - start)
            return try await answer(ending, service, input, form: form, in: folder, run: (job, principal))
        } catch {
            try? await folder.remove()  // What stays is removed at the next start; the cause matters more.
            counts.failed.increment()
            throw Self.translate(error)
        }
    }

    private static func translate(_ error: any Error) -> any Error {
        switch error {
        case let failure as JobFailure where failure.kind == .timeout:
            ClusterError(code: .failed, message: failure.message)
        case let failure as JobFailure: ClusterError(code: .invalid, message: failure.message)
        case let error as SandboxError where error.code == .cancelled: CancellationError()
        case let error as SandboxError: ClusterError(code: .failed, message: error.message, cause: error)
        default: error
        }
    }

    // MARK: Input

    private func receive(
        _ body: some AsyncSequence<ByteBuffer, any Error>,
        form: Form,
        for service: RegisteredService,
        by poster: Principal?,
        in folder: WorkFolder
    ) async throws -> PreparedInput {
        switch form {
        case .bytes:
            let name = "event-file-\(UniqueID.uuid())"
            try await Folder.write(body, to: folder.input.appending(name))
            return PreparedInput(event: .unknown(.empty), fileName: name)
        case .oscar:
            var bytes: [UInt8] = []
            for try await buffer in body {
                bytes.append(contentsOf: buffer.readableBytesView)
                guard bytes.count <= maximumEvent.bytes else {
                    throw ClusterError(
                        code: .tooLarge,
                        message:
                            "the body is larger than \(maximumEvent); send it with \"Accept: application/octet-stream\" "
                            + "as plain bytes, or put it into a bucket"
                    )
                }
            }
            if let poster { try await BucketAccess(store: stager.store).checkInput(of: bytes, by: poster) }
            return try await stager.stage(event: bytes, for: service, in: folder)
        }
    }

    // MARK: Run and answer

    private func execute(
        _ service: RegisteredService,
        id: String,
        input: PreparedInput,
        in folder: WorkFolder,
        _ place: InvocationPlace,
        _ principal: String
    ) async throws -> JobFailure? {
        let invocation = input.invocation(of: service, id: id, in: folder)
        let first = place.instance
        do {
            return try await execute(service, invocation, in: folder, place, principal)
        } catch let error as SandboxError where error.code == .instanceLost {
            // Nothing was answered yet, so it may run again, once.
            await place.move(from: first)
            try await folder.clearOutput()
            return try await execute(service, invocation, in: folder, place, principal)
        }
    }

    private func execute(
        _ service: RegisteredService,
        _ invocation: SandboxInvocation,
        in folder: WorkFolder,
        _ place: InvocationPlace,
        _ principal: String
    ) async throws -> JobFailure? {
        let output = try StreamFiles(in: folder.root, limit: executor.logs.limit)
        defer { output.close() }
        let (outcome, _) = try await place.run(invocation, of: service, principal: principal) { piece in
            await output.append(piece)
        }
        return JobFailure(outcome.ending, of: service) ?? output.overflow
    }

    func answer(
        _ failure: JobFailure?,
        _ service: RegisteredService,
        _ input: PreparedInput,
        form: Form,
        in folder: WorkFolder,
        run: (name: JobName, principal: String)
    ) async throws -> RunAnswer {
        var metadata: Logger.Metadata = [
            "service": "\(service.name)", "state": failure == nil ? "succeeded" : "failed",
        ]
        defer { logger.info("run ended", metadata: metadata) }
        if let failure {
            counts.failed.increment()
            metadata["message"] = "\(failure.message)"
            return RunAnswer(failure: failure, folder: folder)
        }
        counts.succeeded.increment()
        let output = folder.output
        let files = try await Folder.offload { try Folder.files(below: output) }
        try await executor.stageOut(files, ofRun: run.name, of: service, principal: run.principal)
        return RunAnswer(
            SynchronousResponse(to: input.event, resultCount: files.count), files, form: form, folder: folder)
    }
}
