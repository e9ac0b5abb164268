import APIClient
import ArgumentParser
import Model
import NIOCore

/// `apus service logs …`.
struct ServiceLogsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Shows and removes the logs of a service's jobs.",
        subcommands: [List.self, Get.self, Remove.self], aliases: ["log", "l"])
}

extension ServiceLogsCommand {
    /// `apus service logs list`.
    struct List: ReportingCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the jobs of a service.", aliases: ["ls"])

        @Argument(help: "The name of the service.") var service: String
        @Option(
            name: .shortAndLong, parsing: .upToNextOption,
            help: "Only jobs of these states, separated by commas: Pending, Running, Succeeded, Failed, Suspended.")
        var status: [String] = []
        @OptionGroup var options: ClusterOptions
        @OptionGroup var output: OutputOptions

        func perform() async throws {
            let wanted = Set(status.flatMap { $0.split(separator: ",") }.map { $0.lowercased() })
            let columns = ["CREATION TIME", "START TIME", "FINISH TIME"].map { Column($0) }
            var writer = ListWriter(
                [Column("JOB NAME"), Column("STATUS", style: stateStyle)] + columns, format: output.format,
                emptyText: wanted.isEmpty ? "This service has no logs." : "This service has no logs of that status.")
            try await Session.withCluster(options) { client in
                var page: String?
                repeat {
                    let jobs = try await client.loggedJobs(of: service, page: page)
                    try writer.append(
                        jobs.jobs.filter { wanted.isEmpty || wanted.contains($0.status.lowercased()) }.map(Self.row))
                    page = jobs.next
                } while page != nil
                try writer.finish()
            }
        }

        private static func row(_ job: LoggedJob) -> Row {
            func time(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
            return Row(
                cells: [job.name, job.status, job.created ?? "", job.started ?? "", job.finished ?? ""],
                json: .object([
                    "name": .string(job.name), "status": .string(job.status), "creation_time": time(job.created),
                    "start_time": time(job.started), "finish_time": time(job.finished),
                ]))
        }
    }

    /// `apus service logs get`.
    struct Get: ReportingCommand {
        static let configuration = CommandConfiguration(abstract: "Prints the log of a job.", aliases: ["g"])

        @Argument(help: "The name of the service.") var service: String
        @Argument(help: "The name of the job; without one, and with --latest, the newest job.") var job: String?
        @Flag(name: .shortAndLong, help: "The log of the newest job.") var latest = false
        @Flag(name: [.customShort("t"), .customLong("show-timestamps")], help: "Begins each line with its time.")
        var timestamps = false
        @Flag(name: .shortAndLong, help: "Goes on until the job has ended.") var follow = false
        @OptionGroup var options: ClusterOptions

        func validate() throws {
            if job != nil, latest { throw ValidationError("Give a job or --latest, not both.") }
        }

        func perform() async throws {
            try await Session.withCluster(options) { client in
                let name: String
                if let job { name = job } else { name = try await newest(client) }
                do {
                    try await client.log(of: service, job: name, timestamps: timestamps, follow: follow) { chunk in
                        try Surroundings.current.write(.output, Array(buffer: chunk))
                    }
                } catch let error as APIClientError {
                    throw error.cause as? CommandError ?? error
                }
            }
        }

        /// The job that was created last; of several within a second the first in the list, because Apus lists the
        /// newest first.
        ///
        /// A job that has no time yet is newer than all that have.
        private func newest(_ client: APIClient) async throws -> String {
            var best: (name: String, created: Instant)?
            var page: String?
            repeat {
                let jobs = try await client.loggedJobs(of: service, page: page)
                for job in jobs.jobs {
                    let created = job.created.flatMap { Instant(rfc3339: $0) } ?? Instant(nanoseconds: .max)
                    if best.map({ created > $0.created }) ?? true { best = (job.name, created) }
                }
                page = jobs.next
            } while page != nil
            guard let best else { throw CommandError(.notFound, "service \"\(service)\" has no jobs yet") }
            return best.name
        }
    }

    /// `apus service logs remove`.
    struct Remove: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Removes jobs and their logs.", aliases: ["delete", "d", "del", "rm"])

        @Argument(help: "The name of the service.") var service: String
        @Argument(help: "The names of the jobs.") var jobs: [String] = []
        @Flag(name: .shortAndLong, help: "All jobs that succeeded.") var succeeded = false
        @Flag(name: .shortAndLong, help: "All jobs.") var all = false
        @OptionGroup var options: ClusterOptions

        func validate() throws {
            let ways = (jobs.isEmpty ? 0 : 1) + (succeeded ? 1 : 0) + (all ? 1 : 0)
            guard ways == 1 else { throw ValidationError("Give names of jobs, or --succeeded, or --all.") }
        }

        func perform() async throws {
            try await Session.withCluster(options) { client in
                if jobs.isEmpty {
                    try await client.deleteJobs(of: service, all: all)
                    try Console.say(
                        "\(all ? "All" : "All succeeded") jobs from service \"\(service)\" removed successfully")
                }
                try await eachReported(jobs) { job in
                    try await client.deleteJob(of: service, job)
                    try Console.say("Job \"\(job)\" from service \"\(service)\" removed successfully")
                }
            }
        }
    }
}
