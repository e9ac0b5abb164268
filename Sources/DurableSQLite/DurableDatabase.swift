package import GRDB
import NIOPosix
import Synchronization

/// One SQLite file in WAL mode, whose writes share commits.
///
/// Any number of reads run beside the one writer; each sees the state of one moment. Writes queue; whatever
/// waits when the writer becomes free goes into one transaction and costs one sync of the disk. A single
/// write never waits for company.
///
/// Nothing here blocks the thread of a caller: statements run on the database's own threads.
package final class DurableDatabase: Sendable {
    /// At most so many writes share one transaction.
    package static let maximumBatch = 256
    /// With `Durability.batch`, no write waits longer than this to be made durable.
    package static let syncInterval = Duration.milliseconds(100)

    /// What stands around the syncs of the log that nobody waits for, while faults are tested: gets the log's path and
    /// the sync itself.
    package typealias AroundLogSync = @Sendable (_ path: String, _ sync: () throws -> Void) throws -> Void

    /// Where the file is.
    package let path: String

    let pool: DatabasePool
    private let readers: NIOThreadPool
    private let queue = Mutex(CommitQueue())
    private let logSync: LogSync?
    private let observer: (any CommitObserver)?
    private let whenClosed: (@Sendable () -> Void)?

    init(
        pool: DatabasePool,
        logSync: LogSync? = nil,
        observer: (any CommitObserver)? = nil,
        whenClosed: (@Sendable () -> Void)? = nil
    ) {
        self.pool = pool
        self.logSync = logSync
        path = pool.path
        readers = NIOThreadPool(numberOfThreads: pool.configuration.maximumReaderCount)
        readers.start()
        self.observer = observer
        self.whenClosed = whenClosed
    }

    deinit {
        readers.shutdownGracefully { _ in }
        whenClosed?()
    }

    /// Runs `body` in a transaction and returns when it is durable.
    ///
    /// `body` runs in a savepoint of its own: what it throws undoes its own changes, not those of others, and
    /// comes out here. It runs to its end also where the caller's task is cancelled meanwhile. It must not
    /// begin or end transactions, nor rely on constraints that SQLite checks only at the commit (deferred
    /// foreign keys), which would fail its neighbours too.
    ///
    /// - Throws: what `body` throws, `DatabaseError` as `DurableSQLiteError`; `full`, `io` … where the commit
    ///   fails.
    package func write<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            let write = QueuedWrite(path: path, body: body) { continuation.resume(with: $0) }
            switch queue.withLock({ $0.add(write) }) {
            case .startWriter: pool.asyncWriteWithoutTransaction { self.drainQueue($0) }
            case .none: break
            case .refuse: continuation.resume(throwing: Self.closedError(path))
            }
        }
    }

    /// Runs `body` on a snapshot: it sees all writes that returned before, and none that come later.
    ///
    /// - Throws: what `body` throws, `DatabaseError` as `DurableSQLiteError`; `closed`, `cancelled`.
    package func read<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
        guard !Task.isCancelled else {
            throw DurableSQLiteError(code: .cancelled, message: "database \(path): the read was cancelled")
        }
        return try await withCheckedThrowingContinuation { continuation in
            // The pool's own asynchronous reads change threads several times each.
            readers.submit { [self] state in
                guard state == .active else { return continuation.resume(throwing: Self.closedError(path)) }
                continuation.resume(with: Result { try readNow(body) })
            }
        }
    }

    /// Runs `body` on a snapshot, on the caller's thread.
    private func readNow<T>(_ body: (Database) throws -> T) throws -> T {
        do {
            return try pool.read(body)
        } catch let error as DatabaseError {
            guard !queue.withLock({ $0.isClosed }) else { throw Self.closedError(path) }
            throw DurableSQLiteError(error, path: path)
        }
    }

    /// Writes a copy of the database, as it is at one moment, to a new file; writers go on meanwhile.
    ///
    /// - Throws: `full`, `io`, `corrupt`, `busy`.
    package func copy(to path: String) async throws(DurableSQLiteError) {
        let result = await BlockingWork.run { [pool] () -> Result<Void, DurableSQLiteError> in
            do {
                let target = try DatabaseQueue(path: path)
                try pool.backup(to: target)
                // One file, that can be copied as such.
                try target.writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode = DELETE") }
                try target.close()
                return .success(())
            } catch let error as DatabaseError {
                return .failure(DurableSQLiteError(error, path: path))
            } catch {
                return .failure(DurableSQLiteError(code: .io, message: "cannot write \(path)", cause: error))
            }
        }
        try result.get()
    }

    /// Finishes the writes that wait, then closes the file.
    ///
    /// Later calls of any method but this fail with `closed`.
    package func close() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            queue.withLock { $0.isClosed = true }
            // Runs behind every queued write, since the writer's queue is serial and a drain empties the
            // queue.
            pool.asyncWriteWithoutTransaction { _ in continuation.resume() }
        }
        // The only error is that the threads have ended already.
        try? await readers.shutdownGracefully()
        await BlockingWork.run { [pool] in
            // A failure leaves the connections to their deinitialisation; what was acknowledged is durable
            // either way.
            try? pool.close()
        }
    }

    /// On the writer's thread: commits batch after batch until nobody waits.
    private func drainQueue(_ database: Database) {
        while let batch = queue.withLock({ $0.next(atMost: Self.maximumBatch) }) {
            do {
                try logSync?.check()
                CommitBatch(writes: batch, path: path, observer: observer).run(database)
                logSync?.schedule()
            } catch {
                for write in batch { write.refuse(error) }
            }
        }
    }

    /// Makes durable what was written so far, where writes do not wait for it.
    ///
    /// Blocks.
    ///
    /// - Throws: `io`; all later writes are refused then.
    package func synchronizeLog() throws(DurableSQLiteError) { try logSync?.synchronize() }

    /// As `synchronizeLog`, without blocking.
    ///
    /// - Throws: `DurableSQLiteError` with `io`.
    package func synchronize() async throws {
        guard let logSync else { return }
        let result = await BlockingWork.run { () -> Result<Void, DurableSQLiteError> in
            do throws(DurableSQLiteError) { return .success(try logSync.synchronize()) } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    private static func closedError(_ path: String) -> DurableSQLiteError {
        DurableSQLiteError(code: .closed, message: "database \(path) is closed")
    }
}

/// The writes that wait, and whether the writer is at work.
private struct CommitQueue {
    enum Action { case startWriter, none, refuse }

    private var waiting: [QueuedWrite] = []
    private var isWriterActive = false
    var isClosed = false

    mutating func add(_ write: QueuedWrite) -> Action {
        guard !isClosed else { return .refuse }
        waiting.append(write)
        guard !isWriterActive else { return .none }
        isWriterActive = true
        return .startWriter
    }

    /// The next batch, oldest first; `nil` lets the writer rest.
    mutating func next(atMost count: Int) -> [QueuedWrite]? {
        guard !waiting.isEmpty else {
            isWriterActive = false
            return nil
        }
        let batch = Array(waiting.prefix(count))
        waiting.removeFirst(batch.count)
        return batch
    }
}
