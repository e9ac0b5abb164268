package import Logging
package import Model
import Synchronization
package import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Writes who changed what and who was refused, as lines of JSON in a folder of the data directory.
///
/// Files are `NUMBER.jsonl`, a new one after 16 MiB and each day; the oldest go by age. Lines are not synced: a power cut may take
/// the last ones. What comes faster than it can be written is counted and left out, so that a flood of refused requests holds
/// nobody up.
package final class AuditLog: Sendable {
    /// When a new file begins, in bytes and time.
    private static let largestFile = 16 << 20
    private static let longestFile = Duration.seconds(86_400)
    /// How many lines may wait to be written.
    private static let mostWaiting = 10_000

    private struct Writer {
        var file: FileDescriptor?
        var number: Int64 = 0
        var size = 0
        var begun = Instant(seconds: 0)
        var lost = 0
    }

    private let folder: FilePath
    private let kept: Duration
    private let now: @Sendable () -> Instant
    private let logger: Logger
    private let entries: AsyncStream<AuditEntry>
    private let feed: AsyncStream<AuditEntry>.Continuation
    private let writer = Mutex(Writer())

    /// - Parameters:
    ///   - folder: made where it is missing.
    ///   - kept: how long lines are kept.
    package init(folder: FilePath, kept: Duration, now: @escaping @Sendable () -> Instant, logger: Logger) {
        (self.folder, self.kept, self.now, self.logger) = (folder, kept, now, logger)
        // The newest that do not fit are left out: the begin of a flood tells more than its end.
        (entries, feed) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.mostWaiting))
    }

    /// Takes a line; never waits.
    package func record(_ entry: AuditEntry) {
        if case .dropped = feed.yield(entry) { writer.withLock { $0.lost += 1 } }
    }

    /// Writes what is recorded, until `finish` and all of it is written.
    package func run() async {
        for await entry in entries { write(entry) }
        writer.withLock { writer in
            try? writer.file?.close()  // Nothing is buffered here.
            writer.file = nil
        }
    }

    /// Ends `run`; what is recorded after this is left out.
    package func finish() { feed.finish() }

    // MARK: Writing

    /// An append to the page cache: microseconds.
    private func write(_ entry: AuditEntry) {
        writer.withLock { writer in
            do {
                try prepare(&writer)
                var text = entry.json.text() + "\n"
                if writer.lost > 0 {
                    text +=
                        JSONValue.object(["time": .string(now().rfc3339()), "lost": .integer(writer.lost)]).text()
                        + "\n"
                }
                try writer.file?.writeAll(text.utf8)
                writer.size += text.utf8.count
                writer.lost = 0
            } catch {
                if writer.lost == 0 { logger.error("the audit log cannot be written", metadata: ["error": "\(error)"]) }
                writer.lost += 1
                try? writer.file?.close()  // The next line tries with a new file.
                writer.file = nil
            }
        }
    }

    private func prepare(_ writer: inout Writer) throws {
        let now = now()
        if writer.file != nil, writer.size < Self.largestFile, now - writer.begun < Self.longestFile { return }
        try writer.file?.close()
        writer.file = nil
        guard mkdir(folder.string, 0o700) == 0 || errno == EEXIST else { throw Errno(rawValue: errno) }
        let numbers = Self.numbers(in: folder)
        writer.number = (numbers.last ?? 0) + 1
        writer.file = try FileDescriptor.open(
            path(writer.number), .writeOnly, options: [.create, .append, .closeOnExec], permissions: .ownerReadWrite)
        (writer.size, writer.begun) = (0, now)
        for number in numbers {
            var facts = stat()
            guard stat(path(number).string, &facts) == 0 else { continue }
            #if canImport(Darwin)
            let last = Instant(seconds: Int64(facts.st_mtimespec.tv_sec))
            #else
            let last = Instant(seconds: Int64(facts.st_mtim.tv_sec))
            #endif
            if now - last > kept { unlink(path(number).string) }
        }
    }

    private func path(_ number: Int64) -> FilePath { folder.appending("\(number).jsonl") }

    /// The files that there are, the oldest first.
    private static func numbers(in folder: FilePath) -> [Int64] {
        guard let directory = opendir(folder.string) else { return [] }
        defer { closedir(directory) }
        var numbers: [Int64] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(".jsonl"), let number = Int64(name.dropLast(6)) { numbers.append(number) }
        }
        return numbers.sorted()
    }

    // MARK: Reading

    /// The last lines that somebody wants, the newest first, and where to go on.
    ///
    /// Blocks while it reads files.
    package func lines(_ filter: AuditFilter) throws -> (lines: [JSONValue], next: AuditPlace?) {
        var found: [JSONValue] = []
        for number in Self.numbers(in: folder).reversed() {
            if let before = filter.before, number > before.file { continue }
            let lines = try read(number)
            var index = lines.count
            if let before = filter.before, before.file == number { index = min(index, before.line) }
            while index > 0 {
                index -= 1
                // A line that a crash cut is none.
                guard let line = try? JSONValue.parse(bytes: Array(lines[index])), filter.accepts(line) else {
                    continue
                }
                found.append(line)
                if found.count == filter.limit { return (found, AuditPlace(file: number, line: index)) }
            }
        }
        return (found, nil)
    }

    private func read(_ number: Int64) throws -> [ArraySlice<UInt8>] {
        let file: FileDescriptor
        do { file = try FileDescriptor.open(path(number), .readOnly, options: .closeOnExec) } catch Errno
            .noSuchFileOrDirectory
        {
            return []
        }
        let bytes = try file.closeAfter {
            var bytes: [UInt8] = []
            var piece = [UInt8](repeating: 0, count: 1 << 20)
            while true {
                let count = try piece.withUnsafeMutableBytes { try file.read(into: $0) }
                guard count > 0 else { return bytes }
                bytes.append(contentsOf: piece[..<count])
            }
        }
        return bytes.split(separator: UInt8(ascii: "\n"))
    }
}
