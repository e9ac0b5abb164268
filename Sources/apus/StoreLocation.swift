import ArgumentParser
import Cluster
import Model
import ObjectEngine
import Settings
import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Which store a command works on.
struct StoreLocation: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The data directory, or a backup of a store (default: that of \"apus serve\").",
            valueName: "dir"
        ),
        completion: .directory
    )
    var data: String?

    /// A store, and the lock on its data directory where that is free.
    struct Opened {
        /// The data directory around it; `nil` where there is none.
        let root: FilePath?
        let objects: FilePath
        /// Whether no server runs on it, nor can one start now.
        let isExclusive: Bool
        /// `nil` where it is no backup; never one that was not finished.
        let backup: BackupMarker.State?
        fileprivate let lock: SystemPackage.FileDescriptor

        fileprivate func close() { try? lock.close() }  // Closing a lock file cannot lose anything.
    }

    /// Finds the store, takes the lock, which is never waited for, and gives both to `body`.
    ///
    /// - Parameter makesNew: whether to make a data directory where there is none.
    func withPlace<T>(makesNew: Bool = false, _ body: (Opened) async throws -> T) async throws -> T {
        let place = try open(makesNew: makesNew)
        defer { place.close() }
        return try await body(place)
    }

    /// As `withPlace`, with the store open.
    ///
    /// - Parameter mayChange: whether the store is opened for changes where nobody else uses it.
    func withStore<T>(mayChange: Bool, _ body: (Opened, StoreAccess) async throws -> T) async throws -> T {
        try await withPlace { place in
            let access = try await StoreAccess.open(at: place.objects, isExclusive: mayChange && place.isExclusive)
            do {
                let value = try await body(place, access)
                await access.close()
                return value
            } catch {
                await access.close()
                throw error
            }
        }
    }

    private func open(makesNew: Bool) throws -> Opened {
        let named = FilePath(try data ?? Self.standard()).madeAbsolute
        let objects = named.appending("objects")
        if Self.hasFile(objects, "index.sqlite") { return try Self.lock(named, objects, around: named) }
        // Who names the folder `objects` within a data directory means the same store as its server.
        let around = named.removingLastComponent()
        if Self.hasFile(around, "lock"), around.appending("objects") == named {
            return try Self.lock(around, named, around: around)
        }
        // A store without a data directory has no server.
        if Self.hasFile(named, "index.sqlite") { return try Self.lock(named, named, around: nil) }
        if !makesNew {
            // Only a backup that was never finished has no store; everything else is left as it is.
            guard Self.hasFile(named, BackupMarker.name) else {
                throw ObjectStoreError(
                    .noStore, "there is no object store in \(named); name its directory with --data")
            }
        } else {
            for folder in [named, objects] {
                guard mkdir(folder.string, 0o700) == 0 || errno == EEXIST else { throw Errno(rawValue: errno) }
            }
        }
        return try Self.lock(named, objects, around: named)
    }

    private static func hasFile(_ folder: FilePath, _ name: String) -> Bool {
        access(folder.appending(name).string, F_OK) == 0
    }

    /// Takes the lock of a directory, and looks whether it is a backup.
    private static func lock(_ folder: FilePath, _ objects: FilePath, around root: FilePath?) throws -> Opened {
        let lock = try SystemPackage.FileDescriptor.open(
            folder.appending("lock"),
            .readWrite,
            options: [.create, .closeOnExec],
            permissions: .ownerReadWrite
        )
        let isExclusive = flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0
        do {
            let marker = try BackupMarker.read(folder)
            guard marker == nil || isExclusive else {
                throw ClusterError(
                    code: .dataDirectory,
                    message:
                        "\(folder) is a backup that is being written, or read by another \"apus store\"; wait for its end"
                )
            }
            try marker?.requireWhole(folder)
            return Opened(
                root: root, objects: objects, isExclusive: isExclusive, backup: marker?.state, lock: lock)
        } catch {
            try? lock.close()  // Closing a lock file cannot lose anything.
            throw error
        }
    }

    /// What `apus serve` uses when nobody says otherwise.
    private static func standard() throws -> String {
        let environment = ServeCommand.environment()
        let values = try SettingValues(flags: [:], environment: environment, file: nil)
        return try ServeSettings(values, machine: .current, environment: environment).data
    }
}
