import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

// The plain functions, under names that methods of the same name do not hide.
private let systemWrite = write(_:_:_:)
private let systemRead = read(_:_:_:)
private let systemLink = link(_:_:)

/// A file that stays open as long as the object lives.
final class OpenFile: Sendable {
    let descriptor: CInt

    /// - Throws: the error number of `open(2)`.
    init(_ path: String, _ flags: CInt, permissions: mode_t = 0o600) throws(Errno) {
        var opened: CInt
        repeat {
            opened = open(path, flags | O_CLOEXEC, permissions)
        } while opened < 0 && errno == EINTR
        guard opened >= 0 else { throw Errno(rawValue: errno) }
        descriptor = opened
    }

    deinit { close(descriptor) }

    func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        var rest = bytes
        while !rest.isEmpty {
            let count = systemWrite(descriptor, rest.baseAddress, rest.count)
            if count >= 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
            } else if errno != EINTR {
                throw Errno(rawValue: errno)
            }
        }
    }

    /// Reads up to the size of `bytes`; 0 at the end of the file.
    func read(into bytes: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        while true {
            let count = systemRead(descriptor, bytes.baseAddress, bytes.count)
            if count >= 0 { return count }
            guard errno == EINTR else { throw Errno(rawValue: errno) }
        }
    }

    /// Reads up to the size of `bytes` from that place; 0 at the end of the file.
    func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int64) throws(Errno) -> Int {
        while true {
            let count = pread(descriptor, bytes.baseAddress, bytes.count, off_t(offset))
            if count >= 0 { return count }
            guard errno == EINTR else { throw Errno(rawValue: errno) }
        }
    }

    /// Makes content and size durable; for a directory, its entries.
    func synchronize() throws(Errno) {
        guard fdatasync(descriptor) != 0 else { return }
        throw Errno(rawValue: errno)
    }

    /// Makes `target` share all of this file's blocks, where the file system can (btrfs, XFS).
    ///
    /// - Returns: whether it did.
    func shareBlocks(with target: OpenFile) -> Bool {
        #if canImport(Glibc)
        // FICLONE of <linux/fs.h>: _IOW(0x94, 9, int).
        return ioctl(target.descriptor, 0x4004_9409, descriptor) == 0
        #else
        return false
        #endif
    }

    /// Copies a range of this file to the place of `target`, inside the kernel.
    ///
    /// - Returns: how many bytes were copied; `nil` where the kernel cannot do it between these files.
    func copyInKernel(_ range: Range<Int64>, to target: OpenFile) throws(Errno) -> Int? {
        #if canImport(Glibc)
        var offset = off_t(range.lowerBound)
        while true {
            let count = sendfile(target.descriptor, descriptor, &offset, range.count)
            if count >= 0 { return count }
            switch errno {
            case EINTR: continue
            case EINVAL, ENOSYS: return nil
            default: throw Errno(rawValue: errno)
            }
        }
        #else
        return nil
        #endif
    }

    func status() throws(Errno) -> stat {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Errno(rawValue: errno) }
        return status
    }
}

/// Calls that work on names.
enum FileNames {
    /// Gives a file a second name.
    static func link(_ path: String, _ newPath: String) throws(Errno) {
        guard systemLink(path, newPath) != 0 else { return }
        throw Errno(rawValue: errno)
    }

    /// Removes a name; that it is not there is success.
    static func remove(_ path: String) throws(Errno) {
        guard unlink(path) != 0, errno != ENOENT else { return }
        throw Errno(rawValue: errno)
    }

    /// Makes a directory; that it is there is success.
    ///
    /// - Returns: whether it was made now.
    @discardableResult
    static func makeDirectory(_ path: String) throws(Errno) -> Bool {
        if mkdir(path, 0o700) == 0 { return true }
        guard errno == EEXIST else { throw Errno(rawValue: errno) }
        return false
    }

    /// Makes a directory's entries durable.
    static func synchronizeDirectory(_ path: String) throws(Errno) {
        try OpenFile(path, O_RDONLY | O_DIRECTORY).synchronize()
    }

    /// The names in a directory, without `.` and `..`, in no order.
    static func entries(of path: String) throws(Errno) -> [String] {
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
}
