import APIClient
import ArgumentParser
import AsyncHTTPClient
import Model

/// Which clusters and services of an FDL file are meant.
struct FDLOptions: ParsableArguments {
    @Argument(help: "The FDL file.", completion: .file(extensions: ["yaml", "yml", "json"])) var file: String
    @Flag(name: .customLong("default"), help: "Takes the default cluster for all services.") var toDefault = false
    @Option(name: .shortAndLong, help: "Takes this cluster for all services.") var cluster: String?
    @Option(name: .shortAndLong, help: "Another name for the service; the file must have only one.") var name: String?
    @OptionGroup var configuration: ConfigurationOptions

    func validate() throws {
        if toDefault, cluster != nil { throw ValidationError("Give --default or --cluster, not both.") }
    }

    /// One service of the file and where it belongs.
    struct Target {
        var service: FDLDocument.Service
        var name: String
        var cluster: ClusterEntry
    }

    /// All services with their clusters, checked before anything is sent anywhere.
    ///
    /// - Throws: `notFound` for an unknown cluster; `invalidInput` for a service without a good name.
    func targets(of fdl: FDLFile, _ known: Configuration) throws -> [Target] {
        let services = fdl.document.services
        guard name == nil || services.count == 1 else {
            throw CommandError(
                .invalidInput, "--name needs a file with one service; \(fdl.path) has \(services.count)")
        }
        return try services.map { service in
            guard let name = name ?? service.name else {
                throw CommandError(.invalidInput, "\(fdl.path): \(service.path).name is missing")
            }
            _ = try ServiceName(name)
            let isDefault = toDefault || service.cluster == FDLDocument.defaultCluster
            let id = cluster ?? (isDefault ? nil : service.cluster)
            return Target(service: service, name: name, cluster: try known.cluster(id))
        }
    }
}

/// `apus apply`.
struct ApplyCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Creates or edits the services of an FDL file, on all the clusters that it names.",
        discussion: """
            A cluster is named by its id in the configuration; default-cluster means the default one. A script's path \
            belongs to the file's folder. The first failure ends the command; what was done before stays.
            """,
        aliases: ["a"])

    @OptionGroup var options: FDLOptions

    func perform() async throws {
        let fdl = try await FDLFile.read(Surroundings.current.resolve(options.file))
        let known = try await Session.configuration(options.configuration)
        var requests: [(target: FDLOptions.Target, body: JSONValue)] = []
        for target in try options.targets(of: fdl, known) {
            requests.append(
                (target, try await fdl.request(for: target.service, clusterID: target.cluster.id, name: options.name))
            )
        }
        try Console.say("Applying file \"\(options.file)\"...")
        for (target, body) in requests {
            try await Session.withCluster(target.cluster) { client in
                let exists = try await client.hasService(target.name)
                let title =
                    "\(exists ? "Editing" : "Creating") service \"\(target.name)\" in cluster \"\(target.cluster.id)\""
                try await FDLStep.perform(title) {
                    if exists { try await client.updateService(body) } else { try await client.createService(body) }
                }
            }
        }
    }
}

/// `apus delete`.
struct DeleteCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Removes the services of an FDL file from the clusters that it names.",
        discussion: "A service that does not exist counts as removed.", aliases: ["d", "del", "remove"])

    @OptionGroup var options: FDLOptions

    func perform() async throws {
        let fdl = try await FDLFile.read(Surroundings.current.resolve(options.file))
        let known = try await Session.configuration(options.configuration)
        let targets = try options.targets(of: fdl, known)
        try Console.say("Deleting file \"\(options.file)\"...")
        for target in targets {
            try await Session.withCluster(target.cluster) { client in
                let title = "Removing service \"\(target.name)\" in cluster \"\(target.cluster.id)\""
                try await FDLStep.perform(title) {
                    do {
                        try await client.deleteService(target.name)
                    } catch let error as APIClientError where error.code == .notFound {
                        return
                    }
                }
            }
        }
    }
}

/// One step of applying a file, with its line of output.
enum FDLStep {
    /// Does the work, then prints the title with a tick or a cross.
    static func perform(_ title: String, _ work: () async throws -> Void) async throws {
        do {
            try await work()
        } catch {
            try Console.say("\(Style.red("✗"))  \(title)")
            throw error
        }
        try Console.say("\(Style.green("✓"))  \(title)")
    }
}
