import APIClient
import ArgumentParser
import Model

/// `apus audit`.
struct AuditCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Shows who changed what, and who was refused (on clusters of Apus, for administrators and operators)."
    )

    @Option(help: "Only what this user, administrator or service did.") var principal: String?
    @Option(help: "Only actions with this in them, as \"DELETE\" or \"CreateBucket\".") var action: String?
    @Option(help: "Only resources that begin so, as \"/system/services\".") var resource: String?
    @Option(help: "Only since: a time ago such as 2h, or a time as in RFC 3339.") var since: String?
    @Flag(help: "Only what was refused or failed.") var refused = false
    @Option(help: "How many of the last ones.") var limit = 50
    @OptionGroup var options: ClusterOptions
    @OptionGroup var output: OutputOptions

    private static let pageSize = 500

    func validate() throws {
        guard limit >= 1 else { throw ValidationError("--limit must be 1 or more.") }
    }

    func perform() async throws {
        var selection = AuditSelection()
        (selection.principal, selection.action, selection.resource) = (principal, action, resource)
        selection.since = try since.map { try JobTime.parse($0) }
        selection.onlyRefused = refused
        let columns = ["TIME", "WHO", "KIND", "ACTION", "RESOURCE", "FROM", "STATUS"].map { Column($0) }
        var writer = ListWriter(columns, format: output.format, emptyText: "There are no such lines.")
        try await Session.withCluster(options) { client in
            var left = limit
            var after: String?
            repeat {
                let page = try await client.audit(selection, after: after, limit: min(left, Self.pageSize))
                try writer.append(page.entries.map(Self.row))
                left -= page.entries.count
                after = page.next
            } while after != nil && left > 0
            try writer.finish()
        }
    }

    private static func row(_ entry: JSONValue) -> Row {
        func text(_ key: String) -> String { entry[key]?.stringValue ?? "" }
        let status = entry["status"]?.integerValue.map { "\($0)" } ?? entry["lost"]?.integerValue.map { "\($0) lost" }
        return Row(
            cells: [
                text("time"), text("principal"), text("kind"), text("action"), text("resource"), text("from"),
                status ?? "",
            ], json: entry)
    }
}
