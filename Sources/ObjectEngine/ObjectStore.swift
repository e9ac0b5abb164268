package import DurableSQLite
import GRDB
package import Logging
package import Model
import S3Wire
import Synchronization
package import SystemPackage

/// The embedded object store: content in files, everything else in one SQLite index, and an outbox of events.
///
/// A method that changes something returns when the change is durable; object and event are one transaction.
/// Readers never see half an object and never wait for writers. No method blocks its caller's thread.
/// `docs/object-store.md` tells the layout.
package final class ObjectStore: Sendable {
    /// Yields when events were committed, and once at the start.
    ///
    /// For one consumer; several commits may share one element.
    package let eventSignal: AsyncStream<Void>

    let database: DurableDatabase
    let files: ContentFiles
    let collector: GarbageCollector
    private let garbage: GarbageNotice
    let bucketFacts = BucketFactsCache()
    let hot: HotObjects
    let watchedRemovals = WatchedRemovals()
    let quota = Mutex<StorageQuota.ByOwner?>(nil)
    let now: @Sendable () -> Instant
    let logger: Logger
    private let writesEvents: Bool
    private let signal: AsyncStream<Void>.Continuation

    /// Opens the store in a directory, which must exist; makes a new one where it is empty, and repairs what
    /// a crash left.
    ///
    /// Only one process may have a store open; that is for the caller to ensure.
    ///
    /// - `writesEvents`: whether new objects are told by events; not for those that an import brings back.
    /// - `hotObjectLimit`: for small objects in memory that were read lately.
    /// - `syncInterval`: with `batch`, how long a change may wait to be made durable.
    /// - `probe`: for tests of what happens when the disk fails.
    ///
    /// - Throws: `newerVersion`, `damaged`, `io`, `storageFull`.
    package static func open(
        at directory: FilePath,
        durability: Durability,
        hotObjectLimit: ByteCount = .mebibytes(32),
        logger: Logger,
        now: @escaping @Sendable () -> Instant,
        writesEvents: Bool = true,
        syncInterval: Duration = DurableDatabase.syncInterval,
        probe: (any FileSystemProbe)? = nil
    ) async throws(ObjectStoreError) -> ObjectStore {
        let hot = HotObjects(limit: Int(hotObjectLimit.bytes))
        let garbage = GarbageNotice()
        let database: DurableDatabase
        do throws(DurableSQLiteError) {
            database = try await DurableDatabase.open(
                at: directory.string + "/index.sqlite",
                steps: Schema.steps,
                durability: durability,
                observer: ChangeNotices(hot: hot, garbage: garbage),
                syncInterval: syncInterval,
                aroundLogSync: FileSystemCalls(probe: probe).aroundLogSync
            )
        } catch {
            throw ObjectStoreError(index: error)
        }
        let files = ContentFiles(
            directory: directory.string,
            durability: durability,
            calls: FileSystemCalls(probe: probe)
        )
        let store = ObjectStore(
            database: database,
            files: files,
            hot: hot,
            garbage: garbage,
            writesEvents: writesEvents,
            logger: logger,
            now: now
        )
        do throws(ObjectStoreError) {
            try await files.run { () throws(ObjectStoreError) in
                try files.prepareDirectories()
                if !files.holdReserve() { store.collector.restoreReserve() }
            }
            try await store.removeLeftovers(logger)
        } catch {
            await store.close()
            throw error
        }
        store.collector.wake()
        store.signal.yield()
        return store
    }

    private init(
        database: DurableDatabase,
        files: ContentFiles,
        hot: HotObjects,
        garbage: GarbageNotice,
        writesEvents: Bool,
        logger: Logger,
        now: @escaping @Sendable () -> Instant
    ) {
        self.database = database
        self.files = files
        self.hot = hot
        self.garbage = garbage
        self.now = now
        self.logger = logger
        self.writesEvents = writesEvents
        collector = GarbageCollector(database: database, files: files, logger: logger)
        (eventSignal, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    deinit { signal.finish() }

    /// Ends the store: what was begun is finished, later calls fail with `closed`.
    package func close() async {
        signal.finish()
        await collector.close()
        await database.close()
        await files.close()
    }

    /// Waits until content that no object has any more is off the disk, but for what is being read.
    ///
    /// The store removes such content by itself; this is for those who need the room now, for example when
    /// the disk is full.
    package func reclaimSpace() async { await collector.drain() }

    /// What the store holds.
    ///
    /// - Throws: `io`, `closed`.
    package func statistics() async throws(ObjectStoreError) -> ObjectStoreStatistics {
        try await read { try $0.statistics() }
    }

    /// Runs `body` on a snapshot of the index.
    func read<T: Sendable>(
        _ body: @escaping @Sendable (ObjectIndex) throws -> T
    ) async throws(ObjectStoreError) -> T {
        try await database.readIndex(body)
    }

    /// Runs `body` in a transaction of the index; durable on return.
    func write<T: Sendable>(
        _ body: @escaping @Sendable (ObjectIndex) throws -> T
    ) async throws(ObjectStoreError) -> T {
        do {
            try files.calls.willTransact()
            let (writesEvents, quota) = (writesEvents, quota.withLock { $0 })
            let value = try await database.write {
                try body(ObjectIndex($0, writesEvents: writesEvents, quota: quota))
            }
            try files.calls.didTransact()
            return value
        } catch {
            throw ObjectStoreError(index: error)
        }
    }

    /// As `write`, for a transaction that makes room: on a full disk the store's reserve is spent on it.
    ///
    /// - Throws: `storageFull` where that was not enough.
    func writeFreeing<T: Sendable>(
        _ body: @escaping @Sendable (ObjectIndex) throws -> T
    ) async throws(ObjectStoreError) -> T {
        do throws(ObjectStoreError) {
            return try await write(body)
        } catch {
            guard error.code == .storageFull else { throw error }
            let files = files
            let hadReserve = try await files.run { () throws(ObjectStoreError) in files.releaseReserve() }
            guard hadReserve else { throw error }
            collector.restoreReserve()
            return try await write(body)
        }
    }

    /// As `write`, for a transaction that makes content part of the store.
    func adopt<T: Sendable>(
        _ content: PlacedContent,
        _ body: @escaping @Sendable (ObjectIndex) throws -> T
    ) async throws(ObjectStoreError) -> T {
        do throws(ObjectStoreError) {
            let value = try await write { index in
                try index.insert(content)
                return try body(index)
            }
            if content.hasFile { files.forgetStaged([content.id]) }
            return value
        } catch {
            // A commit that failed on a failing disk may still turn out to have happened, after a crash; then
            // the next start decides by what the index says.
            if content.hasFile, error.code != .io, error.code != .damaged { files.discard(content.id) }
            throw error
        }
    }

    /// To be called after each commit that wrote an event or garbage.
    func announce(event: Bool = false) {
        if event { signal.yield() }
        if garbage.take() { collector.wake() }
    }

    /// Removes what writes left in `staging` that did not come to their commit.
    private func removeLeftovers(_ logger: Logger) async throws(ObjectStoreError) {
        let files = files
        let names = try await files.run { () throws(ObjectStoreError) in try files.stagedNames() }
        guard !names.isEmpty else { return }
        let ids = names.compactMap { ContentID($0) }
        let unknown = try await read { index in try ids.filter { try !index.isKnown($0) } }
        logger.info(
            "removing what unfinished writes left",
            metadata: ["staged": "\(names.count)", "removed": "\(unknown.count)"]
        )
        try await files.run { () throws(ObjectStoreError) in
            for id in unknown { try files.remove(id) }
            for name in names { try files.removeStagedName(name) }
        }
    }
}
