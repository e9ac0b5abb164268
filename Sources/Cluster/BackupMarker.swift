package import SystemPackage

#if canImport(CoreFoundation)
// Where some dependency brings it along, `stat` is taken for one of its declarations, or not, as files come to be compiled.
import CoreFoundation
#endif
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The file `BACKUP` that says of a directory that it is a backup of a data directory, and whether it can be used.
///
/// It is the first that a backup writes and the last that it changes. It goes when a server is started on the directory: that
/// is a cluster of its own then.
package struct BackupMarker: Sendable, Equatable {
    package enum State: String, Sendable, CaseIterable {
        /// Never finished, or broken off in the moment in which one backup took the place of another: of no use.
        case unfinished
        /// Whole. Beside it may lie what a later run brought that was broken off.
        case updating
        /// Whole, and nothing else is there.
        case finished
    }

    /// Of the file.
    package static let name = "BACKUP"
    /// A longer file is none of ours; in bytes.
    private static let limit = 16 << 10

    package var state: State
    /// Which directory it was made in: the number of the lock's file, and the path.
    ///
    /// A copy of the directory has another number, and, unless it took the place of the first one, another path.
    private let identity: UInt64
    private let path: String

    /// The marker for a directory that has its lock already.
    init(_ state: State, in root: FilePath) throws {
        self.state = state
        identity = try Self.identity(of: root)
        path = root.string
    }

    /// That of a directory; `nil` where it is no backup.
    ///
    /// Blocks.
    ///
    /// - Throws: `ClusterError` with `dataDirectory` where it cannot be read.
    package static func read(_ root: FilePath) throws(ClusterError) -> BackupMarker? {
        let file = root.appending(name)
        do {
            guard let text = try Folder.readSmallFile(file, limit: limit) else { return nil }
            guard let marker = BackupMarker(text: text) else {
                throw ClusterError(
                    code: .dataDirectory,
                    message: "\(file) says nothing that this version knows; use the version that made the backup"
                )
            }
            return marker
        } catch let error as ClusterError {
            throw error
        } catch {
            throw ClusterError(code: .dataDirectory, message: "\(file) cannot be read", cause: error)
        }
    }

    /// Refuses a backup that cannot be used.
    ///
    /// - Throws: `ClusterError` with `dataDirectory`.
    package func requireWhole(_ root: FilePath) throws(ClusterError) {
        guard state == .unfinished else { return }
        throw ClusterError(
            code: .dataDirectory,
            message: "the backup in \(root) was not finished, so it cannot be used; run \"apus store backup\" again"
        )
    }

    /// Whether the directory is the one that it was made in, and not a copy of that.
    func isMade(in root: FilePath) throws -> Bool {
        guard !path.isEmpty else { return false }
        return try path == root.string || identity == Self.identity(of: root)
    }

    /// Replaces the file, durably.
    ///
    /// Blocks.
    func write(to root: FilePath) throws {
        try Folder.writeDurably(root.appending(Self.name), text, mode: 0o600)
    }

    /// Makes a whole backup a data directory like any other, before it is changed.
    ///
    /// Blocks.
    ///
    /// - Throws: `ClusterError` with `dataDirectory` where it is not whole; errors of the system.
    static func adopt(_ root: FilePath) throws {
        guard let marker = try read(root) else { return }
        try marker.requireWhole(root)
        try DataBackup.removeUnfinished(root)
        try Folder.removeFile(root.appending(name))
        try Folder.synchronize(root)
    }

    // MARK: Text

    var text: String { "\(state.rawValue)\n\(identity) \(path)\n" }

    init?(text: String) {
        // What the first version wrote, whose backups held the object store alone.
        guard !text.isEmpty else {
            (state, identity, path) = (.finished, 0, "")
            return
        }
        let parts = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let state = State(rawValue: String(parts[0])), parts[1].last == "\n" else { return nil }
        let words = parts[1].dropLast().split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        guard words.count == 2, let identity = UInt64(words[0]), words[1].hasPrefix("/") else { return nil }
        (self.state, self.identity, path) = (state, identity, String(words[1]))
    }

    private static func identity(of root: FilePath) throws -> UInt64 {
        var status = stat()
        guard stat(root.appending(DataDirectory.lockName).string, &status) == 0 else { throw Errno(rawValue: errno) }
        return UInt64(status.st_ino)
    }
}
