import APIClient
import ArgumentParser
import Model

/// `apus job …`.
struct JobCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job", abstract: "Shows jobs in detail, cancels them, tries them again (on clusters of Apus).",
        discussion: """
            A job is queued, staging_in, running, staging_out, delivering, and in the end succeeded, failed, cancelled or \
            dead. It failed where its service does not try such failures again; it is dead where it has, and none of the \
            attempts succeeded. Failed, dead and cancelled jobs keep their event and logs until they are purged, or until \
            the time is over for which the cluster keeps jobs.
            """,
        subcommands: [
            List.self, JobShowCommand.self, JobLogsCommand.self, JobCancelCommand.self, JobRetryCommand.self,
            JobRedriveCommand.self, JobPurgeCommand.self,
        ],
        aliases: ["jobs"])

    /// `apus job list`.
    struct List: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists jobs with their states, and what waiting ones wait for.", aliases: ["ls"])

        @Argument(help: "The name of a service; all where there is none.") var serviceName: String?
        @Option(name: .long, help: "The same.") var service: String?
        @Option(
            help:
                "Only jobs in these states, separated by commas: \(JobState.allCases.map(\.rawValue).joined(separator: ", "))."
        )
        var state: String?
        @Flag(help: "Only dead jobs: all their attempts have failed.") var dead = false
        @Option(help: "Only jobs that ended since: a time ago such as 2h, or a time as in RFC 3339.") var since: String?
        @Option(help: "How many at most; 0 for all.") var limit = 100
        @Flag(help: "The same as --output json.") var json = false
        @OptionGroup var options: ClusterOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard limit >= 0 else { throw ValidationError("--limit must be 0 or more.") }
            if dead, state != nil { throw ValidationError("Give --dead or --state, not both.") }
            if service != nil, serviceName != nil { throw ValidationError("Name the service once.") }
        }

        func perform() async throws {
            let columns = [
                Column("JOB"), Column("SERVICE"), Column("STATE", style: stateStyle),
                Column("ATTEMPTS", isNumber: true), Column("EXIT", isNumber: true), Column("CREATED"), Column("INPUT"),
                Column("REASON"),
            ]
            let format = json ? .json : output.format
            var writer = ListWriter(columns, format: format, emptyText: "There are no such jobs.")
            let since = try since.map { try JobTime.parse($0) }
            try await Session.withCluster(options) { client in
                var left = limit == 0 ? Int.max : limit
                var after: String?
                repeat {
                    let page = try await client.jobs(
                        of: service ?? serviceName, state: dead ? JobState.dead.rawValue : state, since: since,
                        limit: min(left, 500), after: after)
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
                    job.name, job.service, job.state, "\(job.attempts)", job.exitCode.map { "\($0)" } ?? "",
                    job.created ?? "", job.input, job.reason.isEmpty ? job.message : job.reason,
                ],
                json: job.json)
        }
    }
}

/// Times as commands take them.
enum JobTime {
    /// A time ago (`90s`, `2h`, `7d`), or a time as in RFC 3339.
    ///
    /// - Throws: `CommandError` with `invalidInput`.
    static func parse(_ text: String) throws(CommandError) -> Instant {
        if let instant = Instant(rfc3339: text) { return instant }
        if let ago = Duration(text: text) { return Surroundings.current.now() + (.zero - ago) }
        throw CommandError(
            .invalidInput,
            "\"\(text)\" is no time: write a time ago such as 90s, 2h or 7d, or one such as 2026-01-31T12:00:00Z")
    }
}
