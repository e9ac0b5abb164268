import Cluster
import Sandboxes
import Settings

extension SandboxSet {
    /// The sandboxes that work on this machine.
    static func make(_ settings: ServeSettings, data: DataDirectory) async -> SandboxSet {
        let process = ProcessSandbox(.init(dataDirectory: data.root))
        let container: (any Sandbox)? = nil
        let problem = "none yet"
        return SandboxSet(
            process: process, container: container, containerProblem: problem,
            runsAllAsProcesses: settings.runsAllAsProcesses
        )
    }
}
