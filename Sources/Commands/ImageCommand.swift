import APIClient
import ArgumentParser
import Model
import NIOCore
import SystemPackage
import _NIOFileSystem

/// `apus image …`.
struct ImageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image", abstract: "Manages the container images that a cluster keeps (on clusters of Apus).",
        subcommands: [Add.self, List.self, Remove.self], aliases: ["images"])
}

extension ImageCommand {
    /// `apus image add`.
    struct Add: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Fetches an image into the cluster, or sends an archive to it.",
            discussion: """
                SOURCE is an archive on this machine (OCI or docker archive, or a tarball of a root file system), or a \
                reference such as docker://ghcr.io/grycap/cowsay that the cluster fetches. With --on-server it is a path \
                on the cluster's machine: an archive, an OCI layout, or a tarball.
                """,
            aliases: ["a", "pull"])

        @Argument(help: "An archive, or a reference.") var source: String
        @Argument(help: "The name that services use for it; for a reference, the reference itself by default.")
        var name: String?
        @Flag(help: "The source is a path on the cluster's machine.") var onServer = false
        @Flag(name: .shortAndLong, help: "Prints the digest only.") var quiet = false
        @OptionGroup var options: ClusterOptions

        func perform() async throws {
            let surroundings = Surroundings.current
            let path = surroundings.resolve(source)
            let archive = onServer || source.contains("://") ? nil : try await LocalTree.regularFile(path)
            try await Session.withCluster(options) { client in
                let digest: String
                if let archive {
                    digest = try await upload(path, size: archive, client)
                } else {
                    let reference = onServer || source.contains("://") ? source : "docker://\(source)"
                    digest = try await client.addImage(source: reference, name: name, progress: report)
                }
                try Console.say(Text.printable(digest))
            }
        }

        private func upload(_ path: FilePath, size: Int64, _ client: APIClient) async throws -> String {
            let stem = path.lastComponent?.string.prefix { $0 != "." } ?? ""
            let target = name ?? String(stem)
            let display = TransferDisplay(isQuiet: quiet)
            display.begin(name: source, bytes: size)
            let digest = try await FileSystem.shared.withFileHandle(forReadingAt: path) { handle in
                let chunks = handle.readChunks(chunkLength: .kibibytes(512)).map { chunk in
                    display.moved(Int64(chunk.readableBytes))
                    return chunk
                }
                return try await client.uploadImage(
                    name: target, archive: chunks, length: size,
                    progress: { line in
                        display.finish()
                        report(line)
                    })
            }
            display.finish()
            return digest
        }

        private func report(_ line: String) { if !quiet { Console.complain(line) } }
    }

    /// `apus image list`.
    struct List: ReportingCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the cluster's images.", aliases: ["ls"])

        @OptionGroup var options: ClusterOptions
        @OptionGroup var output: OutputOptions

        func perform() async throws {
            var writer = ListWriter(
                [Column("NAME"), Column("DIGEST"), Column("SIZE", isNumber: true), Column("CREATED")],
                format: output.format, emptyText: "There are no images. Add one with \"apus image add\".")
            try await Session.withCluster(options) { client in
                try writer.append(
                    try await client.images().map { image in
                        Row(cells: [image.name, image.digest, "\(image.size)", image.created], json: image.json)
                    })
                try writer.finish()
            }
        }
    }

    /// `apus image remove`.
    struct Remove: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Removes images.", aliases: ["delete", "del", "rm"])

        @Argument(help: "The names of the images.") var images: [String]
        @OptionGroup var options: ClusterOptions

        func perform() async throws {
            try await Session.withCluster(options) { client in
                try await eachReported(images) { try await client.deleteImage($0) }
            }
        }
    }
}
