import APIClient
import ArgumentParser
import Model

/// `apus cluster …`.
struct ClusterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster", abstract: "Manages the clusters that are known here.",
        subcommands: [Add.self, List.self, Default.self, Info.self, Remove.self], aliases: ["c", "clusters"])
}

extension ClusterCommand {
    /// `apus cluster add`.
    struct Add: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stores a cluster, or new credentials for one.",
            discussion: "The first cluster becomes the default one.", aliases: ["a"])

        @Argument(help: "A name for the cluster.") var id: String
        @Argument(help: "Its address, for example https://host or http://127.0.0.1:8080.") var endpoint: String
        @Argument(help: "The user.") var user: String?
        @Argument(help: "The password. Others can see it in the list of processes; prefer --password-stdin.")
        var password: String?
        @Flag(help: "Reads the password from the standard input.") var passwordStdin = false
        @Flag(help: "Accepts any certificate.") var disableSsl = false
        @Option(name: .shortAndLong, help: "A bearer token in place of user and password.") var token: String?
        @OptionGroup var file: ConfigurationOptions

        func validate() throws {
            if token != nil, user != nil || passwordStdin {
                throw ValidationError("Give a token, or a user and password, not both.")
            }
            if passwordStdin {
                guard user != nil else { throw ValidationError("--password-stdin needs a user.") }
                guard password == nil else {
                    throw ValidationError("Give the password as an argument or by --password-stdin, not both.")
                }
            } else if user != nil, password == nil {
                throw ValidationError("Give a password too, as an argument or by --password-stdin.")
            }
        }

        func perform() async throws {
            var configuration = try await Configuration.load(file: file.config, isForWriting: true)
            var entry = ClusterEntry(
                id: id, endpoint: try APIClient.checkedEndpoint(endpoint), user: user, password: password,
                token: token,
                verifyTLS: !disableSsl)
            if passwordStdin { entry.password = try await passwordFromInput() }
            try configuration.add(entry)
            try await configuration.save()
            try Console.say("Cluster \"\(id)\" successfully stored in \(configuration.path).")
        }

        private func passwordFromInput() async throws -> String {
            let bytes = try await Surroundings.current.readInput(64 << 10)
            guard let line = String(validating: bytes, as: UTF8.self)?.prefix(while: { !$0.isNewline }), !line.isEmpty
            else { throw CommandError(.invalidInput, "the standard input has no password") }
            return String(line)
        }
    }

    /// `apus cluster list`.
    struct List: ReportingCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the clusters.", aliases: ["ls"])

        @OptionGroup var file: ConfigurationOptions
        @OptionGroup var output: OutputOptions

        func perform() async throws {
            let configuration = try await Session.configuration(file)
            if case .oscarCLI(let path) = configuration.origin {
                Console.complain(
                    "Read from oscar-cli's \(path); the first change is written to \(configuration.path).")
            }
            let defaultID = configuration.defaultID
            if output.format == .table {
                for id in configuration.ids {
                    let line = Text.printable("\(id) (\(try configuration.cluster(id).endpoint))")
                    try Console.say(id == defaultID ? Style.bold(line + " (Default)") : line)
                }
                if configuration.ids.isEmpty {
                    Console.complain(
                        "There are no clusters. Add one with \"apus cluster add\", or start \"apus serve\".")
                }
                return
            }
            var writer = ListWriter([], format: output.format, emptyText: "")
            for id in configuration.ids {
                let entry = try configuration.cluster(id)
                let json = JSONValue.object([
                    "id": .string(id), "endpoint": .string(entry.endpoint), "default": .bool(id == defaultID),
                    "ssl_verify": .bool(entry.verifyTLS),
                ])
                try writer.append([Row(cells: [], json: json)])
            }
            try writer.finish()
        }
    }

    /// `apus cluster default`.
    struct Default: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows or sets the default cluster.", aliases: ["d"])

        @Option(name: .shortAndLong, help: "The id of the cluster to make the default.") var set: String?
        @OptionGroup var file: ConfigurationOptions

        func perform() async throws {
            var configuration = try await Session.configuration(file)
            if let set {
                try configuration.setDefault(set)
                try await configuration.save()
            }
            guard let id = configuration.defaultID else {
                throw CommandError(
                    .notFound, "no cluster is the default; set one with \"apus cluster default --set ID\"")
            }
            try Console.say(Text.printable(id))
        }
    }

    /// `apus cluster info`.
    struct Info: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows a cluster's version and environment.", aliases: ["i"])

        @OptionGroup var options: ClusterOptions
        @OptionGroup var output: OutputOptions

        func perform() async throws {
            try await Session.withCluster(options) { client in try output.format.show(try await client.info()) }
        }
    }

    /// `apus cluster remove`.
    struct Remove: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forgets a cluster; nothing happens on the cluster itself.",
            aliases: ["delete", "del", "rm"])

        @Argument(help: "The id of the cluster.") var id: String
        @OptionGroup var file: ConfigurationOptions

        func perform() async throws {
            var configuration = try await Session.configuration(file)
            try configuration.remove(id)
            try await configuration.save()
            try Console.say("Cluster \"\(id)\" removed from the configuration.")
        }
    }
}
