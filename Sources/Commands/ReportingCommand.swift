import ArgumentParser

/// A command whose errors are printed as `Error: …` and end the process with the status of their kind.
protocol ReportingCommand: AsyncParsableCommand {
    /// Does what the command is for.
    func perform() async throws
}

extension ReportingCommand {
    mutating func run() async throws {
        do {
            try await perform()
        } catch let error as ExitCode {
            throw error
        } catch {
            let failure = CommandError(error)
            if !failure.message.isEmpty, failure.code != .outputClosed {
                Console.complain("Error: \(failure.message)")
            }
            throw ExitCode(failure.code.exitStatus)
        }
    }
}

/// Which cluster a command speaks to.
struct ClusterOptions: ParsableArguments {
    @Option(
        name: [.short, .customLong("cluster")], help: "The id of a configured cluster, in place of the default one.")
    var cluster: String?

    @Option(help: "A file of certificates (PEM) to believe beside those of the system.", completion: .file())
    var caCertificate: String?

    @Flag(help: "Accepts any certificate: whoever stands between can read everything.")
    var insecure = false

    @OptionGroup var file: ConfigurationOptions
}

/// Where the configuration is.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        name: .customLong("config"),
        help: ArgumentHelp("A configuration file.", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml"]))
    var config: String?
}

/// The form in which a command prints what it found.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    case table, json, yaml
}

/// `--output`.
struct OutputOptions: ParsableArguments {
    @Option(name: [.customShort("o"), .customLong("output")], help: "table for people; json or yaml for scripts.")
    var format = OutputFormat.table
}
