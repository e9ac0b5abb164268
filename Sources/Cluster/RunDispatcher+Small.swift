import Logging
import Metrics
package import Model
package import NIOCore
import Sandboxes
import Scheduling
import Synchronization
import SystemPackage

/// The short way of small requests: to a resident program that is warm, without files, tasks or records.
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

    /// Runs a service on a body where that can be done at once; `nil` where it cannot, and nothing was done.
    ///
    /// To be called on an event loop: it waits for nothing.
    package func runSmall(
        _ name: ServiceName,
        body: ByteBuffer,
        form: Form,
        principal: String,
        on loop: any EventLoop
    ) -> EventLoopFuture<SmallAnswer>? {
        guard body.readableBytes <= Self.largestSmallBody, let service = catalog[name],
            service.definition.mode == .resident, let input = Self.input(body, form),
            let (ticket, instance) = scheduler.enterAtOnce(name)
        else { return nil }
        let start = ContinuousClock.now
        let promise = instance.eventLoop.makePromise(of: ResidentAnswer.self)
        instance.call(input, timeout: service.definition.timeout, promise: promise)
        return promise.futureResult.flatMap { [self] answer -> EventLoopFuture<SmallAnswer> in
            let time = ContinuousClock.now - start
            scheduler.leave(ticket, after: time)
            counts.ended(after: time)
            if let files = answer.files {
                return instance.eventLoop.makeFutureWithTask { [self] in
                    try await prepare(answer.outcome, files, of: service, form, principal)
                }
            }
            return instance.eventLoop.makeSucceededFuture(small(answer.outcome, of: service, form))
        }.flatMapErrorThrowing { [self] error in
            scheduler.leave(ticket, after: ContinuousClock.now - start)
            guard error is SandboxError else { throw error }
            return .lost
        }.hop(to: loop)
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

    private func small(
        _ outcome: ResidentAnswer.Outcome,
        of service: RegisteredService,
        _ form: Form
    ) -> SmallAnswer {
        switch outcome {
        case .result(var text):
            counts.succeeded.increment()
            if form == .oscar { text.writeInteger(UInt8(ascii: "\n")) }
            return .text(text, contentType: RunAnswer.outputType(form), isFailure: false)
        case .refused(let words): return failed(JobFailure(refused: words))
        case .timedOut: return failed(JobFailure(timeoutOf: service))
        }
    }

    private func failed(_ failure: JobFailure) -> SmallAnswer {
        counts.failed.increment()
        logger.info("run ended", metadata: ["state": "failed", "message": "\(failure.message)"])
        return .text(
            ByteBuffer(string: RunAnswer.beginning(of: failure)), contentType: RunAnswer.textType, isFailure: true)
    }

    /// Makes the answer of a program that left files; they go where the service's outputs say, as in any run.
    private func prepare(
        _ outcome: ResidentAnswer.Outcome,
        _ files: FilePath,
        of service: RegisteredService,
        _ form: Form,
        _ principal: String
    ) async throws -> SmallAnswer {
        guard case .result(let text) = outcome else {
            try await Folder.offload { try Folder.remove(files) }
            return small(outcome, of: service, form)
        }
        let job = JobName(service: service.name, unique: UniqueID.uuid())
        let folder = try await WorkFolder.make(job.text, in: data.work)
        let output = folder.output
        try await Folder.offload {
            try Folder.remove(output)
            try Folder.move(files, to: output)
            try Folder.writeFile(folder.root.appending(RunAnswer.outputName), Array(text.readableBytesView))
            try Folder.writeFile(folder.root.appending(RunAnswer.errorName), [])
        }
        let input = PreparedInput(event: .unknown(.empty))
        let answer = try await self.answer(nil, service, input, form: form, in: folder, run: (job, principal))
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
