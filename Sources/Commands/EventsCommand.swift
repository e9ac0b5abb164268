import APIClient
import ArgumentParser
import Model

/// `apus events`.
struct EventsCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Shows the last events of the object store and what they came to (on clusters of Apus).",
        discussion: "With --follow, goes on with what happens, until Ctrl-C.")

    @Option(help: "Only events of this bucket.") var bucket: String?
    @Option(help: "How many of the last ones; 0 for all that are remembered.") var limit = 20
    @Flag(name: .shortAndLong, help: "Goes on with new ones.") var follow = false
    @Flag(help: "Prints each event as one line of JSON.") var json = false
    @OptionGroup var options: ClusterOptions

    /// How long to wait where there was nothing new.
    private static let pause = Duration.seconds(1)

    func validate() throws {
        guard limit >= 0 else { throw ValidationError("--limit must be 0 or more.") }
    }

    func perform() async throws {
        try await Session.withCluster(options) { client in
            var last: [JSONValue] = []
            var before: Int64?
            var left = limit == 0 ? Int.max : limit
            repeat {
                let page = try await client.events(bucket: bucket, before: before, limit: min(left, 500))
                // The newest come first; all of them are shown in the order in which they happened.
                last += page.events
                left -= page.events.count
                before = page.next
            } while before != nil && left > 0
            for event in last.reversed() { try show(event) }
            if last.isEmpty, !follow { Console.complain("There are no such events.") }
            guard follow else { return }
            try await goOn(client, after: last.first?["number"]?.integerValue ?? 0)
        }
    }

    private func goOn(_ client: APIClient, after start: Int64) async throws {
        var after = start
        while true {
            let page = try await client.events(bucket: bucket, after: after, limit: 500)
            for event in page.events { try show(event) }
            after = page.events.last?["number"]?.integerValue ?? after
            if page.events.isEmpty { try await Task.sleep(for: Self.pause) }
        }
    }

    private func show(_ event: JSONValue) throws(CommandError) {
        if json { return try Console.say(event.text()) }
        func text(_ key: String) -> String { Text.printable(event[key]?.stringValue ?? "") }
        let kind = text("event").split(separator: ":").dropFirst().joined(separator: ":")
        let jobs = (event["jobs"]?.arrayValue ?? []).map { job in
            let state = job["state"]?.stringValue ?? ""
            let exit = job["exit_code"]?.integerValue.flatMap { $0 == 0 ? nil : " (exit code \($0))" } ?? ""
            return "\(job["name"]?.stringValue ?? "") \(stateStyle(state).map { $0(state) } ?? state)\(exit)"
        }
        let known = Set((event["jobs"]?.arrayValue ?? []).compactMap { $0["service"]?.stringValue })
        let removed = (event["services"]?.arrayValue ?? []).compactMap(\.stringValue)
            .filter { !known.contains($0) }.map { "\($0): its job was removed" }
        let webhooks = (event["webhooks"]?.arrayValue ?? []).compactMap(\.stringValue).map { "webhook \($0)" }
        let outcome = jobs + removed + webhooks
        let said = outcome.isEmpty ? "nobody: \(text("reason"))" : outcome.joined(separator: ", ")
        try Console.say("\(text("time"))  \(kind)  \(text("bucket"))/\(text("key"))  -> \(said)")
    }
}
