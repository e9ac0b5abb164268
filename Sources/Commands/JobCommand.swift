import APIClient
import ArgumentParser
import Model

/// `apus job …`.
struct JobCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job", abstract: "Shows jobs in detail (on clusters of Apus).", subcommands: [List.self],
        aliases: ["jobs"])

    /// `apus job list`.
    struct List: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists jobs with their states, and what waiting ones wait for.", aliases: ["ls"])

        @Argument(help: "The name of a service; all where there is none.") var service: String?
        @Option(
            help:
                "Only jobs in this state: \(JobState.allCases.map(\.rawValue).joined(separator: ", "))."
        )
        var state: String?
        @Option(help: "How many at most; 0 for all.") var limit = 100
        @OptionGroup var options: ClusterOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard limit >= 0 else { throw ValidationError("--limit must be 0 or more.") }
        }

        func perform() async throws {
            let columns = [
                Column("JOB"), Column("SERVICE"), Column("STATE", style: stateStyle), Column("EXIT", isNumber: true),
                Column("CREATED"), Column("INPUT"), Column("REASON"),
            ]
            var writer = ListWriter(columns, format: output.format, emptyText: "There are no such jobs.")
            try await Session.withCluster(options) { client in
                var left = limit == 0 ? Int.max : limit
                var after: String?
                repeat {
                    let page = try await client.jobs(
                        of: service, state: state, limit: min(left, 500), after: after)
                    try writer.append(page.jobs.prefix(left).map(Self.row))
                    left -= page.jobs.count
                    after = page.next
                } while after != nil && left > 0
                try writer.finish()
            }
        }

        private static func row(_ job: JobDetail) -> Row {
            Row(
                cells: [
                    job.name, job.service, job.state, job.exitCode.map { "\($0)" } ?? "", job.created ?? "",
                    job.input,
                    job.reason.isEmpty ? job.message : job.reason,
                ],
                json: job.json)
        }
    }
}
