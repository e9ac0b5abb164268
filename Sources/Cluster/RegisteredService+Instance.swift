import Model
import Sandboxes
import SystemPackage

extension RegisteredService {
    /// Where containers see the configuration of their service.
    private static let configurationInContainers = "/oscar/config"

    /// What an instance of this service is made from.
    func instance(name: String, in folder: FilePath) -> InstanceSpecification {
        var environment = PreparedInput.environment(of: definition)
        let mode: InstanceSpecification.Mode
        switch definition.mode {
        case .script: mode = .script
        case .resident:
            mode = .resident
            // The module that lies beside the script; after what the service names itself.
            let helpers = sandbox == .container ? Self.configurationInContainers : configuration.string
            environment["PYTHONPATH"] = [environment["PYTHONPATH"], helpers].compactMap(\.self).joined(separator: ":")
        case .server:
            mode = .server(port: definition.server?.port ?? FunctionServer.defaultPort)
            if definition.expose.isExposed {
                environment["OSCAR_SERVICE_BASE_PATH"] = ExposedDesk.basePath(of: self.name)
            }
        }
        let rules = definition.instances
        var specification = InstanceSpecification(
            id: name, mode: mode, image: definition.image.isEmpty ? nil : definition.image, directory: folder,
            configDirectory: configuration, environment: environment, cpu: definition.cpuLimit,
            memory: definition.memoryLimit, concurrency: rules.concurrency)
        specification.runsImageCommand = definition.expose.isExposed && definition.expose.defaultCommand
        specification.batch = rules.batch.map { InstanceSpecification.Batch(files: $0.files, wait: $0.wait) }
        return specification
    }
}
