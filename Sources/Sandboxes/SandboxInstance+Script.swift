import InitWire
import Model
import SystemPackage

extension SandboxInstance {
    /// After the time when its first process should have ended an execution, the host does so.
    private static let lateness = Duration.seconds(10)

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
        let own = invocation.variables(
            input: places.input, output: places.output, home: view.home, temporary: view.temporary)
        let order = InitFrame.Execution(
            id: link.nextID(), arguments: view.command, environment: view.variables(invocation.environment, own),
            directory: view.workingDirectory, standardInput: places.standardInput,
            timeout: invocation.timeout.map { max(1, $0.wholeMilliseconds) } ?? 0,
            gracePeriod: invocation.gracePeriod.wholeMilliseconds
        )
        let killsBefore = specification.memory > .zero ? memory.kills : nil
        let startedAt = Instant.now()
        let grace = invocation.gracePeriod + Self.lateness
        let feed = link.begin(order, limit: invocation.timeout.map { $0 + grace })
        let event = await withTaskCancellationHandler {
            await end(of: feed, output)
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
                ending: ending(end, killsBefore), startedAt: startedAt,
                cpuTime: .microseconds(Int64(clamping: end.cpuTime)),
                peakMemory: ByteCount(Int64(clamping: end.peakMemory))
            )
        }
    }

    /// Hands the output over, and returns what comes last.
    private func end(
        of feed: ExecutionFeed,
        _ output: @Sendable (SandboxOutput) async -> Void
    ) async -> ExecutionFeed.Event {
        while true {
            let events = await feed.next()
            if feed.takeStall() { link.resume() }
            for event in events {
                guard case .output(let piece) = event else { return event }
                await output(piece)
            }
        }
    }

    private func ending(_ end: InitFrame.End, _ killsBefore: Int64?) -> SandboxOutcome.Ending {
        if end.isTimedOut { return .timedOut }
        let ending: SandboxOutcome.Ending = end.isSignal ? .signalled(end.code) : .exited(end.code)
        guard ending != .exited(0), let killsBefore else { return ending }
        return memory.hasKilled(since: killsBefore, ending) ? .outOfMemory : ending
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
