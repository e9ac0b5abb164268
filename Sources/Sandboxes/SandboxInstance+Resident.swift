import Glibc
import InitWire
import Model
package import NIOCore
import NIOPosix
import Synchronization
import SystemPackage

/// The program of a resident instance, and the event loop that its calls are made on.
struct ResidentProgram: Sendable {
    let handler: NIOLoopBound<ResidentHandler>

    /// Has it started by the instance's first process, which is there already.
    ///
    /// - Throws: `.startFailed`.
    static func start(
        _ specification: InstanceSpecification,
        _ view: InstanceView,
        _ link: InstanceLink,
        log: @escaping @Sendable (SandboxOutput) async -> Void,
        abandon: @escaping @Sendable () -> Void
    ) async throws(SandboxError) -> ResidentProgram {
        let (input, output): (DescriptorPair, DescriptorPair)
        do { (input, output) = (try DescriptorPair(), try DescriptorPair()) } catch {
            throw SandboxError(.startFailed, "no pipe for the program of \(specification.id)", cause: error)
        }
        let feed = ExecutionFeed(id: 0)
        // Ends with the feed, when the program's output has ended.
        Task {
            while true {
                for event in await feed.next() {
                    guard case .output(let piece) = event else { return }
                    await log(piece)
                }
            }
        }
        let boot = InitFrame.boot(
            InitFrame.Boot(
                kind: .lines, arguments: view.command, environment: view.common(specification).lines,
                directory: view.workingDirectory
            ))
        do {
            let handler = try await link.eventLoop.submit {
                NIOLoopBound(
                    ResidentHandler(specification, view.callExchange, log: feed, abandon: abandon),
                    eventLoop: link.eventLoop)
            }.get()
            _ = try await NIOPipeBootstrap(group: link.eventLoop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(handler.value)
                    }
                }
                .takingOwnershipOfDescriptors(input: output.reading, output: input.writing).get()
            link.whenLost { _ in handler.value.instanceEnds() }
            link.boot(boot, with: [input.reading, output.writing])
            _ = try await link.booted.get()
            return ResidentProgram(handler: handler)
        } catch {
            feed.add(.lost)
            feed.deliver()
            throw error as? SandboxError
                ?? SandboxError(.startFailed, "the program of \(specification.id) could not be started", cause: error)
        }
    }
}

/// A pipe that no process inherits.
private struct DescriptorPair {
    let reading: Int32
    let writing: Int32

    init() throws(Errno) {
        var ends: [Int32] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw Errno(rawValue: errno) }
        (reading, writing) = (ends[0], ends[1])
    }
}

/// Not shown by the C library's module, as it is no part of POSIX before 2024 (pipe(2)).
@_silgen_name("pipe2")
private func pipe2(_ ends: UnsafeMutablePointer<Int32>, _ flags: Int32) -> Int32

extension SandboxInstance {
    /// Whether the instance takes small calls.
    package var takesCalls: Bool { resident != nil }

    /// Calls the resident program with a small body, which it finds in its input file; for event loops.
    ///
    /// Costs two system calls for the body, one to write and one to read for all calls that come together. For what needs
    /// files, a name or an event there is `run`. At most as many at once as the specification's concurrency.
    ///
    /// - Parameters:
    ///   - timeout: after it the answer is `.timedOut` and the instance is ended.
    ///   - promise: gets the answer, or a `SandboxError`: `.instanceLost`, `.invalid` (no resident instance, or too many at
    ///     once), `.startFailed`.
    package func call(
        _ body: ByteBuffer,
        timeout: Duration? = nil,
        promise: EventLoopPromise<ResidentAnswer>
    ) {
        guard let resident else {
            return promise.fail(SandboxError(.invalid, "the instance \(id) takes no calls"))
        }
        let handler = resident.handler
        if link.eventLoop.inEventLoop {
            handler.value.call(body, timeout: timeout, promise)
        } else {
            link.eventLoop.execute { handler.value.call(body, timeout: timeout, promise) }
        }
    }

    /// The event loop on which `call` costs the least.
    package var eventLoop: any EventLoop { link.eventLoop }

    /// One invocation by the resident program.
    func call(
        _ invocation: SandboxInvocation,
        slot: Int,
        output: @Sendable (SandboxOutput) async -> Void
    ) async throws(SandboxError) -> SandboxOutcome {
        try await bringing(invocation, slot: slot) { (places) async throws(SandboxError) in
            try await answer(to: invocation, places, output)
        }
    }

    private func answer(
        to invocation: SandboxInvocation,
        _ places: InstancePlaces,
        _ output: @Sendable (SandboxOutput) async -> Void
    ) async throws(SandboxError) -> SandboxOutcome {
        guard let resident else { throw ResidentHandler.lost }
        let line = ResidentRequest.call(of: invocation, in: places)
        let use = beginUse()
        let startedAt = Instant.now()
        func outcome(_ ending: SandboxOutcome.Ending) -> SandboxOutcome {
            SandboxOutcome(
                ending: ending, startedAt: startedAt, cpuTime: use?.cpuTime, peakMemory: use?.peakMemory)
        }
        let promise = link.eventLoop.makePromise(of: ResidentAnswer.self)
        link.eventLoop.execute { resident.handler.value.call(line, timeout: invocation.timeout, promise) }
        let answer: ResidentAnswer
        do {
            answer = try await withTaskCancellationHandler {
                try await promise.futureResult.get()
            } onCancel: {
                // The program cannot be told to leave off; it may still answer in time.
                link.eventLoop.scheduleTask(in: TimeAmount(invocation.gracePeriod)) {
                    promise.fail(ResidentHandler.lost)
                }
            }
        } catch {
            return try await lost(invocation, startedAt, error)
        }
        if Task.isCancelled {
            throw SandboxError(
                .cancelled, "the invocation \(invocation.id) was cancelled", cause: CancellationError())
        }
        switch answer.outcome {
        case .result(let text):
            // Before its output is handed over, which takes what time it takes.
            let ended = outcome(.exited(0))
            for start in stride(from: text.readerIndex, to: text.writerIndex, by: 1 << 16) {
                let count = min(1 << 16, text.writerIndex - start)
                await output(
                    SandboxOutput(stream: .standardOutput, bytes: text.getBytes(at: start, length: count) ?? []))
            }
            return ended
        case .refused(let words): return outcome(.refused(words))
        case .timedOut:
            // Until then it can write to what is to be taken back.
            _ = await waitForEnd()
            return SandboxOutcome(ending: .timedOut, startedAt: startedAt)
        }
    }

    private func lost(
        _ invocation: SandboxInvocation,
        _ startedAt: Instant,
        _ error: any Error
    ) async throws(SandboxError) -> SandboxOutcome {
        let isCancelled = Task.isCancelled
        if isCancelled { abandon() }
        let wasAlone = free.withLock { $0.count == slots - 1 }
        let end = await waitForEnd()
        if isCancelled {
            throw SandboxError(
                .cancelled, "the invocation \(invocation.id) was cancelled", cause: CancellationError())
        }
        // Another attempt would need as much; where there were others, nobody knows whose need it was.
        if end == .outOfMemory, wasAlone { return SandboxOutcome(ending: .outOfMemory, startedAt: startedAt) }
        throw error as? SandboxError ?? ResidentHandler.lost
    }
}
