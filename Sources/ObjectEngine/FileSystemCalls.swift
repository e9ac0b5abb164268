import DurableSQLite
import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

// The plain functions, under names that methods of the same name do not hide.
private let systemLink = link(_:_:)
private let systemRename = rename(_:_:)

/// The calls that work on names: all of the store's way to the disk goes through here and `OpenFile`.
struct FileSystemCalls: Sendable {
    /// The operating system, with nothing in between.
    static let real = FileSystemCalls(probe: nil)

    /// What the tests put in between; `nil` costs a comparison.
    let probe: (any FileSystemProbe)?

    /// - Throws: the error number of `open(2)`.
    func open(_ path: String, _ flags: CInt, permissions: mode_t = 0o600) throws(Errno) -> OpenFile {
        try step(flags & O_CREAT != 0 ? .create(path: path) : .open(path: path)) { () throws(Errno) in
            try OpenFile(path, flags, permissions: permissions, probe: probe)
        }
    }

    /// Gives a file a second name.
    func link(_ path: String, _ newPath: String) throws(Errno) {
        try step(.link(path: path, newPath: newPath)) { () throws(Errno) in
            guard systemLink(path, newPath) != 0 else { return }
            throw Errno(rawValue: errno)
        }
    }

    /// Gives a file another name; one that had it is replaced.
    func rename(_ path: String, _ newPath: String) throws(Errno) {
        try step(.rename(path: path, newPath: newPath)) { () throws(Errno) in
            guard systemRename(path, newPath) != 0 else { return }
            throw Errno(rawValue: errno)
        }
    }

    /// Removes a name; that it is not there is success.
    func remove(_ path: String) throws(Errno) {
        try step(.remove(path: path)) { () throws(Errno) in
            guard unlink(path) != 0, errno != ENOENT else { return }
            throw Errno(rawValue: errno)
        }
    }

    /// Makes a directory; that it is there is success.
    ///
    /// - Returns: whether it was made now.
    @discardableResult
    func makeDirectory(_ path: String) throws(Errno) -> Bool {
        try step(.makeDirectory(path: path)) { () throws(Errno) in
            if mkdir(path, 0o700) == 0 { return true }
            guard errno == EEXIST else { throw Errno(rawValue: errno) }
            return false
        }
    }

    /// Makes a directory's entries durable.
    func synchronizeDirectory(_ path: String) throws(Errno) {
        try step(.synchronizeDirectory(path: path)) { () throws(Errno) in
            try OpenFile(path, O_RDONLY | O_DIRECTORY, permissions: 0, probe: nil).synchronize()
        }
    }

    /// The names in a directory, without `.` and `..`, in no order.
    func entries(of path: String) throws(Errno) -> [String] {
        guard let stream = opendir(path) else { throw Errno(rawValue: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// The size of the file of that name, in bytes; `nil` where there is none.
    func size(of path: String) throws(Errno) -> Int64? {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            guard errno == ENOENT else { throw Errno(rawValue: errno) }
            return nil
        }
        return Int64(status.st_size)
    }

    /// Has the probe see the syncs of the index's log too; `nil` where there is none.
    var aroundLogSync: DurableDatabase.AroundLogSync? {
        guard let probe else { return nil }
        return { path, sync in
            _ = try probe.willDo(.synchronize(path: path))
            try sync()
            probe.didDo(.synchronize(path: path))
        }
    }

    /// To be called before a transaction of the index.
    ///
    /// - Throws: `io`, on behalf of a probe.
    func willTransact() throws(ObjectStoreError) {
        guard let probe else { return }
        do throws(Errno) {
            _ = try probe.willDo(.beginTransaction)
        } catch {
            throw ObjectStoreError(error, "cannot write the index")
        }
    }

    /// To be called after a transaction of the index, before anybody is told.
    ///
    /// - Throws: `io`, on behalf of a probe.
    func didTransact() throws(ObjectStoreError) {
        guard let probe else { return }
        do throws(Errno) {
            _ = try probe.willDo(.endTransaction)
        } catch {
            // Not `storageFull`: that says for certain that nothing was kept.
            throw ObjectStoreError(.io, "cannot write the index", cause: error)
        }
        probe.didDo(.endTransaction)
    }

    private func step<T>(_ step: @autoclosure () -> FileSystemStep, _ body: () throws(Errno) -> T) throws(Errno) -> T {
        guard let probe else { return try body() }
        let step = step()
        _ = try probe.willDo(step)
        let value = try body()
        probe.didDo(step)
        return value
    }
}
