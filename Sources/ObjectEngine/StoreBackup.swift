import DurableSQLite
import GRDB
import Synchronization
package import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A copy of a store, made beside the server: the index as it is at one moment, and the content that it names.
///
/// The destination has the layout of a store. Where there is a backup already, only what is new is copied, and what is no
/// longer in the store goes at the end. The steps are called in the order `hold`, `copy`, `publish`, `prune`, so that
/// the caller can copy what belongs to the store in between (`DataBackup`); and `close` in any case.
package final class StoreBackup: Sendable {
    /// What a backup did.
    package struct Summary: Sendable, Equatable {
        /// Files that were linked or copied now.
        package var added = 0
        /// Bytes in them.
        package var addedBytes: Int64 = 0
        /// Files that were there from the last time.
        package var kept = 0
        /// Files that the store no longer has.
        package var removed = 0
        /// Files that the index names and the store has not; `apus store verify` tells more.
        package var missing = 0
    }

    private static let pageSize = 200

    private let access: StoreAccess
    private let target: ContentFiles
    private let calls: FileSystemCalls
    private let directory: String
    private let copiesBytes: Bool
    private let whenAdvanced: @Sendable (Summary) -> Void
    private let state: Mutex<State>

    private struct State {
        var summary = Summary()
        /// Keeps the content in place that the copied index names.
        var lock: OpenFile?
        var copy: DurableDatabase?
    }

    /// - `destination`: the directory of the copy, which is there; whether it is ours to write to is for the caller to
    ///   know.
    /// - `copiesBytes`: whether every file is copied, so that no damage of one disk block can hit both. Else files
    ///   get a second name where store and backup share a file system.
    package init(
        _ access: StoreAccess,
        to destination: FilePath,
        copiesBytes: Bool,
        whenAdvanced: @escaping @Sendable (Summary) -> Void = { _ in }
    ) {
        self.access = access
        self.copiesBytes = copiesBytes
        self.whenAdvanced = whenAdvanced
        directory = destination.string
        target = ContentFiles(directory: destination.string, durability: .always, threadCount: 1)
        calls = target.calls
        state = Mutex(State())
    }

    /// What was done until now.
    package var summary: Summary { state.withLock { $0.summary } }

    /// Keeps in place, until `close`, what the store would remove: content, and events that were routed.
    ///
    /// - Throws: `io`, `storageFull`.
    package func hold() async throws(ObjectStoreError) {
        let source = access.files
        let lock = try await source.run { () throws(ObjectStoreError) in try source.lockAgainstRemoval() }
        state.withLock { $0.lock = lock }
    }

    /// Copies the index, and then every file that the copy names and that is not there yet.
    ///
    /// The last backup stays as it was.
    ///
    /// - Throws: `storageFull`, `io`, `damaged`, `closed`.
    package func copy() async throws(ObjectStoreError) {
        let target = target
        let (calls, directory) = (calls, directory)
        try await target.run { () throws(ObjectStoreError) in
            do throws(Errno) { try calls.makeDirectory(directory) } catch {
                throw ObjectStoreError(error, "cannot make \(directory)")
            }
            try target.prepareDirectories()
        }
        try await copyIndex(to: newIndex)
        let copy = try await openCopy(newIndex)
        state.withLock { $0.copy = copy }
        for owners in ContentOwners.allCases { try await add(owners, from: copy) }
        try await target.run { [self] () throws(ObjectStoreError) in
            do throws(Errno) {
                for folder in 0..<256 { try calls.synchronizeDirectory(target.folderPath(folder)) }
                try calls.open(newIndex, O_RDONLY).synchronize()
            } catch {
                throw ObjectStoreError(error, "cannot write to \(directory)")
            }
        }
    }

    /// Puts the copied index in the place of that of the last backup.
    ///
    /// - Throws: `io`, `storageFull`.
    package func publish() async throws(ObjectStoreError) {
        try await target.run { [self] () throws(ObjectStoreError) in
            do throws(Errno) {
                // Of an index that somebody looked into; the copy needs none.
                for suffix in ["-wal", "-shm"] { try calls.remove("\(directory)/index.sqlite\(suffix)") }
                try calls.rename(newIndex, "\(directory)/index.sqlite")
                try calls.synchronizeDirectory(directory)
            } catch {
                throw ObjectStoreError(error, "cannot write \(directory)/index.sqlite")
            }
        }
    }

    /// Removes what only the last backup needed.
    ///
    /// - Throws: `io`, `damaged`.
    package func prune() async throws(ObjectStoreError) {
        guard let copy = state.withLock({ $0.copy }) else { return }
        let target = target
        for folder in 0..<256 {
            let names = try await target.run { () throws(ObjectStoreError) in try target.contentNames(folder) }
            let ids = names.compactMap { ContentID($0) }
            let unknown = try await copy.readIndex { index in try ids.filter { try !index.isKnown($0) } }
            try await target.run { () throws(ObjectStoreError) in for id in unknown { try target.remove(id) } }
            state.withLock { $0.summary.removed += unknown.count }
        }
        whenAdvanced(summary)
    }

    /// Ends the backup, finished or not.
    package func close() async {
        let copy = state.withLock { state in
            defer { (state.copy, state.lock) = (nil, nil) }
            return state.copy
        }
        await copy?.close()
        await target.close()
    }

    private var newIndex: String { "\(directory)/index.sqlite.new" }

    private func copyIndex(to path: String) async throws(ObjectStoreError) {
        let (target, calls) = (target, calls)
        try await target.run { () throws(ObjectStoreError) in
            do throws(Errno) {
                for suffix in ["", "-wal", "-shm", "-journal"] { try calls.remove(path + suffix) }
            } catch {
                throw ObjectStoreError(error, "cannot write \(path)")
            }
        }
        do throws(DurableSQLiteError) {
            try await access.database.copy(to: path)
        } catch {
            throw ObjectStoreError(index: error)
        }
    }

    private func openCopy(_ path: String) async throws(ObjectStoreError) -> DurableDatabase {
        do throws(DurableSQLiteError) {
            return try await DurableDatabase.openReadOnly(at: path, steps: Schema.steps)
        } catch {
            throw ObjectStoreError(index: error)
        }
    }

    private func add(_ owners: ContentOwners, from copy: DurableDatabase) async throws(ObjectStoreError) {
        var last = ""
        while true {
            let from = last
            let page = try await copy.readIndex { try owners.files(after: from, limit: Self.pageSize, in: $0) }
            guard let end = page.last else { return }
            last = end.file.text
            for owned in page {
                guard !Task.isCancelled else { throw ObjectStoreError(.closed, "the task was cancelled") }
                let outcome = try await add(owned)
                state.withLock { $0.summary.count(outcome, owned.size) }
            }
            whenAdvanced(summary)
        }
    }

    fileprivate enum Outcome { case added, kept, missing }

    private func add(_ owned: OwnedFile) async throws(ObjectStoreError) -> Outcome {
        let (source, target, calls) = (access.files, target, calls)
        let place = target.contentPath(owned.file)
        let copiesBytes = copiesBytes
        let linked = try await target.run { () throws(ObjectStoreError) -> Outcome? in
            do throws(Errno) {
                if try calls.size(of: place) == owned.size {
                    // A run that gave second names does not count for one that copies.
                    guard copiesBytes else { return .kept }
                    guard try calls.areOneFile(source.contentPath(owned.file), place) else { return .kept }
                }
                try calls.remove(place)
                guard !copiesBytes else { return nil }
                try calls.link(source.contentPath(owned.file), place)
                return .added
            } catch {
                switch error {
                case .noSuchFileOrDirectory: return .missing
                case .improperLink, .notPermitted, .tooManyLinks, .notSupported: return nil
                default: throw ObjectStoreError(error, "cannot write \(place)")
                }
            }
        }
        if let linked { return linked }
        // A name of its own until it is whole: what a breaking off leaves is written anew the next time.
        let unfinished = target.stagingPath(owned.file)
        try await target.run { () throws(ObjectStoreError) in try target.removeStagedName(owned.file.text) }
        let piece = ContentPiece(file: owned.file, range: 0..<owned.size, check: owned.check)
        guard try await ContentCopy(pieces: [piece], files: source, path: unfinished).run() else { return .missing }
        try await target.run { () throws(ObjectStoreError) in
            do throws(Errno) {
                try calls.open(unfinished, O_RDONLY).synchronize()
                try calls.rename(unfinished, place)
            } catch {
                throw ObjectStoreError(error, "cannot write \(place)")
            }
        }
        return .added
    }
}

extension StoreBackup.Summary {
    fileprivate mutating func count(_ outcome: StoreBackup.Outcome, _ size: Int64) {
        switch outcome {
        case .kept: kept += 1
        case .missing: missing += 1
        case .added:
            added += 1
            addedBytes += size
        }
    }
}
