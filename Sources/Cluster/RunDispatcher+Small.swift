import Logging
import Metrics
package import Model
package import NIOCore
import Sandboxes
import Scheduling
import Synchronization
import SystemPackage

/// The short way of small requests: to a warm program or a warm script, without folders, tasks or records.
extension RunDispatcher {
    /// What became of a small run.
    package enum SmallAnswer: Sendable {
        /// What the program said.
        case text(ByteBuffer, contentType: String, isFailure: Bool)
        /// It left files: an answer that `prepared` gives, once, for this number.
        case prepared(UInt64)
        /// The instance was lost before it answered: the run is to go the long way.
        case lost
    }

    /// What is larger goes the long way.
    package static let largestSmallBody = 64 << 10

    /// A small run that is under way.
    package struct SmallRun {
        package let answer: EventLoopFuture<SmallAnswer>
        /// Ends the script where it still runs, which nobody waits for any more.
        ///
        /// Programs that stay cannot be told to leave off one call.
        package let cancel: @Sendable () -> Void
    }

    /// Runs a service on a body where that can be done at once; `nil` where it cannot, and nothing was done.
    ///
    /// To be called on an event loop: it waits for nothing.
    package func runSmall(
        _ name: ServiceName,
        body: ByteBuffer,
        form: Form,
        principal: String,
        on loop: any EventLoop
    ) -> SmallRun? {
        guard body.readableBytes <= Self.largestSmallBody, let service = catalog[name],
            service.definition.mode != .server, !service.hasAttachments, let input = Self.input(body, form),
            let (ticket, instance) = scheduler.enterAtOnce(name)
        else { return nil }
        let run = Run(service: service, form: form, principal: principal, ticket: ticket, instance: instance)
        let settled = loop.makePromise(of: SmallAnswer.self)
        let cancel = instance.takesCalls ? call(run, input, settled) : execute(run, input, settled)
        return SmallRun(answer: settled.futureResult, cancel: cancel)
    }

    /// What is known of one run.
    private struct Run {
        let service: RegisteredService
        let form: Form
        let principal: String
        let ticket: Admission.Ticket
        let instance: SandboxInstance
        let start = ContinuousClock.now

        func makeName() -> JobName { JobName(service: service.name, unique: UniqueID.uuid()) }
    }

    /// Gives the place back, and tells how long that was.
    @discardableResult
    private func left(_ run: Run) -> Duration {
        let time = ContinuousClock.now - run.start
        scheduler.leave(run.ticket, after: time)
        return time
    }

    /// By a program that stays.
    private func call(
        _ run: Run,
        _ input: ByteBuffer,
        _ settled: EventLoopPromise<SmallAnswer>
    ) -> @Sendable () -> Void {
        let promise = run.instance.eventLoop.makePromise(of: ResidentAnswer.self)
        promise.futureResult.whenComplete { [self] result in
            switch result {
            case .failure(let error): lost(run, error, settled)
            case .success(let answer):
                counts.ended(after: left(run))
                guard let files = answer.files else { return settled.succeed(small(answer.outcome, run)) }
                settled.completeWithTask { [self] in
                    guard case .result(let text) = answer.outcome else {
                        try await Folder.offload { try Folder.remove(files) }
                        return small(answer.outcome, run)
                    }
                    return try await prepare(run, run.makeName(), files, output: text)
                }
            }
        }
        run.instance.call(input, timeout: run.service.definition.timeout, promise: promise)
        return {}
    }

    /// By a script.
    private func execute(
        _ run: Run,
        _ input: ByteBuffer,
        _ settled: EventLoopPromise<SmallAnswer>
    ) -> @Sendable () -> Void {
        let promise = run.instance.eventLoop.makePromise(of: ScriptAnswer.self)
        let name = run.makeName()
        promise.futureResult.whenComplete { [self] result in
            switch result {
            case .failure(let error): lost(run, error, settled)
            case .success(.ended(let end)):
                counts.ended(after: left(run))
                guard let files = end.files else { return settled.succeed(small(end, run)) }
                settled.completeWithTask { [self] in
                    if JobFailure(end.ending, of: run.service) != nil {
                        try await Folder.offload { try Folder.remove(files) }
                        return small(end, run)
                    }
                    return try await prepare(run, name, files, output: end.output)
                }
            case .success(.flowing(let flow)):
                settled.completeWithTask { [self] in try await finish(flow, run, name) }
            }
        }
        return run.instance.execute(
            input, name: name.text, timeout: run.service.definition.timeout, promise: promise)
    }

    /// Nothing was answered: the run is to go the long way, where it may.
    private func lost(_ run: Run, _ error: any Error, _ settled: EventLoopPromise<SmallAnswer>) {
        left(run)
        if error is SandboxError { settled.succeed(.lost) } else { settled.fail(error) }
    }

