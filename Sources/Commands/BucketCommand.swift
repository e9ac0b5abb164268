import APIClient
import ArgumentParser
import Model

/// `apus bucket …`.
struct BucketCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bucket", abstract: "Shows, creates and removes buckets.",
        subcommands: [List.self, Get.self, Create.self, Remove.self], aliases: ["b", "buckets"])
}

extension BucketCommand {
    /// `apus bucket list`.
    struct List: ReportingCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the buckets of a cluster.", aliases: ["ls"])

        @OptionGroup var options: ClusterOptions
        @OptionGroup var output: OutputOptions

        func perform() async throws {
            var writer = ListWriter(
                [Column("NAME"), Column("VISIBILITY"), Column("ALLOWED USERS"), Column("OWNER")],
                format: output.format, emptyText: "There is no bucket.")
            try await Session.withCluster(options) { client in
                try writer.append(
                    try await client.buckets().map { bucket in
                        Row(
                            cells: [
                                bucket.name, bucket.visibility, bucket.allowedUsers.joined(separator: ","),
                                bucket.owner,
                            ],
                            json: bucket.json)
                    })
                try writer.finish()
            }
        }
    }

    /// `apus bucket get`.
    struct Get: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows a page of a bucket's objects.", aliases: ["g"])

        @Argument(help: "The name of the bucket.") var bucket: String
        @Option(help: "Only objects whose keys begin so.") var prefix = ""
        @Option(help: "The page to show, as the page before tells.") var page: String?
        @Option(help: "How many objects a page has.") var limit: Int?
        @Flag(help: "Shows all pages.") var all = false
        @OptionGroup var options: ClusterOptions
        @OptionGroup var output: OutputOptions

        func perform() async throws {
            var writer = ListWriter(
                [Column("NAME"), Column("SIZE (B)", isNumber: true), Column("LAST MODIFIED")],
                format: output.format, emptyText: "There are no such objects in the bucket.")
            try await Session.withCluster(options) { client in
                var next = page
                repeat {
                    let contents = try await client.bucket(bucket, page: next, limit: limit)
                    try writer.append(contents.objects.filter { $0.key.hasPrefix(prefix) }.map(Self.row))
                    next = contents.next == next ? nil : contents.next
                } while all && next != nil
                try writer.finish()
                if let next { Console.complain("More objects follow: --page \(next), or --all") }
            }
        }

        private static func row(_ object: BucketContents.Object) -> Row {
            Row(
                cells: [object.key, "\(object.size.bytes)", object.lastModified],
                json: .object([
                    "object_name": .string(object.key), "size_bytes": .integer(object.size.bytes),
                    "last_modified": .string(object.lastModified),
                ]))
        }
    }

    /// `apus bucket create`.
    struct Create: ReportingCommand {
        static let configuration = CommandConfiguration(abstract: "Creates a bucket.", aliases: ["add"])

        @Argument(help: "The name of the bucket.") var bucket: String
        @Option(help: "private, restricted or public.") var visibility = "private"
        @Option(parsing: .upToNextOption, help: "Who may use a restricted bucket.") var allowedUsers: [String] = []
        @Flag(name: .shortAndLong, help: "Prints nothing.") var quiet = false
        @OptionGroup var options: ClusterOptions

        func perform() async throws {
            _ = try BucketName(bucket)
            try await Session.withCluster(options) { client in
                try await client.createBucket(
                    bucket, visibility: visibility,
                    allowedUsers: allowedUsers.flatMap { $0.split(separator: ",").map(String.init) })
                if !quiet { try Console.say("Bucket \"\(bucket)\" created.") }
            }
        }
    }

    /// `apus bucket delete`.
    struct Remove: ReportingCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Removes buckets with all they hold.", aliases: ["remove", "del", "rm"])

        @Argument(help: "The names of the buckets.") var buckets: [String]
        @OptionGroup var options: ClusterOptions

        func perform() async throws {
            try await Session.withCluster(options) { client in
                try await eachReported(buckets) { try await client.deleteBucket($0) }
            }
        }
    }
}
