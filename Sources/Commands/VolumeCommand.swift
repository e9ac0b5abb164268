import APIClient
import ArgumentParser
import Model

/// `apus volume …`.
struct VolumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "volume", abstract: "Shows, makes, resizes and removes volumes.",
        subcommands: [List.self, Create.self, Resize.self, Remove.self], aliases: ["volumes"])

    /// Whose volumes.
    struct Owner: ParsableArguments {
        @Option(help: "Another owner's volume; for the administrator.") var owner: String?
    }
}

extension VolumeCommand {
    private static let columns = [
        Column("NAME"), Column("OWNER"), Column("SIZE", isNumber: true), Column("USED", isNumber: true),
        Column("PHASE"), Column("SERVICES"),
    ]

    private static func row(_ json: JSONValue) -> Row {
        let services = json["attachments"]?.arrayValue?.compactMap { $0["service_name"]?.stringValue } ?? []
        return Row(
            cells: [
                json["name"]?.stringValue ?? "", json["owner_user"]?.stringValue ?? "",
                json["size"]?.stringValue ?? "",
                json["used_bytes"]?.integerValue.map { "\(ByteCount($0))" } ?? "",
                json["status"]?["phase"]?.stringValue ?? "", services.joined(separator: ","),
            ],
            json: json)
    }

    /// `apus volume list`.
    struct List: ReportingCommand {
        static let configuration = CommandConfiguration(abstract: "Lists your volumes.", aliases: ["ls"])

        @Flag(help: "Everybody's volumes; for the administrator.") var all = false
        @OptionGroup var owner: Owner
        @OptionGroup var options: ClusterOptions
        @OptionGroup var output: OutputOptions

        func perform() async throws {
            var writer = ListWriter(
                VolumeCommand.columns, format: output.format, emptyText: "There is no volume.")
            try await Session.withCluster(options) { client in
                let volumes = try await client.volumes(of: all ? "*" : owner.owner)
                try writer.append(volumes.map(VolumeCommand.row))
                try writer.finish()
            }
        }
    }

    /// `apus volume create`.
    struct Create: ReportingCommand {
        static let configuration = CommandConfiguration(abstract: "Makes a volume.", aliases: ["add"])

        @Argument(help: "The name of the volume.") var name: String
        @Option(help: "How much may be in it, as 5Gi.") var size: String
        @OptionGroup var owner: Owner
        @OptionGroup var options: ClusterOptions

        func perform() async throws {
            _ = try VolumeName(name)
            try await Session.withCluster(options) { client in
                _ = try await client.createVolume(name, size: size, owner: owner.owner)
                try Console.say("Volume \"\(name)\" created.")
            }
        }
    }

    /// `apus volume resize`.
    struct Resize: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Changes how much may be in a volume (on clusters of Apus).")

        @Argument(help: "The name of the volume.") var name: String
        @Option(help: "How much may be in it, as 5Gi.") var size: String
        @OptionGroup var owner: Owner
        @OptionGroup var options: ClusterOptions

        func perform() async throws {
            try await Session.withCluster(options) { client in
                let volume = try await client.resizeVolume(name, to: size, owner: owner.owner)
                try Console.say("Volume \"\(name)\": \(volume["size"]?.stringValue ?? size)")
            }
        }
    }

    /// `apus volume delete`.
    struct Remove: ReportingCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Removes volumes with all they hold.",
            aliases: ["remove", "del", "rm"])

        @Argument(help: "The names of the volumes.") var names: [String]
        @OptionGroup var owner: Owner
        @OptionGroup var options: ClusterOptions

        func perform() async throws {
            try await Session.withCluster(options) { client in
                try await eachReported(names) { try await client.deleteVolume($0, owner: owner.owner) }
            }
        }
    }
}
