import GRDBSQLite
import Glibc
import Synchronization

/// A layer between SQLite and the operating system (`sqlite3_vfs`), the default one of the whole test process: passes
/// everything on, but for the files in directories that an `IndexDisk` watches.
enum FaultySQLite {
    private static let disks = Mutex<[String: IndexDisk]>([:])

    static func watch(_ directory: String, _ disk: IndexDisk) {
        precondition(isInstalled)
        disks.withLock { $0[directory] = disk }
    }

    static func forget(_ directory: String) { disks.withLock { $0[directory] = nil } }

    static func disk(of path: String) -> IndexDisk? {
        guard let end = path.lastIndex(of: "/") else { return nil }
        return disks.withLock { $0[String(path[..<end])] }
    }

    private static let isInstalled: Bool = {
        guard let system = sqlite3_vfs_find(nil) else { return false }
        // Both live as long as the process.
        let layer = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
        layer.initialize(to: system.pointee)
        layer.pointee.pNext = nil
        layer.pointee.zName = UnsafePointer(strdup("faulty"))
        layer.pointee.szOsFile = Int32(WatchedFile.headerSize) + system.pointee.szOsFile
        layer.pointee.xOpen = { _, name, file, flags, outFlags in
            guard let file, let system = sqlite3_vfs_find("unix") else { return SQLITE_CANTOPEN }
            return WatchedFile.open(system, name, file, flags, outFlags)
        }
        layer.pointee.xDelete = { _, name, synchronizes in
            guard let name, let system = sqlite3_vfs_find("unix") else { return SQLITE_IOERR }
            let path = String(cString: name)
            guard let disk = disk(of: path) else { return system.pointee.xDelete(system, name, synchronizes) }
            guard case .goOn = disk.answer(to: .remove) else { return WatchedFile.deleteError }
            let result = system.pointee.xDelete(system, name, synchronizes)
            if result == SQLITE_OK { disk.removed(path) }
            return result
        }
        return sqlite3_vfs_register(layer, 1) == SQLITE_OK
    }()
}

/// A file of a watched directory: SQLite's view of it, with the system's own behind.
private struct WatchedFile {
    var base: sqlite3_file
    /// What `Unmanaged` holds, until the file is closed.
    var context: UnsafeMutableRawPointer?

    final class Context {
        let disk: IndexDisk
        let path: String

        init(_ disk: IndexDisk, _ path: String) { (self.disk, self.path) = (disk, path) }
    }

    static let headerSize = (MemoryLayout<WatchedFile>.stride + 15) / 16 * 16
    // Macros with arithmetic do not come to Swift (sqlite3.h, "Extended Result Codes").
    static let readError = SQLITE_IOERR | 1 << 8
    static let writeError = SQLITE_IOERR | 3 << 8
    static let synchronizeError = SQLITE_IOERR | 4 << 8
    static let truncateError = SQLITE_IOERR | 6 << 8
    static let deleteError = SQLITE_IOERR | 10 << 8

    static func open(
        _ system: UnsafeMutablePointer<sqlite3_vfs>,
        _ name: UnsafePointer<CChar>?,
        _ file: UnsafeMutablePointer<sqlite3_file>,
        _ flags: Int32,
        _ outFlags: UnsafeMutablePointer<Int32>?
    ) -> Int32 {
        let path = name.map { String(cString: $0) } ?? ""
        guard let disk = FaultySQLite.disk(of: path) else {
            return system.pointee.xOpen(system, name, file, flags, outFlags)
        }
        file.pointee.pMethods = nil
        guard case .goOn = disk.answer(to: .open) else { return SQLITE_CANTOPEN }
        disk.opened(path)
        let result = system.pointee.xOpen(system, name, real(file), flags, outFlags)
        guard result == SQLITE_OK else { return result }
        let watched = UnsafeMutableRawPointer(file).assumingMemoryBound(to: WatchedFile.self)
        watched.pointee.context = Unmanaged.passRetained(Context(disk, path)).toOpaque()
        file.pointee.pMethods = UnsafePointer(methods)
        return result
    }

    private static func real(_ file: UnsafeMutablePointer<sqlite3_file>?) -> UnsafeMutablePointer<sqlite3_file>? {
        file.map { UnsafeMutableRawPointer($0).advanced(by: headerSize).assumingMemoryBound(to: sqlite3_file.self) }
    }

    /// The system's methods for a file.
    private static func call(
        _ file: UnsafeMutablePointer<sqlite3_file>?,
        _ body: (sqlite3_io_methods, UnsafeMutablePointer<sqlite3_file>) -> Int32
    ) -> Int32 {
        guard let real = real(file), let methods = real.pointee.pMethods else { return SQLITE_IOERR }
        return body(methods.pointee, real)
    }

