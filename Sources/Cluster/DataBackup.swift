import Identity
package import ObjectEngine
import StateStore
package import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A backup of a whole data directory, made beside the server: a directory that `apus serve --data` can be started on.
///
/// The state is copied before the index of the object store, and that before anything takes the place of the last backup. So
/// the pair is one from which a start goes on as after a crash (`docs/object-store.md` tells why):
///
/// - An event that the copied state has not routed yet is in the copied index, or its object is not: events leave the
///   index only when they were routed, and none leaves while the backup goes on (`StoreBackup.hold`).
/// - A job that the copied state says has ended has its results in the copied index, which is later. One that it says has
///   not ended yet runs again, which jobs must bear anyway.
package struct DataBackup: Sendable {
    /// What a backup did.
    package struct Summary: Sendable {
        package var store: StoreBackup.Summary
        /// Files of events and results that waiting jobs need.
        package var waiting = 0
        /// Those that were not there.
        package var missing = 0
        /// Whether there was more than an object store to copy.
        package var hasState = false
    }

    /// Small files that are copied as they are.
    private static let smallFiles = [
        "VERSION", "credentials.json", "allowed-images.json", Vault.fileName, SelfSignedCertificate.certificateName,
        SelfSignedCertificate.keyName,
    ]
    /// Larger ones are none of ours; in bytes.
    private static let smallFileLimit = 4 << 20

    let source: FilePath?
    let destination: FilePath
    let copiesBytes: Bool
    private let access: StoreAccess
    private let whenAdvanced: @Sendable (StoreBackup.Summary) -> Void

    /// - Parameters:
    ///   - source: the data directory; `nil` for an object store that has none around it.
    ///   - access: its object store.
    ///   - destination: a directory that is missing, empty, or a backup that was made there.
    ///   - copiesBytes: as of `StoreBackup`.
    package init(
        of source: FilePath?,
        store access: StoreAccess,
        to destination: FilePath,
        copiesBytes: Bool,
        whenAdvanced: @escaping @Sendable (StoreBackup.Summary) -> Void = { _ in }
    ) {
        self.source = source
        self.access = access
        self.destination = destination
        self.copiesBytes = copiesBytes
        self.whenAdvanced = whenAdvanced
    }

    static func newState(in root: FilePath) -> FilePath { root.appending("state.sqlite.new") }

    /// Removes what a run that was broken off was still writing.
    ///
    /// Blocks.
    static func removeUnfinished(_ root: FilePath) throws {
        for folder in [root, root.appending("objects")] {
            for entry in try Folder.entries(folder) where entry.isRegularFile && isUnfinished(entry.name) {
                try Folder.removeFile(entry.path)
            }
        }
    }

    /// Whether a file has the name of one of ours that is not whole yet.
    private static func isUnfinished(_ name: String) -> Bool {
        let files = smallFiles + [BackupMarker.name, "state.sqlite", "index.sqlite"]
        return name.contains(".new") && files.contains { name.hasPrefix("\($0).") }
    }

    /// Makes the backup.
    ///
    /// Where it breaks off, the last backup is as it was, but for content that is not needed yet; unless that was in the short moment
    /// of taking its place.
    ///
    /// - Throws: `ClusterError` with `dataDirectory` where the destination is not ours to write to or in use; `ObjectStoreError`,
    ///   `StateStoreError`; errors of the system.
    package func run() async throws -> Summary {
        let place = try await Folder.offload { [destination] in try Place.claim(destination) }
        defer { place.close() }
        let store = StoreBackup(
            access,
            to: destination.appending("objects"),
            copiesBytes: copiesBytes,
            whenAdvanced: whenAdvanced
        )
        do {
            let summary = try await run(store, in: place)
            await store.close()
            return summary
        } catch {
            await store.close()
            throw error
        }
    }

    private func run(_ store: StoreBackup, in place: Place) async throws -> Summary {
        try await store.hold()
        var summary = Summary(store: store.summary)
        let state = try await copyState(&summary)
        do {
            try await store.copy()
            try await Folder.offload { [self] in
                try copySmallFiles()
                try place.set(.unfinished)
                try publishState(state != nil)
            }
            try await store.publish()
            try await Folder.offload { try place.set(.updating) }
            try await store.prune()
            try await pruneWaiting(by: state)
            try await Folder.offload { try place.set(.finished) }
        } catch {
            await state?.close()
            throw error
        }
        await state?.close()
        summary.store = store.summary
        return summary
    }

    private func copySmallFiles() throws {
        guard let source else { return }
        for name in Self.smallFiles {
            let target = destination.appending(name)
            guard let text = try Folder.readSmallFile(source.appending(name), limit: Self.smallFileLimit) else {
                try Folder.removeFile(target)
                continue
            }
            try Folder.writeDurably(target, text, mode: 0o600)
        }
    }

    private func publishState(_ isThere: Bool) throws {
        let state = destination.appending("state.sqlite")
        // Of a state that somebody looked into; the copy needs none.
        for suffix in ["-wal", "-shm"] { try Folder.removeFile(FilePath(state.string + suffix)) }
        guard isThere else { return try Folder.removeFile(state) }
        guard rename(Self.newState(in: destination).string, state.string) == 0 else { throw Errno(rawValue: errno) }
        try Folder.synchronize(destination)
    }

    /// The destination, held against others.
    private struct Place: Sendable {
        let root: FilePath
        let lock: FileDescriptor

        static func claim(_ root: FilePath) throws -> Place {
            try Folder.make(root)
            // Before the lock, which is a file: somebody else's directory is left as it is.
            try requireOurs(root)
            guard case .taken(let lock) = try DataDirectory.takeLock(root) else {
                throw refusal("\(root) is in use: a server runs on it, or another \"apus store\" works there")
            }
            let place = Place(root: root, lock: lock)
            do {
                try place.mark()
                return place
            } catch {
                place.close()
                throw error
            }
        }

        /// Makes sure that the directory is ours to write to, and says that a backup is under way.
        private func mark() throws {
            if let marker = try BackupMarker.read(root) {
                guard try marker.isMade(in: root) else {
                    throw Self.refusal(
                        "\(root) is a copy of a backup, or was made by an older version; name another directory")
                }
                try DataBackup.removeUnfinished(root)
                return try set(marker.state == .unfinished ? .unfinished : .updating)
            }
            try Self.requireOurs(root)
            try DataBackup.removeUnfinished(root)
            try set(.unfinished)
        }

        private static func requireOurs(_ root: FilePath) throws {
            // A run that was killed at its very begin leaves these.
            let isOurs = try Folder.entries(root).allSatisfy {
                $0.name == DataDirectory.lockName || $0.name.hasPrefix(BackupMarker.name)
            }
            guard try isOurs || BackupMarker.read(root) != nil else {
                throw refusal("\(root) is neither empty nor a backup; name another directory")
            }
        }

        func set(_ state: BackupMarker.State) throws { try BackupMarker(state, in: root).write(to: root) }

        func close() { DataDirectory.release(lock) }

        private static func refusal(_ message: String) -> ClusterError {
            ClusterError(code: .dataDirectory, message: message)
        }
    }
}
