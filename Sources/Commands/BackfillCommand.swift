import APIClient
import ArgumentParser
import Model

extension ServiceCommand {
    /// `apus service backfill`.
    struct Backfill: ReportingCommand {
        static let configuration = CommandConfiguration(
            commandName: "backfill",
            abstract: "Makes a job for each object that is in a bucket already (on clusters of Apus).",
            discussion: """
                The cluster goes through the bucket in the order of keys and remembers its place with the jobs it makes, \
                so an object gets one job however often the work is interrupted. The same command again shows the same \
                backfill, or goes on with it where it was cancelled or failed; --again begins anew. Objects that were \
                put after the beginning have events of their own and are left out. Ctrl-C ends this command, not the \
                backfill; --cancel ends that.
                """)

        @Argument(help: "The name of the service.") var service: String
        @Argument(help: "A bucket, and what keys begin with: BUCKET or BUCKET/PREFIX.") var source: String?
        @Option(
            help: ArgumentHelp(
                "Only objects that were changed since: a time as 2026-01-31T12:00:00Z, or an age as 24h or 7d.",
                valueName: "time"))
        var since: String?
        @Option(help: "A name for the backfill in place of one that is made from bucket, prefix and --since.")
        var token: String?
        @Flag(help: "Only counts the jobs that would be made.") var dryRun = false
        @Flag(help: "Begins anew where the backfill is done or under way.") var again = false
        @Flag(help: "Does not wait for its end.") var detach = false
        @Flag(help: "Lists the service's backfills.") var list = false
        @Option(help: ArgumentHelp("Stops the backfill of that number.", valueName: "number")) var cancel: Int64?
        @Flag(help: "Prints the result as JSON.") var json = false
        @OptionGroup var options: ClusterOptions

        func validate() throws {
            guard list || cancel != nil || source != nil else {
                throw ValidationError("Name a bucket: apus service backfill SERVICE BUCKET/PREFIX.")
            }
        }

        func perform() async throws {
            try await Session.withCluster(options) { client in
                if list { return try await showAll(client) }
                if let cancel { return try show(try await client.cancelBackfill(cancel, of: service)) }
                var progress = try await client.beginBackfill(of: service, try order())
                guard !detach else { return try show(progress) }
                let display = ProgressLine(isQuiet: json)
                while progress.isRunning {
                    display.show(Self.line(progress))
                    try await Task.sleep(for: .milliseconds(300))
                    progress = try await client.backfill(progress.id, of: service)
                }
                display.finish()
                try show(progress)
                guard progress.state == "done" else {
                    throw CommandError(.functionFailed, "the backfill was \(progress.state): \(progress.message)")
                }
            }
        }

        private func order() throws(CommandError) -> JSONValue {
            let parts = (source ?? "").split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            var order: JSONObject = [
                "bucket": .string(parts.first.map(String.init) ?? ""),
                "prefix": .string(parts.count == 2 ? String(parts[1]) : ""),
            ]
            if let since {
                guard let time = Instant(rfc3339: since) ?? age(since) else {
                    throw CommandError(.invalidInput, "\"\(since)\" is neither a time nor an age such as 24h or 7d")
                }
                order["since"] = .string(time.rfc3339(fractionDigits: 3))
            }
            order["dry_run"] = .bool(dryRun)
            order["again"] = .bool(again)
            // An age means another time with every call, and the same backfill nevertheless.
            let own = since.map { "\(dryRun ? "dry run of " : "")\(source ?? "") since \($0)" }
            order["token"] = (token ?? own).map { .string($0) }
            return .object(order)
        }

        private func age(_ text: String) -> Instant? {
            Duration(text: text).map { Surroundings.current.now() + (.zero - $0) }
        }

        private func showAll(_ client: APIClient) async throws {
            let columns = ["NUMBER", "STATE", "OBJECTS", "JOBS", "TOKEN", "MESSAGE"].map {
                Column($0, isNumber: ["NUMBER", "OBJECTS", "JOBS"].contains($0))
            }
            var writer = ListWriter(
                columns, format: json ? .json : .table, emptyText: "The service has had no backfills.")
            try writer.append(
                try await client.backfills(of: service).map { backfill in
                    Row(
                        cells: [
                            "\(backfill.id)", backfill.state, "\(backfill.seen)", "\(backfill.jobs)",
                            backfill.json["token"]?.stringValue ?? "", backfill.message,
                        ],
                        json: backfill.json)
                })
            try writer.finish()
        }

        private func show(_ progress: BackfillProgress) throws(CommandError) {
            try Console.say(json ? progress.json.prettyText() : Self.line(progress))
        }

        private static func line(_ progress: BackfillProgress) -> String {
            let made = progress.isDryRun ? "jobs would be made" : "jobs made"
            return "backfill \(progress.id) is \(progress.state): \(progress.seen) objects seen, "
                + "\(progress.jobs) \(made)"
        }
    }
}

/// One line that is written anew on a terminal, and nothing elsewhere.
struct ProgressLine {
    private let isShown: Bool
    private let surroundings: Surroundings

    init(isQuiet: Bool, _ surroundings: Surroundings = .current) {
        self.surroundings = surroundings
        isShown = surroundings.errorIsTerminal && !isQuiet
    }

    func show(_ text: String) { write("\r\u{1B}[K\(Text.printable(text))") }

    func finish() { write("\r\u{1B}[K") }

    private func write(_ text: String) {
        guard isShown else { return }
        try? surroundings.write(.error, Array(text.utf8))  // Without a reader there is nobody to tell.
    }
}
