import DurableSQLite
import GRDB
import Logging
import Synchronization

/// Removes content that objects no longer have, behind the transactions that replaced or deleted them.
///
/// Content of one file may go while it is read: who has it open reads on. Content of many files is opened
/// file by file, so readers pin it, and it goes when the last of them has ended.
final class GarbageCollector: Sendable {
    private static let batchSize = 200

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
    func drain() async {
        wake()
        while let task = state.withLock({ $0.isRunning ? $0.task : nil }) { await task.value }
    }

    /// Lets a removal that is under way end, and starts none any more.
    func close() async {
        let task = state.withLock { state in
            state.isClosed = true
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
            guard let end = found.last else { return }
            last = end.text
            let free = found.filter { content in state.withLock { $0.condemn(content) } }
            defer { state.withLock { $0.forgive(free) } }
            try await remove(free)
        }
    }

    private func remove(_ contents: [ContentID]) async throws {
        guard !contents.isEmpty else { return }
        let pieces = try await database.read { database in
            try contents.map { (content: $0, pieces: try ObjectIndex(database).pieces(of: $0)) }
        }
        let files = files
        try await files.run { () throws(ObjectStoreError) in
            for content in pieces {
                for file in content.pieces.isEmpty ? [content.content] : content.pieces.map(\.file) {
                    try files.remove(file)
                }
            }
        }
        try files.calls.willTransact()
        try await database.write { database in
            for content in contents { try ObjectIndex(database).removeGarbage(content) }
        }
        try files.calls.didTransact()
    }

    private struct State {
        var task: Task<Void, Never>?
        var isClosed = false
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
