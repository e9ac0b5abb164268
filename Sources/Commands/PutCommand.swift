import ArgumentParser
import S3Client

/// `apus put`.
struct PutCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "put", abstract: "Copies files of this machine into a bucket.",
        usage: "apus put <file> ... <bucket/key> [--recursive] [--quiet] [--cluster <cluster>] [--config <file>]",
        discussion: """
            A target that ends with a slash, or is a bucket, is a folder: files keep their names in it. With -r the files \
            of folders go there with their paths within the folder: "apus put -r videos data/day1" makes data/day1/a.mp4 \
            of videos/a.mp4.
            """)

    @Argument(
        help: "Files, and with -r folders, and at the end where to: BUCKET, BUCKET/FOLDER/ or BUCKET/KEY.",
        completion: .file())
    var paths: [String]
    @Flag(name: .shortAndLong, help: "Copies folders with all that is in them.") var recursive = false
    @Flag(name: .shortAndLong, help: "Shows no progress.") var quiet = false
    @OptionGroup var options: ClusterOptions

    func validate() throws {
        guard paths.count >= 2 else { throw ValidationError("Give one file or more, and where to: BUCKET/KEY.") }
    }

    func perform() async throws {
        let target = try RemotePath(paths.last ?? "")
        let sources = paths.dropLast().map { Surroundings.current.resolve($0) }
        try await Session.withStore(options) { store in
            try await FileTransfers(store, isQuiet: quiet).put(sources, to: target, recursive: recursive)
        }
    }
}
