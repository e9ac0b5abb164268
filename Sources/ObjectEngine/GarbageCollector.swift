import DurableSQLite
import GRDB
import Logging
import Synchronization

/// Removes content that objects no longer have, behind the transactions that replaced or deleted them.
///
/// In turns of 64 files on one thread, resting as long as a turn took, so that it takes half of the disk at most.
///
/// Content of one file may go while it is read: who has it open reads on. Content of many files is opened
/// file by file, so readers pin it, and it goes when the last of them has ended.
final class GarbageCollector: Sendable {
    /// So many contents are looked up, and forgotten in one transaction.
    private static let batchSize = 200
    /// So many files are removed before a thread is given back.
    private static let turnSize = 64
    /// A turn up to this long is followed by no rest.
    private static let shortTurn = Duration.milliseconds(5)
    /// How long to wait for a backup to end before looking again.
    private static let pause = Duration.seconds(2)

    private let database: DurableDatabase
    private let files: ContentFiles
    private let logger: Logger
    private let state = Mutex(State())

    init(database: DurableDatabase, files: ContentFiles, logger: Logger) {
        self.database = database
        self.files = files
        self.logger = logger
    }

    /// Keeps content of many files in place until `unpin`.
    ///
    /// - Returns: `false` where it is being removed already.
    func pin(_ content: ContentID) -> Bool { state.withLock { $0.pin(content) } }

    func unpin(_ content: ContentID) {
        if state.withLock({ $0.unpin(content) }) { wake() }
    }

    /// Says that there may be garbage.
    ///
    /// Returns at once.
    func wake() {
        state.withLock { state in
            guard state.shouldStart() else { return }
            // Ends by itself when there is nothing left; `close` waits for it.
            state.task = Task { await self.collect() }
        }
    }

    /// Waits until there is no garbage but what is being read.
    ///
    /// Nor what a backup or an export holds.
    func drain() async {
        state.withLock { $0.isHurried = true }
        wake()
        while let task = state.withLock({ $0.isRunning ? $0.task : nil }) { await task.value }
        state.withLock { $0.isHurried = false }
    }

    /// Lets a removal that is under way end, and starts none any more.
    func close() async {
        let task = state.withLock { state in
            state.isClosed = true
            state.laterWake?.cancel()
            return state.task
        }
        await task?.value
    }

    private func collect() async {
        repeat {
            do {
                try await collectAll()
            } catch {
                // What was not removed stays in the table, for the next time or the next start.
                logger.warning("content could not be removed", metadata: ["error": "\(error)"])
            }
        } while state.withLock { $0.shouldGoOn() }
    }

    private func collectAll() async throws {
        var last = ""
        while !state.withLock({ $0.isClosed }) {
            let from = last
            let found = try await database.read { database in
                try String.fetchAll(
                    database,
                    sql: "SELECT content FROM garbage WHERE content > ? ORDER BY content LIMIT ?",
                    arguments: [from, Self.batchSize]
                ).map(ObjectIndex.contentID)
            }
            guard let end = found.last else { return await takeReserveBack() }
            last = end.text
            let free = found.filter { content in state.withLock { $0.condemn(content) } }
            defer { state.withLock { $0.forgive(free) } }
            guard try await remove(free) else { return wakeLater() }
        }
    }

    /// Removes the files of contents in turns, then their rows.
    ///
    /// - Returns: `false` where a backup or an export holds content in place.
    private func remove(_ contents: [ContentID]) async throws -> Bool {
        guard !contents.isEmpty else { return true }
        let names = try await database.read { database in
            try contents.flatMap { content in
                let pieces = try ObjectIndex(database).pieces(of: content)
                return pieces.isEmpty ? [content] : pieces.map(\.file)
            }
        }
        // Where commits do not wait for the disk: nothing goes that the index would still name after a power cut.
        try await database.synchronize()
        for start in stride(from: 0, to: names.count, by: Self.turnSize) {
            let turn = names[start..<min(start + Self.turnSize, names.count)]
            let begun = ContinuousClock.now
            guard try await removeFiles(turn) else { return false }
            await rest(for: begun.duration(to: .now))
        }
        try await forget(contents)
        return true
    }

