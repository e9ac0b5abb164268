import InitWire
import Model
package import NIOCore
import SystemPackage

extension SandboxInstance {
    /// After the time when its first process should have ended an execution, the host does so.
    static let lateness = Duration.seconds(10)

    /// Executes the script for one invocation.
    func execute(
        _ invocation: SandboxInvocation,
        slot: Int,
        output: @Sendable (SandboxOutput) async -> Void
    ) async throws(SandboxError) -> SandboxOutcome {
        try await bringing(invocation, slot: slot) { (places) async throws(SandboxError) in
            do throws(SandboxError) { return try await supervise(invocation, places, output) } catch {
                // Only then is nobody left who could change what is taken back.
                if error.code == .instanceLost { _ = await waitForEnd() }
                throw error
            }
        }
    }

    private func supervise(
        _ invocation: SandboxInvocation,
        _ places: InstancePlaces,
        _ output: @Sendable (SandboxOutput) async -> Void
    ) async throws(SandboxError) -> SandboxOutcome {
        let own = invocation.environment.merging(
            invocation.variables(
                input: places.input, output: places.output, home: view.home, temporary: view.temporary)
        ) { $1 }.merging(view.fixed) { $1 }.difference(from: common)
        let order = InitFrame.Execution(
            id: link.nextID(), arguments: view.command, environment: commonLines, own: own.lines,
            directory: view.workingDirectory, standardInput: places.standardInput,
            timeout: invocation.timeout.map { max(1, $0.wholeMilliseconds) } ?? 0,
            gracePeriod: invocation.gracePeriod.wholeMilliseconds
        )
        let killsBefore = specification.memory > .zero ? memory.kills : nil
        let startedAt = Instant.now()
        let grace = invocation.gracePeriod + Self.lateness
        let feed = ExecutionFeed(id: order.id)
        link.begin(feed, order, limit: invocation.timeout.map { $0 + grace })
        let event = await withTaskCancellationHandler {
            await link.end(of: feed, output)
        } onCancel: {
            link.cancel(order.id, limit: grace)
        }
        switch event {
        case .output, .lost:
            throw SandboxError(.instanceLost, "the instance \(id) ended before \(invocation.id) did")
        case .refused(let message):
            throw SandboxError(.startFailed, "the script of \(invocation.id) could not be started: \(message)")
        case .ended(let end):
            if Task.isCancelled {
                throw SandboxError(
                    .cancelled, "the invocation \(invocation.id) was cancelled", cause: CancellationError())
            }
            return SandboxOutcome(
                ending: memory.ending(end, killsBefore: killsBefore), startedAt: startedAt,
                cpuTime: .microseconds(Int64(clamping: end.cpuTime)),
                peakMemory: ByteCount(Int64(clamping: end.peakMemory))
            )
        }
    }

    /// Executes the script on a small body, which it finds in its input file; for event loops, without a folder or a task.
    ///
    /// Only in mode script, and one at a time. For what needs files, an event or more variables there is `run`.
    ///
    /// - Parameters:
    ///   - name: of the invocation, which the script finds in `JOB_UUID`.
    ///   - promise: gets the answer, or a `SandboxError`: `.instanceLost`; `.invalid` and `.startFailed` where nothing was executed.
    /// - Returns: what ends the script, whose answer then comes as always.
    package func execute(
        _ body: ByteBuffer,
        name: String,
        timeout: Duration?,
        promise: EventLoopPromise<ScriptAnswer>
    ) -> @Sendable () -> Void {
        guard let scripts else {
            promise.fail(SandboxError(.invalid, "the instance \(id) executes no scripts"))
            return {}
        }
        let id = link.nextID()
        let request = ScriptCalls.Request(body: body, id: id, name: name, timeout: timeout, promise: promise)
        link.eventLoop.execute { scripts.value.call(request) }
        let limit = specification.gracePeriod + Self.lateness
        return { [link] in
            link.eventLoop.execute { if !scripts.value.withdraw(id) { link.cancel(id, limit: limit) } }
        }
    }
}

extension Duration {
    var wholeMilliseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        guard seconds < 1 << 40 else { return 1 << 50 }
        return UInt64(seconds) * 1000 + UInt64(attoseconds / 1_000_000_000_000_000)
    }
}
