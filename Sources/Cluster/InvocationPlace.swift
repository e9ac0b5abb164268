import Model
import Sandboxes
import Scheduling

/// Where `Admission` has given an invocation its place: in a warm instance, or in a sandbox of its own.
struct InvocationPlace: Sendable {
    let ticket: Admission.Ticket
    let scheduler: JobScheduler
    let sandboxes: SandboxSet

    /// Waits until its instance is ready, where it has one.
    func wait() async throws {
        _ = try await scheduler.readyInstance(of: ticket)
    }

    /// Runs it there, once.
    ///
    /// - Returns: also whether the sandbox knows when memory runs out.
    /// - Throws: `SandboxError`; with `instanceLost` where the instance ended before the invocation did, which may run again.
    ///   `JobFailure` where its volume or its bucket is not as it must be.
    func run(
        _ invocation: SandboxInvocation,
        of service: RegisteredService,
        principal: String,
        output: @escaping @Sendable (SandboxOutput) async -> Void
    ) async throws -> (outcome: SandboxOutcome, countsMemory: Bool) {
        guard service.hasAttachments else { return try await run(invocation, of: service, output: output) }
        let attachments = scheduler.instances.attachments
        let places = try await attachments.acquire(service)
        var invocation = invocation
        invocation.binds = places.binds
        invocation.environment.merge(places.environment) { $1 }
        let result: Result<(outcome: SandboxOutcome, countsMemory: Bool), any Error>
        do { result = .success(try await run(invocation, of: service, output: output)) } catch {
            result = .failure(error)
        }
        do { try await attachments.release(service, principal: principal) } catch {
            // Why the script failed matters more.
            if case .success(let (outcome, _)) = result, outcome.ending == .exited(0) { throw error }
        }
        return try result.get()
    }

    private func run(
        _ invocation: SandboxInvocation,
        of service: RegisteredService,
        output: @escaping @Sendable (SandboxOutput) async -> Void
    ) async throws -> (outcome: SandboxOutcome, countsMemory: Bool) {
        let sandbox = try await sandboxes.sandbox(for: service.sandbox)
        let outcome = try await run(invocation, in: sandbox, output)
        scheduler.use.ended(outcome)
        return (outcome, sandbox.capabilities.enforcesLimits)
    }

    private func run(
        _ invocation: SandboxInvocation,
        in sandbox: any Sandbox,
        _ output: @escaping @Sendable (SandboxOutput) async -> Void
    ) async throws -> SandboxOutcome {
        guard let instance = try await scheduler.readyInstance(of: ticket) else {
            return try await sandbox.run(invocation, output: output)
        }
        guard instance.serverSocket != nil else { return try await instance.run(invocation, output: output) }
        let call = ServerInvocation(client: scheduler.instances.httpClient, now: scheduler.instances.now)
        return try await call.run(invocation, in: instance, output: output)
    }

    /// The instance that it is in now; `nil` where it has a sandbox of its own.
    var instance: InstanceID? { scheduler.seat(of: ticket) }

    /// Waits until the place is in another instance than that one, which was lost.
    func move(from instance: InstanceID?) async {
        if let instance { await scheduler.instances.waitForEnd(of: instance) }
    }
}
