import APIClient
import ArgumentParser
import Model

/// `apus delivery …`.
struct DeliveryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delivery",
        abstract: "Shows what waits for other storages and for webhooks (on clusters of Apus).",
        subcommands: [List.self, Retry.self, Drop.self], aliases: ["deliveries"])
}

extension DeliveryCommand {
    /// `apus delivery list`.
    struct List: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the destinations for which something waits, and why it does.", aliases: ["ls"])

        @Option(help: "Only this destination: SERVICE/PROVIDER, or webhook:NAME.") var destination: String?
        @OptionGroup var options: ClusterOptions
        @OptionGroup var output: OutputOptions

        func perform() async throws {
            let columns = [
                Column("DESTINATION"), Column("WAITING", isNumber: true), Column("BYTES", isNumber: true),
                Column("OLDEST"), Column("STATE"), Column("NEXT"), Column("ERROR"),
            ]
            var writer = ListWriter(
                columns, format: output.format, emptyText: "Nothing waits for another storage or a webhook.")
            try await Session.withCluster(options) { client in
                try writer.append(try await client.destinations(destination).map(Self.row))
                try writer.finish()
            }
        }

        private static func row(_ line: DestinationSummary) -> Row {
            Row(
                cells: [
                    line.destination, "\(line.waiting)", line.bytes.map { "\($0)" } ?? "", line.oldest, line.state,
                    line.nextAttempt, line.error,
                ],
                json: line.json)
        }
    }

    /// `apus delivery retry`.
    struct Retry: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tries at once what waits, without regard to pauses.")

        @Argument(help: "A destination, as the list names it; all where there is none.") var destination: String?
        @OptionGroup var options: ClusterOptions

        func perform() async throws {
            try await Session.withCluster(options) { client in
                try Console.say("\(try await client.retryDeliveries(to: destination)) waiting")
            }
        }
    }

    /// `apus delivery drop`.
    struct Drop: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Gives up what waits for a destination, for good.",
            discussion: """
                The results are lost, and jobs that have nothing else to deliver end as failed. Without --yes it only \
                says how much that would be.
                """)

        @Argument(help: "A destination, as the list names it.") var destination: String
        @Flag(name: .shortAndLong, help: "Do it.") var yes = false
        @OptionGroup var options: ClusterOptions

        func perform() async throws {
            try await Session.withCluster(options) { client in
                guard yes else {
                    let waiting = try await client.destinations(destination).reduce(0) { $0 + $1.waiting }
                    throw CommandError(
                        .invalidInput,
                        "this would give up \(waiting) deliveries to \"\(destination)\"; add --yes to do it")
                }
                try Console.say("\(try await client.dropDeliveries(to: destination)) given up")
            }
        }
    }
}
