import ArgumentParser
import Model
import NIOCore
import S3Client

/// `apus get`.
struct GetCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Copies objects of a bucket to this machine.",
        discussion: """
            With -r all objects below BUCKET/FOLDER are copied, with their paths below it. A file of the same name is \
            replaced when the whole object has arrived. With - as the target one object goes to the standard output.
            """)

    @Argument(help: "BUCKET/KEY, or with -r BUCKET or BUCKET/FOLDER.") var source: String
    @Argument(help: "A file or folder, or - for standard output; the current folder by default.", completion: .file())
    var target = "."
    @Flag(name: .shortAndLong, help: "Copies all objects of a folder or bucket.") var recursive = false
    @Flag(name: .shortAndLong, help: "Shows no progress.") var quiet = false
    @OptionGroup var options: ClusterOptions

    func perform() async throws {
        let remote = try RemotePath(source)
        guard recursive || !remote.isFolder else {
            throw CommandError(.invalidInput, "\(remote) is a folder; copy it with -r, or name an object")
        }
        guard target != "-" else { return try await print(remote) }
        let local = Surroundings.current.resolve(target)
        try await Session.withStore(options) { store in
            let transfers = FileTransfers(store, isQuiet: quiet)
            if recursive {
                try await transfers.getAll(remote, to: local)
            } else {
                try await transfers.get(remote, to: local, isFolder: target.hasSuffix("/"))
            }
        }
    }

    private func print(_ remote: RemotePath) async throws {
        guard !recursive else {
            throw CommandError(.invalidInput, "only one object at a time goes to the standard output")
        }
        try await Session.withStore(options) { store in
            try await store.get(bucket: remote.bucket.text, key: remote.key) { piece in
                try Surroundings.current.write(.output, Array(piece.readableBytesView))
            }
        }
    }
}
