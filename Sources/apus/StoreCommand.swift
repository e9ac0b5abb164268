import ArgumentParser
import Logging
import Model
import NIOCore
import NIOPosix
import ObjectEngine
import Synchronization
import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// `apus store …`: the object store of a data directory, without or beside its server.
struct StoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract: "Verifies, backs up, exports and imports the object store of a data directory on this machine.",
        subcommands: [Verify.self, Backup.self, Export.self, Import.self]
    )
}

extension StoreCommand {
    /// `apus store verify`.
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Reads all content and compares it with its checks, and the index with the files.",
            discussion: """
                Beside a running server it only looks. Where no server runs it also repairs: damaged and unknown files \
                go to objects/quarantine (with a line each in report.jsonl), buckets are counted anew. It deletes \
                nothing. It also verifies a backup. Exit status: 0 all is well, or was repaired without a loss; 1 \
                objects have lost bytes, or something is left to repair.
                """
        )

        @OptionGroup var location: StoreLocation
        @Flag(help: "Prints findings and the summary as JSON, a line each.") var json = false
        @Flag(help: "Goes on where the last verification was broken off.") var resume = false

        func run() async throws {
            try await StoreConsole.reporting {
                let place = try location.open()
                defer { place.close() }
                // Reading everything should not slow down what serves.
                setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
                let access = try await StoreAccess.open(at: place.objects, isExclusive: place.isExclusive)
                let progress = ProgressLine(isShown: !json)
                let verifier = StoreVerifier(
                    access,
                    now: Clock.now,
                    whenFound: { finding in
                        progress.clear()
                        StoreConsole.say(json ? finding.json.text() : Self.text(finding))
                    },
                    whenAdvanced: { at in
                        progress.show { "\(at.phase): \(at.files) files, \(Self.percent(at.bytes, of: at.totalBytes))" }
                    }
                )
                let report: VerificationReport
                do { report = try await verifier.run(resuming: resume) } catch {
                    await access.close()
                    throw error
                }
                await access.close()
                progress.clear()
                StoreConsole.say(json ? report.json.text() : Self.text(report, isExclusive: place.isExclusive))
                if report.open > 0 { throw ExitCode(1) }
            }
        }

        private static func percent(_ bytes: Int64, of total: Int64) -> String {
            total > 0 ? "\(min(100, bytes * 100 / total)) % of the bytes" : "\(bytes) bytes"
        }

        private static func text(_ finding: StoreFinding) -> String {
            let name = [finding.bucket, finding.key].compactMap { $0 }.joined(separator: "/")
            let subject = name.isEmpty ? finding.content ?? "" : name
            return [finding.kind.rawValue, subject, finding.detail, finding.repair.map { "(\($0))" } ?? ""]
                .filter { !$0.isEmpty }.map(StoreConsole.printable).joined(separator: "  ")
        }

        private static func text(_ report: VerificationReport, isExclusive: Bool) -> String {
            var text =
                "\(report.files) files with \(report.bytes) bytes and \(report.smallContents) small contents verified"
            if report.unverifiable > 0 { text += "; \(report.unverifiable) of them have no check to compare with" }
            let count = report.findings.values.reduce(0, +)
            guard count > 0 else { return text + ": all is well" }
            text += "; \(count) findings, \(report.repaired) repaired or set apart, \(report.open) open"
            return isExclusive ? text : text + "; stop the server and run this again to repair"
        }
    }

    /// `apus store backup`.
    struct Backup: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Copies the object store to another directory, also while the server runs.",
            discussion: """
                The copy is of one moment. Run again with the same destination it copies only what is new. Content files \
                get a second name where both are on one file system; --copy gives the backup bytes of its own. To restore, \
                stop the server and copy the backup to DATA/objects. "apus store verify --data DEST" verifies it.
                """
        )

        @Argument(help: "The directory of the backup: missing, empty, or a backup.") var destination: String
        @OptionGroup var location: StoreLocation
        @Flag(help: "Copies all bytes, in place of giving files a second name.") var copy = false

        func run() async throws {
            try await StoreConsole.reporting {
                let place = try location.open()
                defer { place.close() }
                // Never exclusive: the index is only read, so that also a store of a running server stays as it is.
                let access = try await StoreAccess.open(at: place.objects, isExclusive: false)
                let progress = ProgressLine(isShown: true)
                let backup = StoreBackup(
                    access,
                    to: FilePath(destination).madeAbsolute,
                    copiesBytes: copy,
                    whenAdvanced: { summary in
                        progress.show { "\(summary.added + summary.kept) files, \(summary.added) of them new" }
                    }
                )
                let summary: StoreBackup.Summary
                do { summary = try await backup.run() } catch {
                    await access.close()
                    throw error
                }
                await access.close()
                progress.clear()
                StoreConsole.complain(
                    "\(summary.added) files with \(summary.addedBytes) bytes added, \(summary.kept) kept, "
                        + "\(summary.removed) removed"
                )
                guard summary.missing > 0 else { return }
                StoreConsole.complain("\(summary.missing) files are missing in the store; run apus store verify")
                throw ExitCode(1)
            }
        }
    }

    /// `apus store export`.
    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Writes buckets and objects to the standard output, as a tar archive.",
            discussion: """
                Any tar reads it; each object is a file BUCKET/KEY. Metadata, times and parts are in it for "apus store \
                import". Versions but the latest, and unfinished uploads, are not.
                """
        )

        @OptionGroup var location: StoreLocation
        @Option(help: "Only this bucket.") var bucket: String?
        @Option(help: "Only keys that begin so.") var prefix: String = ""

        func run() async throws {
            try await StoreConsole.reporting {
                guard isatty(STDOUT_FILENO) == 0 else {
                    throw ValidationError(
                        "The archive goes to the standard output; redirect it to a file or a program.")
                }
                let name = try bucket.map { try BucketName($0) }
                let place = try location.open()
                defer { place.close() }
                let access = try await StoreAccess.open(at: place.objects, isExclusive: false)
                let export = StoreExport(access, bucket: name, prefix: prefix) { bucket, key in
                    StoreConsole.complain("left out, since its content is missing: \(bucket)/\(key)")
                }
                let summary: StoreExport.Summary
                do {
                    summary = try await export.run { chunk in try await StandardStreams.write(chunk) }
                } catch {
                    await access.close()
                    throw error
                }
                await access.close()
                StoreConsole.complain("\(summary.objects) objects with \(summary.bytes) bytes exported")
                if summary.skipped > 0 { throw ExitCode(1) }
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
                let place = try location.open(makesNew: true)
                defer { place.close() }
                guard place.isExclusive else {
                    StoreConsole.complain(
                        "Error: a server uses this data directory; stop it first, or use \"apus put\"")
                    throw ExitCode(1)
                }
                let importer = try await StoreImport(
                    into: place.objects,
                    bucket: name,
                    owner: owner,
                    logger: Logger(label: "apus") { _ in SwiftLogNoOpLogHandler() },
                    now: Clock.now,
                    whenSkipped: { path, why in StoreConsole.complain("left out: \(path): \(why)") }
                )
                let summary: StoreImport.Summary
                do {
                    summary = try await importer.run { try await StandardStreams.read() }
                } catch {
                    await importer.close()
                    throw error
                }
                await importer.close()
                StoreConsole.complain("\(summary.objects) objects with \(summary.bytes) bytes imported")
                if summary.skipped > 0 { throw ExitCode(1) }
            }
        }
    }
}
