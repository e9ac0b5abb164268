import Dispatch
import Synchronization
import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The syncs of a write-ahead log that nobody waits for (`Durability.batch`).
///
/// The log is a chain of checksums, so a loss of power cuts off its end and leaves whole transactions; SQLite syncs
/// it by itself before it copies from it into the database (`synchronous = NORMAL`).
final class LogSync: Sendable {
    private let path: String
    private let interval: Duration
    private let around: DurableDatabase.AroundLogSync?
    private let state = Mutex(State())

    private struct State {
        var isScheduled = false
        var failure: DurableSQLiteError?
    }

    /// - `path`: of the database.
    init(path: String, interval: Duration, around: DurableDatabase.AroundLogSync?) {
        self.path = path
        self.interval = interval
        self.around = around
    }

    /// Says that something was committed.
    func schedule() {
        let isFirst = state.withLock { state in
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        guard isFirst else { return }
        let pause = DispatchTimeInterval.milliseconds(Int(interval / .milliseconds(1)))
        DispatchQueue.global().asyncAfter(deadline: .now() + pause) { [self] in
            // The failure is kept, and refuses the next write.
            try? synchronize()
        }
    }

    /// Syncs the log.
    ///
    /// Blocks.
    ///
    /// - Throws: `io`.
    func synchronize() throws(DurableSQLiteError) {
        // Before the sync: what is committed meanwhile asks for another one.
        state.withLock { $0.isScheduled = false }
        let log = "\(path)-wal"
        do {
            if let around { try around(log) { try Self.synchronize(log) } } else { try Self.synchronize(log) }
        } catch Errno.noSuchFileOrDirectory {
            // Closed meanwhile, and SQLite has taken all of the log into the database, durably.
        } catch {
            let failure = DurableSQLiteError(
                code: .io,
                message: "database \(path): the disk failed to keep what was written; check it, then start again",
                cause: error
            )
            state.withLock { $0.failure = failure }
            throw failure
        }
    }

    private static func synchronize(_ log: String) throws {
        // Closing this descriptor drops no lock of SQLite's: it locks the database and the shared memory.
        let file = try FileDescriptor.open(FilePath(log), .readOnly, options: .closeOnExec)
        try file.closeAfter {
            guard fdatasync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
        }
    }

    /// - Throws: `io` once a sync has failed: nobody knows what is on the disk then, so no more is promised.
    func check() throws(DurableSQLiteError) {
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }
}
