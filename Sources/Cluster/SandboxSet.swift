package import Model
package import Sandboxes

/// The sandboxes of this machine, and which of them a service gets.
package struct SandboxSet: Sendable {
    /// The container sandbox, as soon as it is known whether one works here.
    package typealias LateContainer = @Sendable () async throws(SandboxError) -> any Sandbox

    private let process: any Sandbox
    private let container: LateContainer
    private let knownContainer: @Sendable () async -> (any Sandbox)?
    /// The operator chose to run every service as a process.
    private let runsAllAsProcesses: Bool

    /// - Parameters:
    ///   - process: The sandbox of plain processes.
    ///   - container: Answers the container sandbox, cleared of what an earlier run left, or throws `unavailable` with what
    ///     to install. Finding out takes longer than a start may take, so nobody waits for it who needs no container.
    ///   - knownContainer: The same without looking for one that was not found.
    ///   - runsAllAsProcesses: Whether the operator chose to run every service as a process.
    package init(
        process: any Sandbox,
        container: @escaping LateContainer,
        knownContainer: @escaping @Sendable () async -> (any Sandbox)? = { nil },
        runsAllAsProcesses: Bool
    ) {
        self.process = process
        self.container = container
        self.knownContainer = knownContainer
        self.runsAllAsProcesses = runsAllAsProcesses
    }

    /// What a service runs in that names no sandbox.
    package var defaultKind: SandboxKind { runsAllAsProcesses ? .process : .container }

    /// What this service runs in.
    ///
    /// Never a process where the service names an image and nobody chose so.
    package func kind(for definition: ServiceDefinition) -> SandboxKind {
        runsAllAsProcesses ? .process : definition.sandbox ?? .container
    }

    /// Whether instances can be kept warm here; if not, each invocation has a sandbox of its own.
    package var hasInstances: Bool { process.capabilities.hasInstances }

    /// - Throws: `SandboxError` with `unavailable`.
    package func sandbox(for kind: SandboxKind) async throws(SandboxError) -> any Sandbox {
        switch kind {
        case .process: process
        case .container: try await container()
        }
    }

    /// Whether the service can run here; fetches its image where it asked for that.
    package func check(_ definition: ServiceDefinition) async throws(SandboxError) {
        let kind = kind(for: definition)
        let sandbox = try await sandbox(for: kind)
        let image = kind == .container ? definition.image : nil
        let runsImageCommand = definition.expose.isExposed && definition.expose.defaultCommand
        guard image != nil || !runsImageCommand else {
            throw SandboxError(
                .invalid, "expose.default_command needs a container, and this cluster runs all services as processes")
        }
        let requirements = SandboxRequirements(image: image, runsImageCommand: runsImageCommand)
        try await sandbox.check(requirements)
        guard let image, definition.imagePrefetch else { return }
        try await sandbox.prepare(image: image, progress: { _ in })
        try await sandbox.check(requirements)
    }

    /// What an earlier run left of processes.
    ///
    /// Containers are cleared before the first one starts.
    package func removeLeftovers() async { await process.removeLeftovers() }

    /// Ends everything that runs, at once.
    package func killAll() async {
        await process.removeLeftovers()
        await knownContainer()?.removeLeftovers()
    }

    package func shutDown() async {
        await process.shutDown()
        await knownContainer()?.shutDown()
    }
}
