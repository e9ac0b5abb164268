import APIClient
import ArgumentParser
import Model
import NIOCore

/// `apus job show`.
struct JobShowCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows all that is known of jobs: their attempts, their event, what they wait for.",
        aliases: ["get"])

    @Argument(help: "The names of the jobs.") var jobs: [String]
    @Flag(help: "The same as --output json.") var json = false
    @OptionGroup var options: ClusterOptions
    @OptionGroup var output: OutputOptions

    func perform() async throws {
        try await Session.withCluster(options) { client in
            try await eachReported(jobs) { job in
                try (json ? .json : output.format).show(try await client.job(job))
            }
        }
    }
}

/// `apus job logs`.
struct JobLogsCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Prints what an attempt of a job wrote.",
        discussion: "\"apus job show\" lists the attempts.", aliases: ["log"])

    @Argument(help: "The name of the job.") var job: String
    @Option(help: "Which attempt, from 1; the last one where nothing is said.") var attempt: Int?
    @Flag(name: [.customShort("t"), .customLong("timestamps")], help: "Begins each line with its time.")
    var timestamps = false
    @Flag(name: .shortAndLong, help: "Goes on until the attempt has ended.") var follow = false
    @OptionGroup var options: ClusterOptions

    func validate() throws {
        if let attempt, attempt < 1 { throw ValidationError("--attempt must be 1 or more.") }
    }

    func perform() async throws {
        try await Session.withCluster(options) { client in
            do {
                try await client.jobLog(job, attempt: attempt, timestamps: timestamps, follow: follow) { chunk in
                    try Surroundings.current.write(.output, Array(buffer: chunk))
                }
            } catch let error as APIClientError {
                throw error.cause as? CommandError ?? error
            }
        }
    }
}
