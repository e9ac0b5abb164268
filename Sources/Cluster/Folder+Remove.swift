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

extension Folder {
    /// How deep a tree is walked before what is deeper is moved up: each level holds a descriptor.
    private static let maximumDepth = 64

    /// Removes a folder with all that is in it, whatever a script made there; fine where there is none.
    ///
    /// Links are not followed, also where the folder itself is one: then the link is removed. Names of any bytes,
    /// folders without permissions and trees deeper than the system's longest path are removed as well.
    static func remove(_ path: FilePath) throws {
        let top = path.withPlatformString { openFolder(AT_FDCWD, $0) }
        guard top >= 0 else {
            switch errno {
            case ENOENT: return
            case ENOTDIR, ELOOP:
                // A link is removed itself; a path through what is no folder leads to nothing.
                if isLink(path) { try removeFile(path) }
                return
            default: throw Errno(rawValue: errno)
            }
        }
        defer { close(top) }
        var moved = 0
        while true {
            let before = moved
            try removeContents(of: top, depth: 0, top: top, moved: &moved)
            if moved == before { break }
        }
        let result = path.withPlatformString { rmdir($0) }
        if result != 0, errno != ENOENT { throw Errno(rawValue: errno) }
    }

    private static func isLink(_ path: FilePath) -> Bool {
        var status = stat()
        return path.withPlatformString { lstat($0, &status) } == 0 && status.st_mode & S_IFMT == S_IFLNK
    }

    /// Opens a folder, and gives its owner the permission to empty it.
    private static func openFolder(_ parent: CInt, _ name: UnsafePointer<CChar>) -> CInt {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        let folder = openat(parent, name, flags)
        guard folder < 0, errno == EACCES else { return folder }
        var status = stat()
        let isFolder =
            fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_mode & S_IFMT == S_IFDIR
        guard isFolder, fchmodat(parent, name, 0o700, 0) == 0 else {
            errno = EACCES
            return -1
        }
        return openat(parent, name, flags)
    }

    /// Empties an open folder.
    ///
    /// Folders below the greatest depth are moved into the topmost one, for the next round.
    private static func removeContents(of folder: CInt, depth: Int, top: CInt, moved: inout Int) throws {
        for name in try names(in: folder) {
            try name.withUnsafeBufferPointer { buffer in
                guard let name = buffer.baseAddress else { return }
                if unlinkat(folder, name, 0) == 0 || errno == ENOENT { return }
                if errno == EACCES, fchmod(folder, 0o700) == 0, unlinkat(folder, name, 0) == 0 { return }
                // EISDIR on Linux, EPERM by POSIX: it is a folder.
                guard errno == EISDIR || errno == EPERM else { throw Errno(rawValue: errno) }
                if depth >= maximumDepth {
                    moved += 1
                    guard renameat(folder, name, top, ".apus-deep-\(moved)") == 0 else { throw Errno(rawValue: errno) }
                    return
                }
                let inner = openFolder(folder, name)
                guard inner >= 0 else { throw Errno(rawValue: errno) }
                defer { close(inner) }
                try removeContents(of: inner, depth: depth + 1, top: top, moved: &moved)
                guard unlinkat(folder, name, AT_REMOVEDIR) == 0 || errno == ENOENT else {
                    throw Errno(rawValue: errno)
                }
            }
        }
    }

    /// The names in an open folder, each with its final zero.
    private static func names(in folder: CInt) throws -> [[CChar]] {
        let copy = fcntl(folder, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw Errno(rawValue: errno) }
        guard let stream = fdopendir(copy) else {
            close(copy)
            throw Errno(rawValue: errno)
        }
        defer { closedir(stream) }
        // The copy shares the place of the original, which an earlier round has moved.
        rewinddir(stream)
        var names: [[CChar]] = []
        while let item = readdir(stream) {
            let name = withUnsafePointer(to: &item.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { name in
                    Array(UnsafeBufferPointer(start: name, count: strlen(name) + 1))
                }
            }
            let isDots = name == [0x2E, 0] || name == [0x2E, 0x2E, 0]
            if !isDots { names.append(name) }
        }
        return names
    }
}
