import APIClient
import ArgumentParser
import Model

/// Which jobs a command changes: those that are named, or many.
struct JobSelectionOptions: ParsableArguments {
    @Argument(help: "The names of the jobs.") var jobs: [String] = []
    @Option(help: "All of this service.") var service: String?
    @Option(help: "Only those that ended since: a time ago such as 2h, or a time as in RFC 3339.") var since: String?

    /// Whether many jobs are meant rather than some that are named.
    var areMany: Bool { jobs.isEmpty }

    func check(isSelected: Bool) throws {
        if !jobs.isEmpty, isSelected || service != nil || since != nil {
            throw ValidationError("Give names of jobs, or options that select jobs, not both.")
        }
    }

    func selection(_ states: [JobState]) throws -> JobSelection {
        JobSelection(
            service: service, states: states.map(\.rawValue), since: try since.map { try JobTime.parse($0) })
    }

    /// In words.
    func description(_ states: [JobState]) -> String {
        var text = states.map(\.rawValue).joined(separator: " and ") + " jobs"
        if let service { text += " of service \"\(service)\"" }
        if let since { text += " that ended since \(since)" }
        return text
    }

    /// Repeats until nothing is left.
    static func all(_ change: () async throws -> Int64) async throws -> Int64 {
        var total: Int64 = 0
        while true {
            let count = try await change()
            guard count > 0 else { return total }
            total += count
        }
    }
}

/// `apus job cancel`.
struct JobCancelCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Ends jobs: a waiting one does not start, a running one is stopped, results are not stored any more.")

    @Argument(help: "The names of the jobs.") var jobs: [String]
    @OptionGroup var options: ClusterOptions

    func perform() async throws {
        try await Session.withCluster(options) { client in
            try await eachReported(jobs) { job in
                try await client.cancelJob(job)
                try Console.say("Job \"\(job)\" cancelled")
            }
        }
    }
}

/// `apus job retry`.
struct JobRetryCommand: ReportingCommand {
    private static let states: [JobState] = [.failed, .dead, .cancelled]

    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Runs jobs again that failed, are dead or were cancelled, with the event that they had.",
        discussion: """
            A job that waits for its next attempt waits no longer. Without names, --service says whose failed and dead jobs \
            are meant.
            """)

    @OptionGroup var selected: JobSelectionOptions
    @OptionGroup var options: ClusterOptions

    func validate() throws {
        try selected.check(isSelected: false)
        if selected.areMany, selected.service == nil { throw ValidationError("Give names of jobs, or --service.") }
    }

    func perform() async throws {
        try await Session.withCluster(options) { client in
            if selected.areMany {
                let selection = try selected.selection([.failed, .dead])
                let count = try await JobSelectionOptions.all { try await client.retryJobs(selection) }
                try Console.say("\(count) jobs are queued again")
            }
            try await eachReported(selected.jobs) { job in
                try await client.retryJob(job)
                try Console.say("Job \"\(job)\" is queued again")
            }
        }
    }
}

/// `apus job redrive`.
struct JobRedriveCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "redrive", abstract: "Sends dead jobs on their way again, with all the attempts of their service.",
        discussion: "Without names or options, all dead jobs of the cluster.")

    @OptionGroup var selected: JobSelectionOptions
    @Flag(help: "Dead jobs; they are always meant.") var dead = false
    @OptionGroup var options: ClusterOptions

    func validate() throws { try selected.check(isSelected: dead) }

    func perform() async throws {
        try await Session.withCluster(options) { client in
            if selected.areMany {
                let selection = try selected.selection([.dead])
                let count = try await JobSelectionOptions.all { try await client.retryJobs(selection) }
                try Console.say("\(count) jobs are queued again")
            }
            try await eachReported(selected.jobs) { job in
                try await client.retryJob(job)
                try Console.say("Job \"\(job)\" is queued again")
            }
        }
    }
}

/// `apus job purge`.
struct JobPurgeCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Removes jobs that failed, are dead or were cancelled, with their events and logs.",
        discussion: "Without names, --dead or --failed or both say which; --service and --since make them fewer.")

    @OptionGroup var selected: JobSelectionOptions
    @Flag(help: "Dead jobs.") var dead = false
    @Flag(help: "Failed jobs.") var failed = false
    @Flag(name: .shortAndLong, help: "Does not ask before many jobs are removed.") var yes = false
    @OptionGroup var options: ClusterOptions

    private var states: [JobState] { (dead ? [.dead] : []) + (failed ? [.failed] : []) }

    func validate() throws {
        try selected.check(isSelected: dead || failed)
        if selected.areMany, !dead, !failed { throw ValidationError("Give names of jobs, or --dead, or --failed.") }
    }

    func perform() async throws {
        if selected.areMany { try await Confirmation.ask("Remove all \(selected.description(states))?", yes: yes) }
        try await Session.withCluster(options) { client in
            if selected.areMany {
                let selection = try selected.selection(states)
                let count = try await JobSelectionOptions.all { try await client.purgeJobs(selection) }
                try Console.say("\(count) jobs removed")
            }
            try await eachReported(selected.jobs) { job in
                try await client.purgeJob(job)
                try Console.say("Job \"\(job)\" removed")
            }
        }
    }
}

/// Asks people before something is removed.
enum Confirmation {
    /// Goes on where somebody at the terminal says yes, or nobody is to be asked.
    ///
    /// - Throws: `CommandError` with `invalidInput` where there is nobody to ask, `refused` where the answer is no.
    static func ask(_ question: String, yes: Bool) async throws {
        guard !yes else { return }
        guard Surroundings.current.inputIsTerminal else {
            throw CommandError(.invalidInput, "nobody can be asked here; add --yes to do it without a question")
        }
        try Surroundings.current.write(.error, Array("\(question) [y/N] ".utf8))
        let answer = await Surroundings.current.readLine()?.lowercased() ?? ""
        guard ["y", "yes"].contains(answer) else { throw CommandError(.refused, "nothing was removed") }
    }
}
