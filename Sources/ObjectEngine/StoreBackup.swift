import DurableSQLite
import GRDB
package import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A copy of a store, made beside the server: the index as it is at one moment, and the content that it names.
///
/// The destination has the layout of a store: to restore it, copy it to the place of `objects/`. Where there is a
/// backup already, only what is new is copied, and what is no longer in the store goes at the end.
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

    /// - `destination`: a directory that is missing, empty, or a backup.
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
    }

    /// Makes the backup.
    ///
    /// Where it breaks off, the last backup is as it was, but for content that is not needed yet.
    ///
    /// - Throws: `notABackup`, `storageFull`, `io`, `damaged`, `closed`.
    package func run() async throws(ObjectStoreError) -> Summary {
        do throws(ObjectStoreError) {
            let summary = try await runLocked()
            await target.close()
            return summary
        } catch {
            await target.close()
            throw error
        }
    }

    private func runLocked() async throws(ObjectStoreError) -> Summary {
        let (source, target) = (access.files, target)
        // Held to the end: what the copied index names stays in place.
        let lock = try await source.run { () throws(ObjectStoreError) in try source.lockAgainstRemoval() }
        defer { withExtendedLifetime(lock) {} }
        try await target.run { [self] () throws(ObjectStoreError) in
            try claim()
            try target.prepareDirectories()
        }
        let newIndex = "\(directory)/index.sqlite.new"
        try await copyIndex(to: newIndex)
        let copy = try await openCopy(newIndex)
        var summary = Summary()
        do throws(ObjectStoreError) {
            for owners in ContentOwners.allCases { try await add(owners, from: copy, to: &summary) }
            try await publish(newIndex)
            try await prune(by: copy, &summary)
        } catch {
            await copy.close()
            throw error
        }
        await copy.close()
        return summary
    }

    /// Makes sure that the directory is ours to write to.
    private func claim() throws(ObjectStoreError) {
        let marker = "\(directory)/BACKUP"
        do throws(Errno) {
            try calls.makeDirectory(directory)
            if try calls.size(of: marker) != nil { return }
            guard try calls.entries(of: directory).isEmpty else {
                throw Errno.fileExists
            }
            _ = try calls.open(marker, O_WRONLY | O_CREAT)
        } catch {
            guard error != .fileExists else {
                throw ObjectStoreError(
                    .notABackup,
                    "\(directory) is neither empty nor a backup; name another directory"
                )
            }
            throw ObjectStoreError(error, "cannot write to \(directory)")
        }
    }

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

    private func add(
        _ owners: ContentOwners,
        from copy: DurableDatabase,
        to summary: inout Summary
    ) async throws(ObjectStoreError) {
        var last = ""
        while true {
            let from = last
            let page: [OwnedFile]
            do {
                page = try await copy.read { try owners.files(after: from, limit: Self.pageSize, in: ObjectIndex($0)) }
            } catch {
                throw ObjectStoreError(index: error)
            }
            guard let end = page.last else { return }
            last = end.file.text
            for owned in page {
                guard !Task.isCancelled else { throw ObjectStoreError(.closed, "the task was cancelled") }
                switch try await add(owned) {
                case .kept: summary.kept += 1
                case .missing: summary.missing += 1
                case .added:
                    summary.added += 1
                    summary.addedBytes += owned.size
                }
            }
            whenAdvanced(summary)
        }
    }

    private enum Outcome { case added, kept, missing }

    private func add(_ owned: OwnedFile) async throws(ObjectStoreError) -> Outcome {
        let (source, target, calls) = (access.files, target, calls)
        let place = target.contentPath(owned.file)
        let copiesBytes = copiesBytes
        let linked = try await target.run { () throws(ObjectStoreError) -> Outcome? in
            do throws(Errno) {
                if try calls.size(of: place) == owned.size { return .kept }
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

    /// Puts the new index in the place of the old one, once all that it names is on the disk.
    private func publish(_ newIndex: String) async throws(ObjectStoreError) {
        let (target, calls, directory) = (target, calls, directory)
        try await target.run { () throws(ObjectStoreError) in
            do throws(Errno) {
                for folder in 0..<256 { try calls.synchronizeDirectory(target.folderPath(folder)) }
                try calls.open(newIndex, O_RDONLY).synchronize()
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
    private func prune(by copy: DurableDatabase, _ summary: inout Summary) async throws(ObjectStoreError) {
        let target = target
        for folder in 0..<256 {
            let names = try await target.run { () throws(ObjectStoreError) in try target.contentNames(folder) }
            let ids = names.compactMap { ContentID($0) }
            let unknown: [ContentID]
            do {
                unknown = try await copy.read { database in
                    try ids.filter { try !ObjectIndex(database).isKnown($0) }
                }
            } catch {
                throw ObjectStoreError(index: error)
            }
            summary.removed += unknown.count
            try await target.run { () throws(ObjectStoreError) in for id in unknown { try target.remove(id) } }
        }
        whenAdvanced(summary)
    }
}
