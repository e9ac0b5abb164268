import Cluster
import Logging
import Sandboxes
import Settings

extension SandboxSet {
    /// The sandboxes of this machine.
    ///
    /// Whether containers work is found out beside the start, by running one.
    static func make(
        _ settings: ServeSettings,
        data: DataDirectory,
        images: ImageStore,
        logger: Logger
    ) -> SandboxSet {
        let process = ProcessSandbox(.init(dataDirectory: data.root))
        for sentence in process.capabilities.sentences { logger.info("\(sentence)") }
        let search = SandboxSearch {
            do throws(SandboxError) {
                let network: SandboxNetwork = settings.network == .none ? .none : .outbound
                let container = try await ContainerSandbox.open(
                    .init(dataDirectory: data.root, network: network), images: images
                )
                await container.removeLeftovers()
                for sentence in container.capabilities.sentences { logger.info("\(sentence)") }
                return .success(container)
            } catch {
                logger.notice("containers cannot run here: \(error.message)")
                return .failure(
                    SandboxError(.unavailable, "containers cannot run here: \(error.message)", cause: error))
            }
        }
        return SandboxSet(
            process: process,
            container: { () async throws(SandboxError) in try await search.sandbox() },
            knownContainer: { await search.known },
            runsAllAsProcesses: settings.runsAllAsProcesses
        )
    }
}
