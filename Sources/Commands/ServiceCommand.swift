import APIClient
import ArgumentParser
import AsyncHTTPClient
import Model
import NIOCore

/// `apus service …`.
struct ServiceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "service", abstract: "Shows, calls and removes services.",
        subcommands: [
            List.self, Get.self, Run.self, Job.self, Pause.self, Resume.self, Remove.self, ServiceLogsCommand.self,
            ServiceFiles.Put.self,
            ServiceFiles.Get.self, ServiceFiles.List.self, ServiceFiles.Remove.self,
        ],
        aliases: ["services", "svc", "s"])
}

extension ServiceCommand {
    /// `apus service list`.
    struct List: ReportingCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the services of a cluster.", aliases: ["ls"])

        @OptionGroup var options: ClusterOptions
        @OptionGroup var output: OutputOptions

        func perform() async throws {
            try await Session.withCluster(options) { client in
                var writer = ListWriter(
                    [
                        Column("NAME"), Column("IMAGE"), Column("CPU", isNumber: true),
                        Column("MEMORY", isNumber: true), Column("STATE", style: stateStyle),
                    ],
                    format: output.format, emptyText: "There are no services in the cluster.")
                try writer.append(
                    try await client.services().map { service in
                        Row(
                            cells: ["name", "image", "cpu", "memory"].map { service[$0]?.stringValue ?? "" }
                                + [service["paused"] == nil ? "active" : "paused"],
                            json: service)
                    })
                try writer.finish()
            }
        }
    }

    /// `apus service get`.
    struct Get: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows the definition of a service, and whether it is paused.", aliases: ["g", "show"])

        @Argument(help: "The name of the service.") var service: String
        @OptionGroup var options: ClusterOptions
        @OptionGroup var output: OutputOptions

        func perform() async throws {
            try await Session.withCluster(options) { client in
                try output.format.show(try await client.service(service))
            }
        }
    }

    /// `apus service remove`.
    struct Remove: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Removes services.", aliases: ["delete", "d", "del", "rm"])

        @Argument(help: "The names of the services.") var services: [String]
        @OptionGroup var options: ClusterOptions

        func perform() async throws {
            try await Session.withCluster(options) { client in
                try await eachReported(services) { try await client.deleteService($0) }
            }
        }
    }

    /// `apus service run`.
    struct Run: ReportingCommand {
        static let configuration = CommandConfiguration(
            commandName: "run", abstract: "Runs a service on an input and waits for its output.",
            discussion: """
                Input and output are bytes. Apus is spoken to in plain bytes, OSCAR in Base64; --form says which where \
                the cluster cannot be asked (with --endpoint). In Base64, an output that happens to be a valid Base64 text \
                is decoded.
                """,
            aliases: ["invoke", "r"])

        @OptionGroup var invocation: InvocationOptions
        @Option(
            name: [.short, .customLong("output")], help: "A file for the output, in place of the standard output.")
        var output: String?
        @Option(help: "How input and output travel: auto, plain or base64.") var form = Form.auto

        enum Form: String, ExpressibleByArgument, CaseIterable { case auto, plain, base64 }

        func perform() async throws {
            try await invocation.withCluster { client in
                let input = try await invocation.input()
                let answer = try await client.run(
                    invocation.service, input: input, form: try await chosenForm(client))
                if let output {
                    let path = Surroundings.current.resolve(output)
                    try await LocalFiles.write(path, Array(buffer: answer))
                } else {
                    try Surroundings.current.write(.output, Array(buffer: answer))
                }
            }
        }

        private func chosenForm(_ client: APIClient) async throws -> InvocationForm {
            switch form {
            case .plain: .plain
            case .base64: .base64
            // A service's token cannot ask a cluster what it is.
            case .auto where invocation.token != nil: .base64
            case .auto: try await client.speaksPlainBytes() ? .plain : .base64
            }
        }
    }

    /// `apus service job`.
    struct Job: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Submits a job to a service, and prints its name where the cluster tells it.", aliases: ["j"])

        @OptionGroup var invocation: InvocationOptions
        @Flag(help: "Sends the input as it is, for an event in JSON, in place of Base64.") var event = false
        @Flag(name: .shortAndLong, help: "Prints nothing.") var quiet = false

        func perform() async throws {
            try await invocation.withCluster { client in
                let input = try await invocation.input()
                let body = event ? input : APIClient.base64(input)
                let name = try await client.submit(invocation.service, event: body)
                if let name, !quiet { try Console.say(Text.printable(name)) }
            }
        }
    }
}

/// What `service run` and `service job` have in common.
struct InvocationOptions: ParsableArguments {
    @Argument(help: "The name of the service.") var service: String
    @Option(name: .shortAndLong, help: "The address of a cluster that is not configured; needs --token.")
    var endpoint: String?
    @Option(name: .shortAndLong, help: "The token of the service; needs --endpoint.") var token: String?
    @Option(name: [.short, .customLong("file-input")], help: "A file with the input; - for the standard input.")
    var file: String?
    @Option(name: [.short, .customLong("text-input")], help: "A text as the input.") var input: String?
    @OptionGroup var options: ClusterOptions

    /// The largest input that is read into memory.
    static let inputLimit: Int64 = 1 << 30

    func validate() throws {
        guard (endpoint == nil) == (token == nil) else {
            throw ValidationError("Give --endpoint and --token together.")
        }
        guard file == nil || input == nil else {
            throw ValidationError("Give a file or a text as the input, not both.")
        }
        guard file != nil || input != nil else {
            throw ValidationError("Give an input: --file-input FILE or --text-input TEXT.")
        }
    }

    /// Gives `body` a client of the cluster that is meant.
    func withCluster(_ body: (APIClient) async throws -> Void) async throws {
        guard let endpoint, let token else { return try await Session.withCluster(options, body) }
        try await Session.withCluster(ClusterEntry(id: endpoint, endpoint: endpoint, token: token), body)
    }

    /// The input's bytes.
    func input() async throws -> ByteBuffer {
        if let input { return ByteBuffer(string: input) }
        guard let file, file != "-" else {
            return ByteBuffer(bytes: try await Surroundings.current.readInput(Int(Self.inputLimit)))
        }
        let path = Surroundings.current.resolve(file)
        guard let bytes = try await LocalFiles.bytes(path, limit: Self.inputLimit) else {
            throw CommandError(.localFile, "there is no file \(path)")
        }
        return ByteBuffer(bytes: bytes)
    }
}

/// Does something with each of several things; each failure is reported, and the others go on.
///
/// - Throws: the error of the only thing, or `partial` where one of several failed.
func eachReported<Item>(_ items: [Item], _ work: (Item) async throws -> Void) async throws {
    var failures = 0
    for item in items {
        do {
            try await work(item)
        } catch {
            guard items.count > 1 else { throw error }
            failures += 1
            Console.complain("Error: \(CommandError(error).message)")
        }
    }
    if failures > 0 { throw CommandError(.partial, "\(failures) of \(items.count) failed") }
}