    /// Takes the output of a script that writes much into files.
    private func finish(_ flow: ScriptFlow, _ run: Run, _ name: JobName) async throws -> SmallAnswer {
        let (folder, output): (WorkFolder, StreamFiles)
        do {
            folder = try await WorkFolder.make(name.text, in: data.work)
            output = try StreamFiles(in: folder.root, limit: executor.logs.limit)
        } catch {
            // The script ends though nobody keeps what it writes; until then the place is not free.
            _ = try? await flow.finish { _ in }  // the first error says more
            left(run)
            throw error
        }
        defer { output.close() }
        let end: ScriptEnd
        do { end = try await flow.finish { piece in await output.append(piece) } } catch {
            left(run)
            try? await folder.remove()  // What stays is removed at the next start.
            guard error is SandboxError else { throw error }
            return .lost
        }
        counts.ended(after: left(run))
        let failure = JobFailure(end.ending, of: run.service) ?? output.overflow
        try await take(end.files, into: folder)
        return try await prepared(run, name, in: folder, failure)
    }

    /// What the program finds in its input file; `nil` where the body says more than that.
    private static func input(_ body: ByteBuffer, _ form: Form) -> ByteBuffer? {
        switch form {
        case .bytes: return body
        case .oscar:
            switch InvocationEvent.classify(Array(body.readableBytesView)) {
            case .unknown(.empty): return ByteBuffer()
            case .unknown(.decoded(let bytes)): return ByteBuffer(bytes: bytes)
            case .unknown(.raw): return body
            // These have an event, or files elsewhere.
            case .unknown(.json), .unknown(.jsonObject), .gateway, .dCache, .rucio, .delegated, .object, .onedata:
                return nil
            }
        }
    }

    private func small(_ outcome: ResidentAnswer.Outcome, _ run: Run) -> SmallAnswer {
        switch outcome {
        case .result(let text): return succeeded(text, run)
        case .refused(let words): return failed(JobFailure(refused: words))
        case .timedOut: return failed(JobFailure(timeoutOf: run.service))
        }
    }

    private func small(_ end: ScriptEnd, _ run: Run) -> SmallAnswer {
        guard let failure = JobFailure(end.ending, of: run.service) else { return succeeded(end.output, run) }
        return failed(failure, end.error, end.output)
    }

    private func succeeded(_ output: ByteBuffer, _ run: Run) -> SmallAnswer {
        counts.succeeded.increment()
        var text = output
        if run.form == .oscar { text.writeInteger(UInt8(ascii: "\n")) }
        return .text(text, contentType: RunAnswer.outputType(run.form), isFailure: false)
    }

    /// - Parameter said: what the script wrote, which follows the reason.
    private func failed(_ failure: JobFailure, _ said: ByteBuffer...) -> SmallAnswer {
        counts.failed.increment()
        logger.info("run ended", metadata: ["state": "failed", "message": "\(failure.message)"])
        var text = ByteBuffer(string: RunAnswer.beginning(of: failure))
        for part in said { text.writeImmutableBuffer(part) }
        return .text(text, contentType: RunAnswer.textType, isFailure: true)
    }

    /// Makes the answer of a run that left files.
    ///
    /// - Parameter text: what it wrote.
    private func prepare(
        _ run: Run,
        _ name: JobName,
        _ files: FilePath,
        output text: ByteBuffer
    ) async throws -> SmallAnswer {
        let folder = try await WorkFolder.make(name.text, in: data.work)
        try await take(files, into: folder)
        try await Folder.offload {
            try Folder.writeFile(folder.root.appending(RunAnswer.outputName), Array(text.readableBytesView))
            try Folder.writeFile(folder.root.appending(RunAnswer.errorName), [])
        }
        return try await prepared(run, name, in: folder, nil)
    }

    private func take(_ files: FilePath?, into folder: WorkFolder) async throws {
        guard let files else { return }
        try await Folder.offload {
            try Folder.remove(folder.output)
            try Folder.move(files, to: folder.output)
        }
    }

    /// Files go where the service's outputs say, as in any run.
    private func prepared(
        _ run: Run,
        _ name: JobName,
        in folder: WorkFolder,
        _ failure: JobFailure?
    ) async throws -> SmallAnswer {
        let answer = try await self.answer(
            failure, run.service, PreparedInput(event: .unknown(.empty)), form: run.form, in: folder,
            run: (name, run.principal))
        return .prepared(keep(answer))
    }

    private func keep(_ answer: RunAnswer) -> UInt64 {
        let number = UInt64.random(in: .min ... .max)
        kept.withLock { $0[number] = answer }
        return number
    }

    /// An answer that `runSmall` has prepared.
    package func prepared(_ number: UInt64) -> RunAnswer? { kept.withLock { $0.removeValue(forKey: number) } }
}
