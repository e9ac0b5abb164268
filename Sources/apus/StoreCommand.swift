import ArgumentParser
import Cluster
import Model
import ObjectEngine
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
        abstract: "Verifies and backs up a data directory on this machine; exports and imports its objects.",
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
                nothing. It also verifies a backup. With --resume, the report and the exit status are of the whole, what \
                was found before the interruption included. Exit status: 0 all is well, or was repaired without a loss; 1 \
                objects have lost bytes, or something is left to repair.
                """
        )

        @OptionGroup var location: StoreLocation
        @Flag(help: "Prints findings and the summary as JSON, a line each.") var json = false
        @Flag(help: "Goes on where the last verification was broken off.") var resume = false

        func run() async throws {
            // Reading everything should not slow down what serves.
            setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
            let progress = ProgressLine(isShown: !json)
            try await StoreConsole.reporting {
                let (report, isExclusive) = try await location.withStore(mayChange: true) { place, access in
                    let verifier = StoreVerifier(
                        access,
                        expectsUnknownFiles: place.backup == .updating,
                        now: Clock.now,
                        whenFound: { finding in
                            progress.clear()
                            StoreConsole.say(json ? finding.json.text() : Self.text(finding))
                        },
                        whenAdvanced: { at in
                            progress.show {
                                "\(at.phase): \(at.files) files, \(Self.percent(at.bytes, of: at.totalBytes))"
                            }
                        }
                    )
                    return (try await verifier.run(resuming: resume), place.isExclusive)
                }
                progress.clear()
                StoreConsole.say(json ? report.json.text() : Self.text(report, isExclusive: isExclusive))
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
            let count = report.findingCount
            guard count > 0 else { return text + ": all is well" }
            text += "; \(count) findings, \(report.repaired) repaired or set apart, \(report.open) open"
            return isExclusive ? text : text + "; stop the server and run this again to repair"
        }
    }

    /// `apus store backup`.
    struct Backup: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Copies the data directory to another directory, also while the server runs.",
            discussion: """
                Objects, services, jobs and what waits with them, and the credentials are copied, of one moment; not images, \
                logs and the folders of jobs under way, which run again. Run again with the same destination it copies only \
                what is new. Files get a second name where both are on one file system; --copy gives the backup bytes of its \
                own. To restore, start "apus serve --data DEST", or copy DEST to another place and start it there; from \
                then on it is no backup any more. "apus store verify --data DEST" verifies it.
                """
        )

        @Argument(help: "The directory of the backup: missing, empty, or a backup that was made there.")
        var destination: String
        @OptionGroup var location: StoreLocation
        @Flag(help: "Copies all bytes, in place of giving files a second name.") var copy = false

        func run() async throws {
            let progress = ProgressLine(isShown: true)
            try await StoreConsole.reporting {
                // Never for changes: it is only read, so that also a store of a running server stays as it is.
                let summary = try await location.withStore(mayChange: false) { place, access in
                    let backup = DataBackup(
                        of: place.root,
                        store: access,
                        to: FilePath(destination).madeAbsolute,
                        copiesBytes: copy,
                        whenAdvanced: { summary in
                            progress.show { "\(summary.added + summary.kept) files, \(summary.added) of them new" }
                        }
                    )
                    return try await backup.run()
                }
                progress.clear()
                try Self.tell(summary)
            }
        }

        private static func tell(_ summary: DataBackup.Summary) throws {
            let store = summary.store
            StoreConsole.complain(
                "\(store.added) files with \(store.addedBytes) bytes added, \(store.kept) kept, "
                    + "\(store.removed) removed"
                    + (summary.hasState ? "; the state, and \(summary.waiting) files of waiting jobs" : "")
            )
            if summary.missing > 0 {
                StoreConsole.complain("\(summary.missing) files of waiting jobs are missing; these jobs would fail")
            }
            if store.missing > 0 {
                StoreConsole.complain("\(store.missing) files are missing in the store; run apus store verify")
            }
            if summary.missing + store.missing > 0 { throw ExitCode(1) }
        }
    }
}
