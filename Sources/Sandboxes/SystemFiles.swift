import Glibc
import NIOPosix
import SystemPackage

/// Small, blocking file operations.
///
/// From async code only through `offload`, but for the pseudo files of the kernel and for making or finding single files,
/// which do not wait for a disk.
enum SystemFiles {
    /// Runs blocking work on the shared thread pool.
    static func offload<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        // In a task of its own, awaited here: the pool drops work of a cancelled task, and what is begun must be finished.
        try await Task { try await NIOThreadPool.singleton.runIfActive(work) }.value
    }

    /// Writes the text to an existing file in one call, as the kernel's pseudo files want it.
    static func put(_ text: String, into path: FilePath) throws(Errno) {
        let descriptor = path.withPlatformString { open($0, O_WRONLY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
        defer { close(descriptor) }
        let count = text.utf8.count
        guard text.withCString({ write(descriptor, $0, count) }) == count else { throw Errno(rawValue: errno) }
    }

    /// The text of a small file, or `nil` where it cannot be read.
    static func text(_ path: FilePath, limit: Int = 1 << 20) -> String? {
        bytes(path, limit: limit).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The first bytes of a file, or `nil` where it cannot be read.
    static func bytes(_ path: FilePath, limit: Int) -> [UInt8]? {
        guard let descriptor = try? FileDescriptor.open(path, .readOnly) else { return nil }
        defer { try? descriptor.close() }  // read only: nothing can be lost
        var out: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while out.count < limit {
            let count = buffer.withUnsafeMutableBytes { (try? descriptor.read(into: $0)) ?? 0 }
            guard count > 0 else { break }
            out.append(contentsOf: buffer.prefix(count))
        }
        return out
    }

    static func integer(_ path: FilePath) -> Int64? {
        text(path).flatMap { Int64($0.split(whereSeparator: \.isWhitespace).first ?? "") }
    }

    /// The value after `key ` in a file of `key value` lines.
    static func integer(_ path: FilePath, key: String) -> Int64? {
        guard let text = text(path) else { return nil }
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == key { return Int64(words[1]) }
        }
        return nil
    }

    static func makeDirectory(_ path: FilePath, mode: mode_t = 0o755) throws(Errno) {
        guard path.withPlatformString({ mkdir($0, mode) }) == 0 || errno == EEXIST else { throw Errno(rawValue: errno) }
    }

    /// Makes the directory and those above it that are missing.
    static func makeDirectories(_ path: FilePath, mode: mode_t = 0o755) throws(Errno) {
        if exists(path) { return }
        let parent = path.removingLastComponent()
        if parent != path, !parent.isEmpty { try makeDirectories(parent, mode: mode) }
        try makeDirectory(path, mode: mode)
    }

    static func exists(_ path: FilePath) -> Bool { path.withPlatformString { access($0, F_OK) } == 0 }

    static func isExecutable(_ path: FilePath) -> Bool { path.withPlatformString { access($0, X_OK) } == 0 }

    static func changeMode(_ path: FilePath, _ mode: mode_t) throws(Errno) {
        guard path.withPlatformString({ chmod($0, mode) }) == 0 else { throw Errno(rawValue: errno) }
    }

    /// The names in a directory, without `.` and `..`, sorted; empty where it cannot be read.
    static func names(in path: FilePath) -> [String] {
        guard let directory = path.withPlatformString({ opendir($0) }) else { return [] }
        defer { closedir(directory) }
        return names(in: directory).sorted()
    }

    private static func names(in directory: OpaquePointer) -> [String] {
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Whether there is a directory at that path, symbolic links not followed.
    static func isDirectory(_ path: FilePath) -> Bool {
        var status = stat()
        return path.withPlatformString { lstat($0, &status) } == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Removes a file or a whole tree; symbolic links are removed, not followed.
    ///
    /// Safe also while somebody else replaces directories by links. Goes on after a failure.
    static func removeTree(_ path: FilePath) {
        guard let name = path.lastComponent?.string else { return }
        let parent = path.removingLastComponent()
        let directory = (parent.isEmpty ? FilePath(".") : parent).withPlatformString {
            open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        }
        guard directory >= 0 else { return }
        defer { close(directory) }
        remove(name, in: directory, depth: 0)
    }

    /// More than this is left to whoever made it; each level holds a descriptor.
    private static let deepest = 1000

    private static func remove(_ name: String, in parent: Int32, depth: Int) {
        if unlinkat(parent, name, 0) == 0 || errno == ENOENT || depth > deepest { return }
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        var directory = openat(parent, name, flags)
        if directory < 0, errno == EACCES {
            // A script may have taken our rights away; only who is not root needs them, and has no containers.
            fchmodat(parent, name, 0o700, 0)
            directory = openat(parent, name, flags)
        }
        guard directory >= 0 else { return }
        if geteuid() != 0 { fchmod(directory, 0o700) }
        for name in names(of: directory) { remove(name, in: directory, depth: depth + 1) }
        close(directory)
        _ = unlinkat(parent, name, AT_REMOVEDIR)
    }

    /// The names in an open directory, which stays open.
    private static func names(of directory: Int32) -> [String] {
        let copy = fcntl(directory, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0, let stream = fdopendir(copy) else {
            if copy >= 0 { close(copy) }
            return []
        }
        defer { closedir(stream) }
        return names(in: stream)
    }

    /// Replaces a file durably: temporary file, sync, rename, sync directory.
    static func replace(_ path: FilePath, with bytes: [UInt8]) throws {
        let temporary = FilePath(path.string + ".new")
        let descriptor = try FileDescriptor.open(
            temporary, .writeOnly, options: [.create, .truncate], permissions: FilePermissions(rawValue: 0o600)
        )
        try descriptor.closeAfter {
            _ = try descriptor.writeAll(bytes)
            guard fsync(descriptor.rawValue) == 0 else { throw Errno(rawValue: errno) }
        }
        guard temporary.withPlatformString({ from in path.withPlatformString { rename(from, $0) } }) == 0 else {
            throw Errno(rawValue: errno)
        }
        let directory = try FileDescriptor.open(path.removingLastComponent(), .readOnly, options: .directory)
        try directory.closeAfter { guard fsync(directory.rawValue) == 0 else { throw Errno(rawValue: errno) } }
    }

    /// The program of that name in the usual directories, or `nil`.
    static func program(_ name: String) -> FilePath? {
        let directories = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        return directories.lazy.map { FilePath($0).appending(name) }.first(where: isExecutable)
    }

    /// A short name that stands for a path, the same at every start: 64-bit FNV-1a in hexadecimal.
    static func shortName(of path: FilePath) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in path.string.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return String(hash, radix: 16)
    }
}
