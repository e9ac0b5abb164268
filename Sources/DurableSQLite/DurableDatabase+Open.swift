import GRDB
import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

extension DurableDatabase {
    /// Opens the database at `path`, makes the file where it is missing, and brings its schema up to `steps`.
    ///
    /// - `steps`: all steps since the first version, oldest first. Those that the file has had are skipped.
    /// - `busyTimeout`: how long a statement waits for another process that holds the file.
    /// - `maximumReaders`: how many reads run at once; further ones wait.
    /// - `observer`: sees the transactions.
    /// - `aroundLogSync`: for tests of what happens when the disk fails.
    ///
    /// - Throws: `newerVersion` before anything is touched; `corrupt`, `io`, `busy`, `full`.
    package static func open(
        at path: String,
        steps: [SchemaStep],
        durability: Durability = .always,
        busyTimeout: Duration = .seconds(5),
        maximumReaders: Int = 5,
        observer: (any CommitObserver)? = nil,
        syncInterval: Duration = syncInterval,
        aroundLogSync: AroundLogSync? = nil
    ) async throws(DurableSQLiteError) -> DurableDatabase {
        let settings = OpenSettings(durability, busyTimeout: busyTimeout, maximumReaders: maximumReaders)
        let result = await BlockingWork.run { () -> Result<DatabasePool, DurableSQLiteError> in
            do throws(DurableSQLiteError) {
                return .success(try settings.open(path, steps: steps, observer: observer))
            } catch {
                return .failure(error)
            }
        }
        return DurableDatabase(
            pool: try result.get(),
            logSync: durability == .batch ? LogSync(path: path, interval: syncInterval, around: aroundLogSync) : nil,
            observer: observer
        )
    }

    /// Opens the database at `path` for reading only, also while another process writes it.
    ///
    /// - `steps`: as in `open`; a file that has not had all of them is refused.
    ///
    /// - Throws: `newerVersion`, `olderVersion`, `corrupt`, `io`, `busy`.
    package static func openReadOnly(
        at path: String,
        steps: [SchemaStep],
        maximumReaders: Int = 2
    ) async throws(DurableSQLiteError) -> DurableDatabase {
        let settings = OpenSettings(.never, busyTimeout: .seconds(30), maximumReaders: maximumReaders, isReadOnly: true)
        let result = await BlockingWork.run { () -> Result<DatabasePool, DurableSQLiteError> in
            do throws(DurableSQLiteError) {
                return .success(try settings.openReadOnly(path, steps: steps))
            } catch {
                return .failure(error)
            }
        }
        return DurableDatabase(pool: try result.get())
    }

