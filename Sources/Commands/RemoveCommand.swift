import ArgumentParser
import Model
import S3Client

/// `apus rm`.
struct RemoveCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Removes objects from buckets.",
        discussion: "An object that is not there counts as removed. Buckets stay; see \"apus bucket delete\".")

    @Argument(help: "BUCKET/KEY, or with -r also BUCKET/FOLDER or BUCKET.") var paths: [String]
    @Flag(name: .shortAndLong, help: "Removes all objects of folders.") var recursive = false
    @Flag(name: .shortAndLong, help: "Does not say how many objects were removed.") var quiet = false
    @OptionGroup var options: ClusterOptions

    func perform() async throws {
        var remotes: [RemotePath] = []
        for path in paths { remotes.append(try RemotePath(path)) }
        if !recursive, let folder = remotes.first(where: \.isFolder) {
            throw CommandError(
                .invalidInput, "\(folder) is a folder; remove what is in it with -r, or name an object")
        }
        try await Session.withStore(options) { store in
            try await eachReported(remotes) { remote in
                if recursive {
                    let count = try await removeAll(remote, store)
                    if !quiet { try Console.say("\(count) objects removed from \(remote)") }
                } else {
                    try await store.delete(bucket: remote.bucket.text, key: remote.key)
                }
            }
        }
    }

    /// Removes page after page.
    ///
    /// Each page is listed anew, after the last key of the page before is gone.
    private func removeAll(_ remote: RemotePath, _ store: S3Client) async throws -> Int {
        var count = 0
        var continuation: String?
        // The object that is named itself goes too, as `rm -r` removes a file.
        if !remote.isFolder { try await store.delete(bucket: remote.bucket.text, key: remote.key) }
        repeat {
            let page = try await store.list(
                bucket: remote.bucket.text, prefix: remote.folderPrefix, continuation: continuation)
            if !page.objects.isEmpty {
                let failures = try await store.delete(bucket: remote.bucket.text, keys: page.objects.map(\.key))
                if let first = failures.first {
                    throw CommandError(
                        .refused,
                        "\(failures.count) objects were not removed; the first is \"\(first.key)\": \(first.reason)")
                }
                count += page.objects.count
            }
            continuation = page.continuation
        } while continuation != nil
        return count
    }
}
