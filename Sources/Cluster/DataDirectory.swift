import Model
package import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The one directory that holds all of a cluster's state, and the lock that keeps a second program out of it.
///
///     VERSION           format of this directory
///     BACKUP            only in a backup: whether it was finished (`BackupMarker`)
///     boot-id           which start of the machine the cluster ran under last
///     lock              held with flock(2) while a cluster runs; names its process
///     credentials.json  the administrator's password and S3 keys
///     state.sqlite      services, jobs and their attempts, deliveries
///     objects/          the object store
///     images/           root file systems of containers
///     services/NAME/V/  script and configuration of version V of a service
///     work/             folders of invocations under way
///     instances/        folders of warm instances
///     volumes/ID/data   the files of a volume
///     mounts/SERVICE/   what services see of the buckets that they mount
///     deliveries/JOB/   results that wait for another cluster
///     events/           events of waiting jobs that are too large for the database
///     logs/SERVICE/     one log an attempt
package struct DataDirectory: Sendable {
    /// Format of the directory; a directory with a higher number is left untouched.
    package static let version = 1

    package let root: FilePath
    private let lock: FileDescriptor

    package var stateFile: FilePath { root.appending("state.sqlite") }
    package var objects: FilePath { root.appending("objects") }
    package var images: FilePath { root.appending("images") }
    package var services: FilePath { root.appending("services") }
    package var work: FilePath { root.appending("work") }
    /// On the file system of `work`: folders go from one to the other by renaming.
    package var instances: FilePath { root.appending("instances") }
    package var volumes: FilePath { root.appending("volumes") }
    package var mounts: FilePath { root.appending("mounts") }
    package var deliveries: FilePath { root.appending("deliveries") }
    package var events: FilePath { root.appending("events") }
    package var logs: FilePath { root.appending("logs") }

    /// Makes the directory where it is missing, locks it, and checks its format.
    ///
    /// Blocks; call it before anything is served.
    ///
    /// - Throws: `ClusterError` with `dataDirectory`: another program holds it, a newer version made it, or it cannot be written.
    package static func open(at root: FilePath) throws(ClusterError) -> DataDirectory {
        do {
            try Folder.make(root, mode: 0o700)
            // Before the lock, which writes: a newer version's directory is left as it is.
            try checkVersion(root)
            let directory = DataDirectory(root: root, lock: try takeOwnLock(root))
            do {
                // Before anything is written: what is not whole is left as it is.
                try BackupMarker.adopt(root)
                try directory.prepare()
                return directory
            } catch {
                directory.close()
                throw error
            }
        } catch let error as ClusterError {
            throw error
        } catch {
            throw ClusterError(
                code: .dataDirectory,
                message: "the data directory \(root) cannot be used; choose another one with --data",
                cause: error
            )
        }
    }

    private func prepare() throws {
        if try !Self.checkVersion(root) {
            try Folder.writeDurably(root.appending("VERSION"), "\(Self.version)\n", mode: 0o600)
        }
        for folder in [objects, images, services, work, instances, volumes, mounts, deliveries, events, logs] {
            try Folder.make(folder, mode: 0o700)
        }
    }

    /// Whether the machine was started anew since the last call on this directory: what was not synced then may be gone.
    ///
    /// Blocks. A machine that has no boot identifier (`random(4)`, Linux) counts as not started anew.
    func machineWasRestarted() throws -> Bool {
        guard let current = try Folder.readSmallFile("/proc/sys/kernel/random/boot_id") else { return false }
        let file = root.appending("boot-id")
        let previous = try Folder.readSmallFile(file)
        if previous != current { try Folder.writeDurably(file, current, mode: 0o600) }
        return previous != nil && previous != current
    }

    /// Gives the lock back.
    package func close() { Self.release(lock) }

    // MARK: The lock

    static let lockName = "lock"

    /// What came of asking for the lock.
    enum LockOutcome {
        case taken(FileDescriptor)
        /// The process that has it, empty where that is not known.
        case held(by: String)
    }

    /// Takes the lock of a directory where it is free.
    ///
    /// Blocks, but not on the lock.
    static func takeLock(_ root: FilePath) throws -> LockOutcome {
        let lock = try FileDescriptor.open(
            root.appending(lockName),
            .readWrite,
            options: [.create, .closeOnExec],
            permissions: FilePermissions(rawValue: 0o600)
        )
        guard flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            var bytes = [UInt8](repeating: 0, count: 32)
            let count = (try? bytes.withUnsafeMutableBytes { try lock.read(fromAbsoluteOffset: 0, into: $0) }) ?? 0
            try? lock.close()
            return .held(by: String(decoding: bytes.prefix(count), as: UTF8.self).filter { $0.isNumber })
        }
        try lock.resize(to: 0)
        try lock.writeAll(toAbsoluteOffset: 0, "\(getpid())\n".utf8)
        return .taken(lock)
    }

    /// Gives a lock back.
    static func release(_ lock: FileDescriptor) {
        // Said, because a child that was just forked may hold a copy of the descriptor until it runs its program.
        flock(lock.rawValue, LOCK_UN)
        try? lock.close()  // Closing a lock file cannot lose anything.
    }

    private static func takeOwnLock(_ root: FilePath) throws -> FileDescriptor {
        switch try takeLock(root) {
        case .taken(let lock): return lock
        case .held(let holder):
            let user = try BackupMarker.read(root) == nil ? "another Apus" : "\"apus store\": it is a backup"
            throw ClusterError(
                code: .dataDirectory,
                message: "the data directory \(root) is in use by \(user)"
                    + (holder.isEmpty ? "" : " (process \(holder))") + "; stop it, or choose another one with --data"
            )
        }
    }

    /// Answers whether the directory says its format, and refuses one that this program does not know.
    @discardableResult
    private static func checkVersion(_ root: FilePath) throws -> Bool {
        let path = root.appending("VERSION")
        guard let text = try Folder.readSmallFile(path) else { return false }
        guard let found = Int(text.filter { !$0.isWhitespace }) else {
            throw ClusterError(code: .dataDirectory, message: "\(path) does not hold a version number")
        }
        guard found <= version else {
            throw ClusterError(
                code: .dataDirectory,
                message: "the data directory \(root) has format \(found), made by a newer Apus; this one knows up to "
                    + "\(version). Nothing was changed. Install the newer version, or choose another directory"
            )
        }
        return true
    }
}
