import ArgumentParser
import Logging
import Model
import NIOCore
import ObjectEngine

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

extension StoreCommand {
    /// `apus store export`.
    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Writes buckets and objects to the standard output, as a tar archive.",
            discussion: """
                Any tar reads it; each object is a file BUCKET/KEY. Metadata, times and parts are in it for "apus store \
                import". Unfinished uploads are not, nor, without --versions, versions but the latest.
                """
        )

        @OptionGroup var location: StoreLocation
        @Option(help: "Only this bucket.") var bucket: String?
        @Option(help: "Only keys that begin so.") var prefix: String = ""
        @Flag(help: "Earlier versions and delete markers too; they are below .versions/ in the archive.")
        var versions = false

        func run() async throws {
            try await StoreConsole.reporting {
                guard isatty(STDOUT_FILENO) == 0 else {
                    throw ValidationError(
                        "The archive goes to the standard output; redirect it to a file or a program.")
                }
                let name = try bucket.map { try BucketName($0) }
                try await StoreConsole.archiving("exported") { console in
                    try await location.withStore(mayChange: false) { _, access in
                        let export = StoreExport(
                            access,
                            bucket: name,
                            prefix: prefix,
                            includesVersions: versions,
                            whenSkipped: { console.leftOut("\($0)/\($1)", "its content is missing") },
                            whenAdvanced: { console.show($0) }
                        )
                        return try await export.run { chunk in try await StandardStreams.write(chunk) }
                    }
                }
            }
        }
    }

    /// `apus store import`.
    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes a tar archive from the standard input into the object store of a stopped server.",
            discussion: """
                What "apus store export" wrote comes back as it was. Files of other archives become objects: the first \
                part of a path is the bucket, or --bucket names one for all. Functions do not run for what is imported.
                """
        )

        @OptionGroup var location: StoreLocation
        @Option(help: "The bucket for all objects.") var bucket: String?
        @Option(help: "The owner of new buckets that the archive tells none of.") var owner = "apus"

        func run() async throws {
            try await StoreConsole.reporting {
                let name = try bucket.map { try BucketName($0) }
                try await StoreConsole.archiving("imported") { console in
                    try await location.withPlace(makesNew: true) { place in
                        try Self.requireOwn(place)
                        let importer = try await StoreImport(
                            into: place.objects,
                            bucket: name,
                            owner: owner,
                            logger: Logger(label: "apus") { _ in SwiftLogNoOpLogHandler() },
                            now: Clock.now,
                            whenSkipped: { console.leftOut($0, $1) },
                            whenAdvanced: { console.show($0) }
                        )
                        do {
                            let summary = try await importer.run { try await StandardStreams.read() }
                            await importer.close()
                            return summary
                        } catch {
                            await importer.close()
                            throw error
                        }
                    }
                }
            }
        }

        private static func requireOwn(_ place: StoreLocation.Opened) throws {
            guard place.backup == nil else {
                StoreConsole.complain("Error: this is a backup; start a server on it or on a copy of it first")
                throw ExitCode(1)
            }
            guard place.isExclusive else {
                StoreConsole.complain("Error: a server uses this data directory; stop it first, or use \"apus put\"")
                throw ExitCode(1)
            }
        }
    }
}
