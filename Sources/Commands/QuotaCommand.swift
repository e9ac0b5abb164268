import APIClient
import ArgumentParser
import Model

/// `apus quota …`.
struct QuotaCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quota", abstract: "Shows and sets how much users may have.",
        subcommands: [Show.self, Set.self], aliases: ["quotas"])
}

extension QuotaCommand {
    /// `apus quota show`.
    struct Show: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows what a user may have, and has.", aliases: ["get"])

        @Argument(help: "The user, as the identity provider calls them; yourself where nobody is named.")
        var user: String?
        @OptionGroup var options: ClusterOptions
        @OptionGroup var output: OutputOptions

        func perform() async throws {
            try await Session.withCluster(options) { client in
                try QuotaCommand.report(try await client.quota(of: user), output)
            }
        }
    }

    /// `apus quota set`.
    struct Set: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sets what a user may have; for the administrator.",
            discussion: """
                Amounts are quantities, as 2, 500m or 10Gi; none takes a limit away, default goes back to what everybody \
                has. What is not named stays. Example: apus quota set ada cpu=4 memory=8Gi buckets=20
                """)

        @Argument(help: "The user, as the identity provider calls them.") var user: String
        @Argument(
            help: ArgumentHelp(
                "What, and how much: \(QuotaField.allCases.map(\.rawValue).joined(separator: ", ")).",
                valueName: "name=amount"))
        var limits: [String]
        @OptionGroup var options: ClusterOptions
        @OptionGroup var output: OutputOptions

        func perform() async throws {
            let change = try QuotaCommand.document(limits)
            try await Session.withCluster(options) { client in
                try QuotaCommand.report(try await client.setQuota(of: user, to: change), output)
            }
        }
    }

    /// Where OSCAR's document has a field: the name of a part, empty for the document itself, and the key.
    private static func place(_ field: QuotaField) -> (part: String, key: String) {
        switch field {
        case .cpu, .memory, .gpu, .ephemeralStorage: ("", field.rawValue)
        case .buckets, .bucketBytes, .totalBytes: ("minio", field.rawValue)
        case .volumes, .largestVolume, .smallestVolume: ("volumes", field.rawValue)
        case .volumeBytes: ("volumes", "disk")
        }
    }

    /// The request that sets those limits.
    static func document(_ limits: [String]) throws(CommandError) -> JSONValue {
        var parts: [String: JSONObject] = [:]
        for text in limits {
            guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
                throw CommandError(.invalidInput, "\"\(text)\" is no limit; write NAME=AMOUNT, as cpu=2")
            }
            let word = text[..<equals].replacing("-", with: "_")
            guard let field = QuotaField(rawValue: String(word)) else {
                let known = QuotaField.allCases.map(\.rawValue).joined(separator: ", ")
                throw CommandError(.invalidInput, "\"\(word)\" is nothing that can be limited; write \(known)")
            }
            let place = place(field)
            parts[place.part, default: [:]][place.key] = .string(String(text[text.index(after: equals)...]))
        }
        var document = parts.removeValue(forKey: "") ?? [:]
        for (part, members) in parts.sorted(by: { $0.key < $1.key }) { document[part] = .object(members) }
        return .object(document)
    }

    private static func report(_ json: JSONValue, _ output: OutputOptions) throws {
        // In JSON it is the document that the cluster sent.
        guard output.format == .table else { return try output.format.show(json) }
        var writer = ListWriter(
            [Column("WHAT"), Column("MAX", isNumber: true), Column("USED", isNumber: true)], format: output.format,
            emptyText: "The cluster tells nothing of this user.")
        try writer.append(rows(json))
        try writer.finish()
    }

    /// What the table shows; what has no limit has no number.
    static func rows(_ json: JSONValue) -> [Row] {
        let unlimited = Swift.Set(json["unlimited"]?.arrayValue?.compactMap(\.stringValue) ?? [])
        func text(_ value: JSONValue?) -> String {
            value.map { $0.stringValue ?? $0.text() } ?? ""
        }
        func row(_ field: QuotaField, _ most: JSONValue?, _ used: JSONValue?) -> Row {
            var (most, used) = (text(most), text(used))
            // Resources come as bare numbers: thousandths and bytes.
            if [.cpu, .memory, .ephemeralStorage, .gpu].contains(field) {
                most = Int64(most).map(field.text) ?? most
                used = Int64(used).map(field.text) ?? used
            }
            if unlimited.contains(field.rawValue) { most = "none" }
            return Row(cells: [field.rawValue, most, used], json: json)
        }
        let (resources, minio, volumes) = (json["resources"], json["minio"], json["volumes"])
        func resource(_ field: QuotaField, _ key: String) -> Row {
            row(field, resources?[key]?["max"], resources?[key]?["used"])
        }
        return [
            resource(.cpu, "cpu"), resource(.memory, "memory"), resource(.gpu, "gpu"),
            resource(.ephemeralStorage, "ephemeral-storage"),
            row(.buckets, minio?["buckets"]?["max"], minio?["buckets"]?["used"]),
            row(.bucketBytes, minio?["storage_per_bucket"]?["max"], nil),
            row(.totalBytes, minio?["storage_total"]?["max"], minio?["storage_total"]?["used"]),
            row(.volumes, volumes?["volumes"]?["max"], volumes?["volumes"]?["used"]),
            row(.volumeBytes, volumes?["disk"]?["max"], volumes?["disk"]?["used"]),
            row(.largestVolume, volumes?["max_disk_per_volume"], nil),
            row(.smallestVolume, volumes?["min_disk_per_volume"], nil),
        ]
    }
}