    private static func context(_ file: UnsafeMutablePointer<sqlite3_file>?) -> Context? {
        guard let file else { return nil }
        let watched = UnsafeMutableRawPointer(file).assumingMemoryBound(to: WatchedFile.self)
        return watched.pointee.context.map { Unmanaged<Context>.fromOpaque($0).takeUnretainedValue() }
    }

    // Written once, here, and never changed: SQLite only reads it.
    nonisolated(unsafe) private static let methods: UnsafeMutablePointer<sqlite3_io_methods> = {
        var methods = sqlite3_io_methods()
        // Without memory mapping of the database, so that every read is seen.
        methods.iVersion = 2
        methods.xClose = { file in
            let result = call(file) { $0.xClose($1) }
            if let file {
                let watched = UnsafeMutableRawPointer(file).assumingMemoryBound(to: WatchedFile.self)
                if let context = watched.pointee.context { Unmanaged<Context>.fromOpaque(context).release() }
                watched.pointee.context = nil
            }
            return result
        }
        addContents(to: &methods)
        methods.xLock = { file, level in call(file) { $0.xLock($1, level) } }
        methods.xUnlock = { file, level in call(file) { $0.xUnlock($1, level) } }
        methods.xCheckReservedLock = { file, result in call(file) { $0.xCheckReservedLock($1, result) } }
        methods.xFileControl = { file, operation, argument in call(file) { $0.xFileControl($1, operation, argument) } }
        methods.xSectorSize = { file in call(file) { $0.xSectorSize($1) } }
        methods.xDeviceCharacteristics = { file in call(file) { $0.xDeviceCharacteristics($1) } }
        methods.xShmMap = { file, page, size, extend, result in
            call(file) { $0.xShmMap($1, page, size, extend, result) }
        }
        methods.xShmLock = { file, offset, count, flags in call(file) { $0.xShmLock($1, offset, count, flags) } }
        methods.xShmBarrier = { file in
            _ = call(file) { methods, real in
                methods.xShmBarrier(real)
                return SQLITE_OK
            }
        }
        methods.xShmUnmap = { file, delete in call(file) { $0.xShmUnmap($1, delete) } }
        // Lives as long as the process.
        let pointer = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
        pointer.initialize(to: methods)
        return pointer
    }()

    private static func addContents(to methods: inout sqlite3_io_methods) {
        methods.xRead = { file, bytes, count, offset in
            guard let context = WatchedFile.context(file), case .goOn = context.disk.answer(to: .read) else {
                return WatchedFile.readError
            }
            return WatchedFile.call(file) { $0.xRead($1, bytes, count, offset) }
        }
        methods.xWrite = { file, bytes, count, offset in
            guard let context = WatchedFile.context(file), let bytes else { return WatchedFile.writeError }
            let result: Int32
            var written = count
            switch context.disk.answer(to: .write) {
            case .goOn: result = SQLITE_OK
            case .writeHalf: (result, written) = (SQLITE_FULL, count / 2)
            case .sayFull: return SQLITE_FULL
            case .fail: return WatchedFile.writeError
            }
            let real = WatchedFile.call(file) { $0.xWrite($1, bytes, written, offset) }
            guard real == SQLITE_OK else { return real }
            let content = UnsafeRawBufferPointer(start: bytes, count: Int(written))
            context.disk.wrote(content, to: context.path, at: Int(offset))
            return result
        }
        methods.xTruncate = { file, size in
            guard let context = WatchedFile.context(file), case .goOn = context.disk.answer(to: .truncate) else {
                return WatchedFile.truncateError
            }
            let result = WatchedFile.call(file) { $0.xTruncate($1, size) }
            if result == SQLITE_OK { context.disk.truncated(context.path, to: Int(size)) }
            return result
        }
        methods.xSync = { file, flags in
            guard let context = WatchedFile.context(file) else { return WatchedFile.synchronizeError }
            let place = context.disk.place(in: context.path)
            guard case .goOn = context.disk.answer(to: .synchronize) else {
                context.disk.failedToSynchronize(context.path)
                return WatchedFile.synchronizeError
            }
            let result = WatchedFile.call(file) { $0.xSync($1, flags) }
            if result == SQLITE_OK { context.disk.synchronized(context.path, through: place) }
            return result
        }
        methods.xFileSize = { file, size in WatchedFile.call(file) { $0.xFileSize($1, size) } }
    }
}
