import Cluster
import Sandboxes
import Settings

extension SandboxSet {
    /// The sandboxes that work on this machine.
    static func make(_ settings: ServeSettings, data: DataDirectory, images: ImageStore) async -> SandboxSet {
        let process = ProcessSandbox(.init(dataDirectory: data.root))
        var container: (any Sandbox)?
        var problem = ""
        do {
            container = try await ContainerSandbox.open(
                .init(dataDirectory: data.root, network: settings.network == .none ? .none : .outbound), images: images
            )
        } catch {
            problem = "Containers cannot run here: \(error.message)"
        }
        return SandboxSet(
            process: process, container: container, containerProblem: problem,
            runsAllAsProcesses: settings.runsAllAsProcesses
        )
    }
}
