import APIClient
import ArgumentParser
import Model

/// `apus schedule …`.
struct ScheduleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedule", abstract: "Shows when services run by the clock (on clusters of Apus).",
        subcommands: [List.self], aliases: ["schedules"])

    /// `apus schedule list`.
    struct List: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists schedules with the last and the next time at which they are due, in UTC.",
            discussion: """
                Schedules are part of a service's definition, as in "schedule: [{cron: '0 2 * * *', time_zone: \
                Europe/Madrid, missed: once}, {rate: 5 minutes}]".
                """,
            aliases: ["ls"])

        @Argument(help: "The name of a service; all where there is none.") var service: String?
        @OptionGroup var options: ClusterOptions
        @OptionGroup var output: OutputOptions

        func perform() async throws {
            let columns = ["SERVICE", "SCHEDULE", "MISSED", "NEXT", "LAST", "JOBS", "LAST JOB"]
                .map { Column($0, isNumber: $0 == "JOBS") }
            var writer = ListWriter(columns, format: output.format, emptyText: "There are no schedules.")
            try await Session.withCluster(options) { client in
                try writer.append(try await client.schedules(of: service).map(Self.row))
                try writer.finish()
            }
        }

        private static func row(_ json: JSONValue) -> Row {
            func text(_ key: String) -> String { json[key]?.stringValue ?? "" }
            let (name, expression) = (text("name"), text("expression"))
            return Row(
                cells: [
                    text("service"), name == expression ? name : "\(name): \(expression)", text("missed"),
                    text("problem").isEmpty ? text("next") : text("problem"), text("last"),
                    "\(json["jobs"]?.integerValue ?? 0)", text("last_job"),
                ],
                json: json)
        }
    }
}
