import InitWire
import Model
import NIOCore
import Synchronization
import SystemPackage

/// A sandbox that is kept for many invocations: started by `Sandbox.startInstance`, ended by `stop`.
///
/// All modes have one contract toward the caller: `run`.
package final class SandboxInstance: Sendable {
    package let id: String
    let specification: InstanceSpecification
    let view: InstanceView
    /// The variables that all programs of the instance see.
    let common: [String: String]
    let commonLines: [String]
    let link: InstanceLink
    let memory: InstanceMemory
    private let life: Task<InstanceEnd, Never>
    /// The slots that no invocation has; the last one is taken first, and its files are in the processor's cache.
    let free: Mutex<[Int]>
    let slots: Int
    /// In mode script.
    let scripts: NIOLoopBound<ScriptCalls>?
    /// In mode resident.
    let resident: ResidentProgram?
    /// In mode server.
    let server: ServerSocket?

    private init(
        _ specification: InstanceSpecification,
        _ view: InstanceView,
        _ link: InstanceLink,
        _ memory: InstanceMemory,
        _ life: Task<InstanceEnd, Never>,
        _ program: BootedProgram
    ) {
        id = specification.id
        (self.specification, self.view, self.link) = (specification, view, link)
        (self.memory, self.life) = (memory, life)
        common = view.common(specification)
        commonLines = common.lines
        (scripts, resident, server) = (program.scripts, program.resident, program.server)
        slots = specification.invocationsAtOnce
        free = Mutex(Array((1...slots).reversed()))
    }

    /// Starts an instance whose first process is run by the closure, which returns when none of its processes is left.
    static func start(
        _ specification: InstanceSpecification,
        _ view: InstanceView,
        _ link: InstanceLink,
        _ memory: InstanceMemory,
        log: @escaping @Sendable (SandboxOutput) async -> Void,
        run: @escaping @Sendable () async throws(SandboxError) -> SandboxOutcome
    ) async throws(SandboxError) -> SandboxInstance {
        // Awaited by `stop` and `waitForEnd`, cancelled by `stop`.
        let life = Task { () -> InstanceEnd in
            let result: Result<SandboxOutcome, SandboxError>
            do throws(SandboxError) { result = .success(try await run()) } catch { result = .failure(error) }
            link.close(Self.startError(result))
            return InstanceEnd(result)
        }
        link.whenLost { malformation in
            // An ordinary end of the first process is seen by `run`; whatever is left a moment later is ended.
            if malformation != nil { life.cancel() }
            link.eventLoop.scheduleTask(in: .seconds(30)) { life.cancel() }
        }
        do {
            let program = try await withTaskCancellationHandler {
                try await link.ready.get()
                return try await boot(
                    specification, view, link, memory, log, abandon: { link.unlessEnding { life.cancel() } })
            } onCancel: {
                life.cancel()
            }
            try Task.checkCancellation()
            return SandboxInstance(specification, view, link, memory, life, program)
        } catch {
            life.cancel()
            _ = await life.value
            if Task.isCancelled { throw SandboxError(.cancelled, "the start of the instance was cancelled") }
            // Ended by us, because it did what it should not.
            if let error = error as? SandboxError, error.code != .cancelled { throw error }
            throw SandboxError(.startFailed, "the instance could not be started", cause: error)
        }
    }

    /// Has the program started that lives as long as the instance.
    private static func boot(
        _ specification: InstanceSpecification,
        _ view: InstanceView,
        _ link: InstanceLink,
        _ memory: InstanceMemory,
        _ log: @escaping @Sendable (SandboxOutput) async -> Void,
        abandon: @escaping @Sendable () -> Void
    ) async throws(SandboxError) -> BootedProgram {
        switch specification.mode {
        case .script:
            let loop = link.eventLoop
            let scripts = try? await loop.submit {
                NIOLoopBound(ScriptCalls(specification, view, link, memory), eventLoop: loop)
            }.get()  // an event loop that is shut down takes nothing any more
            return BootedProgram(scripts: scripts)
        case .resident:
            let program = try await ResidentProgram.start(specification, view, link, log: log, abandon: abandon)
            return BootedProgram(resident: program)
        case .server(let port):
            return BootedProgram(server: try await ServerSocket.start(specification, view, link, port: port))
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
        let slot = try takeSlot()
        defer { leave(slot: slot) }
        switch specification.mode {
        case .script: return try await execute(invocation, slot: slot, output: output)
        case .resident: return try await call(invocation, slot: slot, output: output)
        case .server: throw SandboxError(.invalid, "the instance \(id) is spoken to by HTTP")
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

    /// - Throws: `.invalid` where no further invocation is taken.
    func takeSlot() throws(SandboxError) -> Int {
        guard let slot = free.withLock({ $0.popLast() }) else {
            throw SandboxError(.invalid, "the instance \(id) has no room for another invocation")
        }
        return slot
    }

    func leave(slot: Int) { free.withLock { $0.append(slot) } }

    /// Brings the directories of an invocation to where the programs see them.
    func bringIn(_ invocation: SandboxInvocation, slot: Int) throws(SandboxError) -> InstancePlaces {
        try view.exchange?.bringIn(invocation, slot: slot)
            ?? InstancePlaces(
                input: invocation.inputDirectory.string, output: invocation.outputDirectory.string,
                standardInput: invocation.standardInput?.string ?? ""
            )
    }

    /// Takes back the directories of an invocation that has ended.
    func giveBack(_ invocation: SandboxInvocation, slot: Int) {
        if let exchange = view.exchange {
            exchange.takeBack(invocation, slot: slot)
        } else {
            for directory in [invocation.inputDirectory, invocation.outputDirectory] {
                InstanceExchange.mend(directory)
            }
        }
    }

    /// Brings the directories of an invocation in, does the work, and takes them back.
    func bringing(
        _ invocation: SandboxInvocation,
        slot: Int,
        _ work: (InstancePlaces) async throws(SandboxError) -> SandboxOutcome
    ) async throws(SandboxError) -> SandboxOutcome {
        let places = try bringIn(invocation, slot: slot)
        let result: Result<SandboxOutcome, SandboxError>
        do throws(SandboxError) { result = .success(try await work(places)) } catch { result = .failure(error) }
        giveBack(invocation, slot: slot)
        return try result.get()
    }

    /// Takes the instance for broken: ends it without waiting for that.
    func abandon() { life.cancel() }
}

/// What an instance has beside its first process, as its mode wants it.
private struct BootedProgram: Sendable {
    var scripts: NIOLoopBound<ScriptCalls>?
    var resident: ResidentProgram?
    var server: ServerSocket?
}
