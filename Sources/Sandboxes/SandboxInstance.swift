import InitWire
import Model
import NIOCore
import Synchronization

/// A sandbox that is kept for many invocations: started by `Sandbox.startInstance`, ended by `stop`.
///
/// All modes have one contract toward the caller: `run`.
package final class SandboxInstance: Sendable {
    package let id: String
    let specification: InstanceSpecification
    let view: InstanceView
    let link: InstanceLink
    let memory: InstanceMemory
    private let life: Task<InstanceEnd, Never>
    /// The slots that no invocation has; the last one is taken first, and its files are in the processor's cache.
    private let free: Mutex<[Int]>

    private init(
        _ specification: InstanceSpecification,
        _ view: InstanceView,
        _ link: InstanceLink,
        _ memory: InstanceMemory,
        _ life: Task<InstanceEnd, Never>
    ) {
        id = specification.id
        (self.specification, self.view, self.link) = (specification, view, link)
        (self.memory, self.life) = (memory, life)
        free = Mutex(Array((1...max(1, specification.concurrency)).reversed()))
    }

    /// Starts an instance whose first process is run by the closure, which returns when none of its processes is left.
    static func start(
        _ specification: InstanceSpecification,
        _ view: InstanceView,
        _ link: InstanceLink,
        _ memory: InstanceMemory,
        run: @escaping @Sendable () async throws(SandboxError) -> SandboxOutcome
    ) async throws(SandboxError) -> SandboxInstance {
        // Awaited by `stop` and `waitForEnd`, cancelled by `stop`.
        let life = Task { () -> InstanceEnd in
            let result: Result<SandboxOutcome, SandboxError>
            do throws(SandboxError) { result = .success(try await run()) } catch { result = .failure(error) }
            link.close(Self.startError(result))
            return InstanceEnd(result)
        }
        let instance = SandboxInstance(specification, view, link, memory, life)
        link.whenLost { malformation in
            // An ordinary end of the first process is seen by `run`; whatever is left a moment later is ended.
            if malformation != nil { life.cancel() }
            link.eventLoop.scheduleTask(in: .seconds(10)) { life.cancel() }
        }
        do {
            try await withTaskCancellationHandler {
                try await link.ready.get()
            } onCancel: {
                life.cancel()
            }
            try Task.checkCancellation()
            return instance
        } catch {
            life.cancel()
            _ = await life.value
            if Task.isCancelled { throw SandboxError(.cancelled, "the start of the instance was cancelled") }
            throw error as? SandboxError
                ?? SandboxError(.startFailed, "the instance could not be started", cause: error)
        }
    }

    private static func startError(_ result: Result<SandboxOutcome, SandboxError>) -> SandboxError {
        switch result {
        case .failure(let error): error
        case .success(let outcome):
            SandboxError(.startFailed, "the instance ended (\(outcome.ending)) before it was ready")
        }
    }

    /// Runs one invocation, as `Sandbox.run`; what the specification says of image, limits and directory holds.
    ///
    /// The invocation's directories may be elsewhere while it runs, and are back when this returns. A directory that the
    /// script has removed or replaced by something else comes back empty.
    ///
    /// - Throws: `.invalid` (also for more invocations at once than the specification says), `.startFailed`, `.cancelled`, and
    ///   `.instanceLost` where the instance ended before the invocation did.
    package func run(
        _ invocation: SandboxInvocation,
        output: @escaping @Sendable (SandboxOutput) async -> Void
    ) async throws(SandboxError) -> SandboxOutcome {
        try invocation.checkForm()
        guard let slot = free.withLock({ $0.popLast() }) else {
            throw SandboxError(.invalid, "the instance \(id) has no room for another invocation")
        }
        defer { free.withLock { $0.append(slot) } }
        switch specification.mode {
        case .script: return try await execute(invocation, slot: slot, output: output)
        case .resident, .server: throw SandboxError(.unavailable, "instances of this mode are not there yet")
        }
    }

    /// Why it has ended, when none of its processes is left.
    package func waitForEnd() async -> InstanceEnd { await life.value }

    /// Sends SIGTERM to all of its processes and, after the grace period, SIGKILL; returns when none is left.
    ///
    /// Whatever is running on it throws `.instanceLost`.
    package func stop() async {
        life.cancel()
        _ = await life.value
    }

    /// Takes the instance for broken: ends it without waiting for that.
    func abandon() { life.cancel() }
}