    /// A database in a temporary directory of its own, which goes when the object goes.
    ///
    /// For tests.
    ///
    /// - Throws: `io` and the like, as `open`.
    package static func temporary(steps: [SchemaStep]) async throws(DurableSQLiteError) -> DurableDatabase {
        let settings = OpenSettings(.never, busyTimeout: .seconds(5), maximumReaders: 5)
        let result = await BlockingWork.run { () -> Result<DurableDatabase, DurableSQLiteError> in
            do throws(DurableSQLiteError) {
                let directory = try Self.makeTemporaryDirectory()
                let pool = try settings.open(directory + "/database.sqlite", steps: steps)
                return .success(DurableDatabase(pool: pool) { Self.removeTemporaryDirectory(directory) })
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func makeTemporaryDirectory() throws(DurableSQLiteError) -> String {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/durable-sqlite-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw DurableSQLiteError(
                code: .io,
                message: "no temporary directory can be made in \(parent)",
                cause: Errno(rawValue: errno)
            )
        }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func removeTemporaryDirectory(_ directory: String) {
        // A name that is not there is as good as removed.
        for suffix in ["", "-wal", "-shm"] { unlink("\(directory)/database.sqlite\(suffix)") }
        rmdir(directory)
    }
}

/// How to open a file, and the blocking work of it.
private struct OpenSettings: Sendable {
    let durability: Durability
    let configuration: Configuration

    init(_ durability: Durability, busyTimeout: Duration, maximumReaders: Int, isReadOnly: Bool = false) {
        self.durability = durability
        var configuration = Configuration()
        configuration.readonly = isReadOnly
        configuration.foreignKeysEnabled = true
        configuration.busyMode = .timeout(busyTimeout / .seconds(1))
        configuration.maximumReaderCount = maximumReaders
        self.configuration = configuration
    }

    func open(
        _ path: String,
        steps: [SchemaStep],
        observer: (any CommitObserver)? = nil
    ) throws(DurableSQLiteError) -> DatabasePool {
        if let version = try SQLiteHeader.version(ofFileAt: path) { try checkKnown(version, steps, path) }
        do {
            let pool = try DatabasePool(path: path, configuration: configuration)
            try pool.writeWithoutTransaction { database in
                // After GRDB's own set-up, which asks for NORMAL: a commit in WAL mode must sync the log to
                // be durable.
                try database.execute(sql: "PRAGMA synchronous = \(synchronous)")
                // A log that a burst made long shrinks again at the next checkpoint.
                try database.execute(sql: "PRAGMA journal_size_limit = 67108864")
                try migrate(database, steps, path)
                try observer?.prepare(database)
            }
            if durability != .never { try synchronizeFolder(of: path) }
            return pool
        } catch let error as DatabaseError {
            throw DurableSQLiteError(error, path: path)
        } catch let error as DurableSQLiteError {
            throw error
        } catch {
            throw DurableSQLiteError(
                code: .misuse,
                message: "database \(path) cannot be opened",
                cause: error
            )
        }
    }

    /// SQLite's word for the durability, in WAL mode.
    private var synchronous: String {
        switch durability {
        case .always: "FULL"
        case .batch: "NORMAL"
        case .never: "OFF"
        }
    }

    func openReadOnly(_ path: String, steps: [SchemaStep]) throws(DurableSQLiteError) -> DatabasePool {
        do {
            let pool = try DatabasePool(path: path, configuration: configuration)
            let version = try pool.read { try Int.fetchOne($0, sql: "PRAGMA user_version") ?? 0 }
            try checkKnown(version, steps, path)
            guard version == steps.count else {
                throw DurableSQLiteError(
                    code: .olderVersion,
                    message:
                        "database \(path) has the older version \(version); start Apus on it once to bring it up to "
                        + "\(steps.count)"
                )
            }
            return pool
        } catch let error as DatabaseError {
            throw DurableSQLiteError(error, path: path)
        } catch let error as DurableSQLiteError {
            throw error
        } catch {
            throw DurableSQLiteError(code: .misuse, message: "database \(path) cannot be opened", cause: error)
        }
    }

    private func migrate(_ database: Database, _ steps: [SchemaStep], _ path: String) throws {
        let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        try checkKnown(version, steps, path)
        for (index, step) in steps.enumerated().dropFirst(version) {
            do {
                try database.inTransaction(.immediate) {
                    try step.apply(database)
                    try database.execute(sql: "PRAGMA user_version = \(index + 1)")
                    return .commit
                }
            } catch let error as DatabaseError {
                let known = DurableSQLiteError(error, path: path)
                throw DurableSQLiteError(
                    code: known.code,
                    message: "\(known.message) (schema step \(index + 1): \(step.name))",
                    cause: error
                )
            }
        }
    }

    /// Makes the names of the database's files durable.
    private func synchronizeFolder(of path: String) throws(DurableSQLiteError) {
        let folder = FilePath(path).removingLastComponent()
        do {
            let file = try FileDescriptor.open(
                folder.isEmpty ? "." : folder,
                .readOnly,
                options: [.directory, .closeOnExec]
            )
            try file.closeAfter { guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) } }
        } catch {
            throw DurableSQLiteError(code: .io, message: "the folder of \(path) cannot be synced", cause: error)
        }
    }

    private func checkKnown(_ version: Int, _ steps: [SchemaStep], _ path: String) throws(DurableSQLiteError) {
        guard version > steps.count else { return }
        throw DurableSQLiteError(
            code: .newerVersion,
            message:
                "database \(path) has version \(version); this program knows versions up to \(steps.count). "
                + "It was left as it is: start the newer program that made it"
        )
    }
}
