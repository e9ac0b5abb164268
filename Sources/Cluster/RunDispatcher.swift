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

    private let data: DataDirectory
    private let stager: InputStager
    private let executor: JobExecutor
    private let catalog: ServiceCatalog
    private let sandboxes: SandboxSet
    private let scheduler: JobScheduler
    private let maximumEvent: ByteCount
    private let logger: Logger
    private let timer = Timer(label: "apus_run_seconds")
    private let succeeded = Counter(label: "apus_runs_total", dimensions: [("outcome", "succeeded")])
    private let failed = Counter(label: "apus_runs_total", dimensions: [("outcome", "failed")])

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
        principal: String
    ) async throws -> RunAnswer {
        guard let service = catalog[name] else { throw JobBoard.noService(name) }
        try scheduler.checkRun(of: service)
        let job = JobName(service: name, unique: UniqueID.uuid())
        let id = job.text
        let folder = try await WorkFolder.make(id, in: data.work)
        do {
            let input = try await receive(body, form: form, for: service, in: folder)
            let start = ContinuousClock.now
            let ending = try await scheduler.withResources(of: service) {
                try await execute(service, id: id, input: input, in: folder)
            }
            timer.recordNanoseconds((ContinuousClock.now - start).nanoseconds)
            return try await answer(ending, service, input, form: form, in: folder, run: (job, principal))
        } catch {
            try? await folder.remove()  // What stays is removed at the next start; the cause matters more.
            failed.increment()
            throw Self.translate(error)
        }
    }

    private static func translate(_ error: any Error) -> any Error {
        switch error {
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
            return try await stager.stage(event: bytes, for: service, in: folder)
        }
    }

    // MARK: Run and answer

    private func execute(
        _ service: RegisteredService,
        id: String,
        input: PreparedInput,
        in folder: WorkFolder
    ) async throws -> JobFailure? {
        let invocation = input.invocation(of: service, id: id, in: folder)
        let output = try StreamFiles(in: folder.root)
        defer { output.close() }
        let outcome = try await sandboxes.sandbox(for: service.sandbox).run(invocation) { piece in
            await output.append(piece)
        }
        return JobFailure(outcome.ending, of: service)
    }

    private func answer(
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
            failed.increment()
            metadata["message"] = "\(failure.message)"
            return RunAnswer(failure: failure, folder: folder)
        }
        succeeded.increment()
        let output = folder.output
        let files = try await Folder.offload { try Folder.files(below: output) }
        try await executor.stageOut(files, ofRun: run.name, of: service, principal: run.principal)
        return RunAnswer(
            SynchronousResponse(to: input.event, resultCount: files.count), files, form: form, folder: folder)
    }
}

/// The two output streams of a run, each in a file.
private final class StreamFiles: Sendable {
    private let output: SystemPackage.FileDescriptor
    private let error: SystemPackage.FileDescriptor

    init(in folder: FilePath) throws {
        func open(_ name: String) throws -> SystemPackage.FileDescriptor {
            try FileDescriptor.open(
                folder.appending(name), .writeOnly, options: [.create, .truncate, .closeOnExec],
                permissions: [.ownerReadWrite]
            )
        }
        output = try open(RunAnswer.outputName)
        error = try open(RunAnswer.errorName)
    }

    func append(_ piece: SandboxOutput) async {
        let file = piece.stream == .standardOutput ? output : error
        // A disk that is full shortens the answer; the script itself is told by its own writes.
        _ = try? await Folder.offload { _ = try file.writeAll(piece.bytes) }
    }

    func close() {
        try? output.close()  // All was written; nothing can be lost.
        try? error.close()
    }
}