    private func removeFiles(_ names: ArraySlice<ContentID>) async throws(ObjectStoreError) -> Bool {
        let files = files
        return try await files.run { () throws(ObjectStoreError) in
            guard let lock = try files.lockForRemoval() else { return false }
            for name in names { try files.remove(name) }
            withExtendedLifetime(lock) {}
            return true
        }
    }

    /// Leaves the disk to others as long as a turn has kept it busy, so that removing takes half of it at most.
    ///
    /// Nobody rests while somebody waits for the room.
    private func rest(for duration: Duration) async {
        guard duration > Self.shortTurn, !state.withLock({ $0.isHurried || $0.isClosed }) else { return }
        // Cancelled never; the longest turn bounds it.
        try? await Task.sleep(for: duration)
    }

    /// Forgets contents whose files are gone; on a full disk with the reserve's room.
    private func forget(_ contents: [ContentID]) async throws {
        do {
            try await forgetRows(of: contents)
        } catch let error as DurableSQLiteError where error.code == .full {
            let files = files
            guard try await files.run({ () throws(ObjectStoreError) in files.releaseReserve() }) else { throw error }
            restoreReserve()
            try await forgetRows(of: contents)
        }
    }

    private func forgetRows(of contents: [ContentID]) async throws {
        try files.calls.willTransact()
        try await database.write { database in
            for content in contents { try ObjectIndex(database).removeGarbage(content) }
        }
        try files.calls.didTransact()
    }

    /// Takes the reserve again that a full disk was given, where there is room by now.
    private func takeReserveBack() async {
        guard state.withLock({ $0.isReserveSpent }) else { return }
        let files = files
        // Where the threads have ended, the next start takes it.
        let isBack = try? await files.run { () throws(ObjectStoreError) in files.holdReserve() }
        if isBack == true { state.withLock { $0.isReserveSpent = false } }
    }

    /// To be called once the reserve was spent.
    func restoreReserve() { state.withLock { $0.isReserveSpent = true } }

    /// Looks again after a while, when a backup may have ended.
    private func wakeLater() {
        state.withLock { state in
            guard !state.isClosed, state.laterWake == nil else { return }
            // Ends by itself, or with `close`.
            state.laterWake = Task {
                guard (try? await Task.sleep(for: Self.pause)) != nil else { return }
                self.state.withLock { $0.laterWake = nil }
                self.wake()
            }
        }
    }

    private struct State {
        var task: Task<Void, Never>?
        var isClosed = false
        /// Whether somebody waits for the room.
        var isHurried = false
        var isReserveSpent = false
        var laterWake: Task<Void, Never>?
        private(set) var isRunning = false
        private var isAsked = false
        private var pins: [ContentID: Int] = [:]
        /// Pinned content that a collection passed over.
        private var passedOver: Set<ContentID> = []
        private var condemned: Set<ContentID> = []

        mutating func shouldStart() -> Bool {
            isAsked = true
            guard !isRunning, !isClosed else { return false }
            isRunning = true
            isAsked = false
            return true
        }

        mutating func shouldGoOn() -> Bool {
            isRunning = isAsked && !isClosed
            isAsked = false
            return isRunning
        }

        mutating func pin(_ content: ContentID) -> Bool {
            guard !condemned.contains(content) else { return false }
            pins[content, default: 0] += 1
            return true
        }

        /// - Returns: whether a collection should run again.
        mutating func unpin(_ content: ContentID) -> Bool {
            guard let count = pins[content] else { return false }
            pins[content] = count > 1 ? count - 1 : nil
            return count == 1 && passedOver.remove(content) != nil
        }

        mutating func condemn(_ content: ContentID) -> Bool {
            guard pins[content] == nil else {
                passedOver.insert(content)
                return false
            }
            condemned.insert(content)
            return true
        }

        mutating func forgive(_ contents: [ContentID]) { condemned.subtract(contents) }
    }
}
