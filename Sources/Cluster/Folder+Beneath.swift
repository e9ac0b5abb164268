import SystemPackage

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

/// Files in a folder that programs may change at any moment: each step of the way is taken from the folder before it, so that
/// no link, whenever it is put there, leads out.
extension Folder {
    /// Calls `body` with the open folder that a file is in.
    ///
    /// - Parameters:
    ///   - name: relative to `top`, with `/` between the parts.
    ///   - isMaking: whether folders that are missing are made, open to every user.
    /// - Returns: `nil` where something on the way is no folder, or missing.
    private static func withFolder<T>(
        of name: String,
        beneath top: FilePath,
        isMaking: Bool = false,
        _ body: (_ folder: CInt, _ last: String) throws -> T
    ) throws -> T? {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        var folder = top.withPlatformString { Self.openFile(AT_FDCWD, $0, flags) }
        guard folder >= 0 else { throw Errno(rawValue: errno) }
        defer { close(folder) }
        let parts = name.split(separator: "/").map(String.init)
        guard let last = parts.last else { return nil }
        for part in parts.dropLast() {
            var inner = openFile(folder, part, flags)
            if inner < 0, errno == ENOENT, isMaking, mkdirat(folder, part, 0o777) == 0 {
                inner = openFile(folder, part, flags)
                // Whatever the process's mask is.
                if inner >= 0 { fchmod(inner, 0o777) }
            }
            guard inner >= 0 else { return nil }
            close(folder)
            folder = inner
        }
        return try body(folder, last)
    }

    private static func openFile(_ folder: CInt, _ name: UnsafePointer<CChar>, _ flags: CInt) -> CInt {
        openat(folder, name, flags)
    }

    /// Moves a file of ours to its place beneath a folder.
    ///
    /// - Returns: its state there; `nil` where something is in its way.
    static func moveIn(_ file: FilePath, as name: String, beneath top: FilePath) throws -> MountLedger.FileState? {
        guard file.withPlatformString({ chmod($0, 0o666) }) == 0 else { throw Errno(rawValue: errno) }
        var status = stat()
        guard file.withPlatformString({ lstat($0, &status) }) == 0 else { throw Errno(rawValue: errno) }
        let isThere = try withFolder(of: name, beneath: top, isMaking: true) { folder, last in
            file.withPlatformString { renameat(AT_FDCWD, $0, folder, last) } == 0
        }
        guard isThere == true else {
            try removeFile(file)
            return nil
        }
        return state(status)
    }

    /// Copies a regular file beneath a folder to a place of ours.
    ///
    /// - Returns: its state before it was read; `nil` where it is none, or gone.
    static func copyOut(_ name: String, beneath top: FilePath, to file: FilePath) throws -> MountLedger.FileState? {
        let found = try withFolder(of: name, beneath: top) { folder, last -> MountLedger.FileState? in
            // Without waiting for the other end of what is a pipe by now.
            let from = openFile(folder, last, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
            guard from >= 0 else { return nil }
            let source = SystemPackage.FileDescriptor(rawValue: from)
            return try source.closeAfter {
                var status = stat()
                guard fstat(from, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
                try copyBytes(of: source, to: file)
                return state(status)
            }
        }
        return found ?? nil
    }

    private static func copyBytes(of source: SystemPackage.FileDescriptor, to file: FilePath) throws {
        let target = try SystemPackage.FileDescriptor.open(
            file, .writeOnly, options: [.create, .truncate, .noFollow, .closeOnExec], permissions: .ownerReadWrite)
        try target.closeAfter {
            let space = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
            defer { space.deallocate() }
            while case let count = try source.read(into: space), count > 0 {
                try target.writeAll(UnsafeRawBufferPointer(rebasing: space[..<count]))
            }
        }
    }

    /// Removes a file beneath a folder; fine where there is none.
    static func removeFile(_ name: String, beneath top: FilePath) throws {
        _ = try withFolder(of: name, beneath: top) { folder, last in unlinkat(folder, last, 0) }
    }

    /// The states of all regular files below a folder, by relative name; links are left out.
    static func fileStates(below top: FilePath) throws -> [String: MountLedger.FileState] {
        var states: [String: MountLedger.FileState] = [:]
        for file in try files(below: top) where file.hasTextName {
            var status = stat()
            guard file.path.withPlatformString({ lstat($0, &status) }) == 0, status.st_mode & S_IFMT == S_IFREG else {
                continue
            }
            states[file.name] = state(status)
        }
        return states
    }

    private static func state(_ status: stat) -> MountLedger.FileState {
        MountLedger.FileState(
            size: Int64(status.st_size),
            modified: Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec))
    }
}
