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
        guard let id = scheduler.seat(of: ticket) else { return }
        _ = try await scheduler.instances.instance(id)
    }

    /// Runs it there, once.
    ///
    /// - Returns: also whether the sandbox knows when memory runs out.
    /// - Throws: `SandboxError`; with `instanceLost` where the instance ended before the invocation did, which may run again.
    func run(
        _ invocation: SandboxInvocation,
        of service: RegisteredService,
        output: @escaping @Sendable (SandboxOutput) async -> Void
    ) async throws -> (outcome: SandboxOutcome, countsMemory: Bool) {
        let sandbox = try await sandboxes.sandbox(for: service.sandbox)
        let countsMemory = sandbox.capabilities.enforcesLimits
        guard let id = scheduler.seat(of: ticket) else {
            return (try await sandbox.run(invocation, output: output), countsMemory)
        }
        let instance = try await scheduler.instances.instance(id)
        return (try await instance.run(invocation, output: output), countsMemory)
    }

    /// Waits until the place is in another instance than the one that was lost.
    func move() async {
        guard let id = scheduler.seat(of: ticket) else { return }
        await scheduler.instances.waitForEnd(of: id)
    }
}
