package import Model
package import Sandboxes

/// The sandboxes of this machine, and which of them a service gets.
package struct SandboxSet: Sendable {
    private let process: any Sandbox
    /// `nil` where no container runtime works here.
    private let container: (any Sandbox)?
    /// Why there is no container sandbox, and what to install.
    private let containerProblem: String
    /// The operator chose to run every service as a process.
    private let runsAllAsProcesses: Bool

    package init(
        process: any Sandbox,
        container: (any Sandbox)?,
        containerProblem: String,
        runsAllAsProcesses: Bool
    ) {
        self.process = process
        self.container = container
        self.containerProblem = containerProblem
        self.runsAllAsProcesses = runsAllAsProcesses
    }

    /// What a service runs in that names no sandbox.
    package var defaultKind: SandboxKind { runsAllAsProcesses ? .process : .container }

    /// What this service runs in. Never a process where the service names an image and nobody chose so.
    package func kind(for definition: ServiceDefinition) -> SandboxKind {
        runsAllAsProcesses ? .process : definition.sandbox ?? .container
    }

    /// - Throws: `SandboxError` with `unavailable`.
    package func sandbox(for kind: SandboxKind) throws(SandboxError) -> any Sandbox {
        switch kind {
        case .process: return process
        case .container:
            guard let container else { throw SandboxError(.unavailable, containerProblem) }
            return container
        }
    }

    /// Whether the service can run here; fetches its image where it asked for that.
    package func check(_ definition: ServiceDefinition) async throws(SandboxError) {
        let kind = kind(for: definition)
        let sandbox = try sandbox(for: kind)
        let image = kind == .container ? definition.image : nil
        try await sandbox.check(SandboxRequirements(image: image))
        if let image, definition.imagePrefetch { try await sandbox.prepare(image: image, progress: { _ in }) }
    }

    private var all: [any Sandbox] { [process] + (container.map { [$0] } ?? []) }

    /// What the sandboxes enforce here, in sentences.
    package var sentences: [String] {
        all.flatMap(\.capabilities.sentences) + (container == nil ? [containerProblem] : [])
    }

    package func removeLeftovers() async { for sandbox in all { await sandbox.removeLeftovers() } }

    package func shutDown() async { for sandbox in all { await sandbox.shutDown() } }
}
