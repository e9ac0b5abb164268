import ArgumentParser
import Model
import S3Client

/// `apus ls`.
struct ListCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "Lists buckets, or the objects in one.",
        discussion: "Without -r, folders are shown in place of what is in them.", aliases: ["list"])

    @Argument(help: "BUCKET, BUCKET/FOLDER/ or the beginning of keys; the buckets where there is none.")
    var path: String?
    @Flag(name: .shortAndLong, help: "Lists also what is in folders.") var recursive = false
    @OptionGroup var options: ClusterOptions
    @OptionGroup var output: OutputOptions

    func perform() async throws {
        let remote: RemotePath?
        if let path { remote = try RemotePath(path) } else { remote = nil }
        try await Session.withStore(options) { store in
            if let remote { try await listObjects(remote, store) } else { try await listBuckets(store) }
        }
    }

    private func listBuckets(_ store: S3Client) async throws {
        var writer = ListWriter(
            [Column("BUCKET"), Column("CREATED")], format: output.format, emptyText: "There are no buckets.")
        try writer.append(
            try await store.listBuckets().map { bucket in
                let created = bucket.created.map { $0.rfc3339() }
                return Row(
                    cells: [bucket.name, created ?? ""],
                    json: .object(["bucket": .string(bucket.name), "created": created.map { .string($0) } ?? .null]))
            })
        try writer.finish()
    }

    private func listObjects(_ remote: RemotePath, _ store: S3Client) async throws {
        var writer = ListWriter(
            [Column("SIZE", isNumber: true), Column("LAST MODIFIED"), Column("KEY")], format: output.format,
            emptyText: "There is nothing in \(remote).")
        var continuation: String?
        repeat {
            let page = try await store.list(
                bucket: remote.bucket.text, prefix: remote.key, delimiter: recursive ? "" : "/",
                continuation: continuation)
            try writer.append(page.commonPrefixes.map(Self.folderRow) + page.objects.map(Self.row))
            continuation = page.continuation
        } while continuation != nil
        try writer.finish()
    }

    private static func folderRow(_ prefix: String) -> Row {
        Row(cells: ["", "", prefix], json: .object(["prefix": .string(prefix)]))
    }

    private static func row(_ object: S3Object) -> Row {
        let time = object.lastModified.map { $0.rfc3339() }
        return Row(
            cells: ["\(object.size.bytes)", time ?? "", object.key],
            json: .object([
                "key": .string(object.key), "size": .integer(object.size.bytes),
                "last_modified": time.map { .string($0) } ?? .null, "etag": .string(object.eTag),
            ]))
    }
}
