import ArgumentParser
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

/// What the commands of the store say.
enum StoreConsole {
    /// Runs a command; an error becomes a line and the exit status 1.
    static func reporting(_ body: () async throws -> Void) async throws {
        do { try await body() } catch let error as ExitCode { throw error } catch let error as ValidationError {
            throw error
        } catch {
            complain("Error: \(error)")
            throw ExitCode(1)
        }
    }

    /// Runs an export or an import, with its progress, what it leaves out, and its summary.
    ///
    /// - Parameters:
    ///   - done: the word for what was done.
    ///   - body: gets the console that it tells of both.
    static func archiving(_ done: String, _ body: (ArchiveConsole) async throws -> ArchiveSummary) async throws {
        let console = ArchiveConsole()
        let summary: ArchiveSummary
        do { summary = try await body(console) } catch {
            console.progress.clear()
            throw error
        }
        console.progress.clear()
        let versions = summary.versions > 0 ? " and \(summary.versions) earlier versions and markers" : ""
        complain("\(summary.objects) objects\(versions) with \(summary.bytes) bytes \(done)")
        if summary.skipped > 0 { throw ExitCode(1) }
    }

    static func say(_ text: String) {
        // Nobody reads on: there is nobody to tell.
        _ = try? SystemPackage.FileDescriptor.standardOutput.writeAll((text + "\n").utf8)
    }

    static func complain(_ text: String) {
        // There is nobody else to tell.
        _ = try? SystemPackage.FileDescriptor.standardError.writeAll((printable(text) + "\n").utf8)
    }

    /// The text without what would move a terminal's cursor: keys may hold anything.
    static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) ? "\u{FFFD}" : $0 }))
    }
}

/// What an export or an import says on its way.
struct ArchiveConsole: Sendable {
    fileprivate let progress = ProgressLine(isShown: true)

    func show(_ summary: ArchiveSummary) {
        progress.show { "\(summary.objects + summary.versions) objects, \(summary.bytes) bytes" }
    }

    func leftOut(_ name: String, _ why: String) {
        progress.clear()
        StoreConsole.complain("left out: \(name): \(why)")
    }
}

/// A line on a terminal that is written over, at most ten times a second.
final class ProgressLine: Sendable {
    private struct State {
        var last: ContinuousClock.Instant?
        var isThere = false
    }

    private let isShown: Bool
    private let state = Mutex(State())

    init(isShown: Bool) { self.isShown = isShown && isatty(STDERR_FILENO) != 0 }

    func show(_ text: () -> String) {
        guard isShown else { return }
        let isDue = state.withLock { state in
            let now = ContinuousClock.now
            if let last = state.last, last.duration(to: now) < .milliseconds(100) { return false }
            (state.last, state.isThere) = (now, true)
            return true
        }
        if isDue { write("\r\u{1B}[K\(text())") }
    }

    func clear() {
        let wasThere = state.withLock { state in
            defer { state.isThere = false }
            return state.isThere
        }
        if wasThere { write("\r\u{1B}[K") }
    }

    private func write(_ text: String) {
        _ = try? SystemPackage.FileDescriptor.standardError.writeAll(text.utf8)  // There is nobody else to tell.
    }
}

/// The standard streams, read and written away from the threads that run tasks.
enum StandardStreams {
    private static let threads = NIOThreadPool.singleton

    /// The next bytes; `nil` at the end.
    static func read() async throws -> ByteBuffer? {
        try await threads.runIfActive {
            var buffer = ByteBufferAllocator().buffer(capacity: 1 << 20)
            let count = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 1 << 20) { space in
                try SystemPackage.FileDescriptor.standardInput.read(into: space)
            }
            return count > 0 ? buffer : nil
        }
    }

    static func write(_ buffer: ByteBuffer) async throws {
        try await threads.runIfActive {
            _ = try buffer.withUnsafeReadableBytes { try SystemPackage.FileDescriptor.standardOutput.writeAll($0) }
        }
    }
}
