import ArgumentParser
import Model
import NIOCore
import NIOPosix
import Settings
import Synchronization
import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Which store a command works on.
struct StoreLocation: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The data directory, or a backup of a store (default: that of \"apus serve\").",
            valueName: "dir"
        ),
        completion: .directory
    )
    var data: String?

    /// A store, and the lock on its data directory where that is free.
    struct Opened {
        let objects: FilePath
        /// Whether no server runs on it, nor can one start now.
        let isExclusive: Bool
        fileprivate let lock: SystemPackage.FileDescriptor?

        func close() { try? lock?.close() }  // Closing a lock file cannot lose anything.
    }

    /// Finds the store and takes the lock, which is never waited for.
    ///
    /// - Parameter makesNew: whether to make a data directory where there is none.
    func open(makesNew: Bool = false) throws -> Opened {
        let root = FilePath(try data ?? Self.standard()).madeAbsolute
        let objects = root.appending("objects")
        if access(objects.appending("index.sqlite").string, F_OK) != 0 {
            // A backup has no data directory around it, and no server.
            let isBackup = access(root.appending("index.sqlite").string, F_OK) == 0
            guard makesNew, !isBackup else { return try Self.lock(of: root, for: root) }
            for folder in [root, objects] {
                guard mkdir(folder.string, 0o700) == 0 || errno == EEXIST else { throw Errno(rawValue: errno) }
            }
        }
        return try Self.lock(of: root, for: objects)
    }

    /// Takes the lock of a data directory, or that of a backup.
    ///
    /// Who names the folder `objects` within a data directory means the same store as its server.
    private static func lock(of root: FilePath, for objects: FilePath) throws -> Opened {
        let around = root.removingLastComponent().appending("lock")
        let isInside = root == objects && access(around.string, F_OK) == 0
        let lock = try SystemPackage.FileDescriptor.open(
            isInside ? around : root.appending("lock"),
            .readWrite,
            options: [.create, .closeOnExec],
            permissions: .ownerReadWrite
        )
        return Opened(objects: objects, isExclusive: flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0, lock: lock)
    }

    /// What `apus serve` uses when nobody says otherwise.
    private static func standard() throws -> String {
        let environment = ServeCommand.environment()
        let values = try SettingValues(flags: [:], environment: environment, file: nil)
        return try ServeSettings(values, machine: .current, environment: environment).data
    }
}

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
