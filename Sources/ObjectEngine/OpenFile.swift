import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

// The plain functions, under names that methods of the same name do not hide.
private let systemWrite = write(_:_:_:)
private let systemRead = read(_:_:_:)

/// A file that stays open as long as the object lives.
final class OpenFile: Sendable {
    let descriptor: CInt
    private let seam: Seam?

    /// For `FileSystemCalls`; everybody else asks that.
    ///
    /// - Throws: the error number of `open(2)`.
    init(_ path: String, _ flags: CInt, permissions: mode_t, probe: (any FileSystemProbe)?) throws(Errno) {
        var opened: CInt
        repeat {
            opened = open(path, flags | O_CLOEXEC, permissions)
        } while opened < 0 && errno == EINTR
        guard opened >= 0 else { throw Errno(rawValue: errno) }
        descriptor = opened
        seam = probe.map { Seam(probe: $0, path: path) }
    }

    deinit { close(descriptor) }

    func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        var rest = bytes
        while !rest.isEmpty {
            let allowed = try seam?.willWrite(rest.count) ?? rest.count
            let count = systemWrite(descriptor, rest.baseAddress, allowed)
            if count >= 0 {
                seam?.didDo { .write(path: $0, count: count) }
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
        try seam?.willDo { .read(path: $0) }
        while true {
            let count = pread(descriptor, bytes.baseAddress, bytes.count, off_t(offset))
            if count >= 0 { return count }
            guard errno == EINTR else { throw Errno(rawValue: errno) }
        }
    }

    /// Makes content and size durable; for a directory, its entries.
    func synchronize() throws(Errno) {
        try seam?.willDo { .synchronize(path: $0) }
        guard fdatasync(descriptor) == 0 else { throw Errno(rawValue: errno) }
        seam?.didDo { .synchronize(path: $0) }
    }

    /// Locks the file as long as it is open (`flock(2)`).
    ///
    /// - Returns: `false` where another has it; never where `waits`.
    func lock(isShared: Bool, waits: Bool) throws(Errno) -> Bool {
        while flock(descriptor, (isShared ? LOCK_SH : LOCK_EX) | (waits ? 0 : LOCK_NB)) != 0 {
            switch errno {
            case EINTR: continue
            case EWOULDBLOCK: return false
            default: throw Errno(rawValue: errno)
            }
        }
        return true
    }

    /// Asks for blocks up to that size, in bytes, so that later writes inside of it cannot find the disk full.
    func reserve(_ size: Int64) throws(Errno) {
        let failure = posix_fallocate(descriptor, 0, off_t(size))
        guard failure == 0 else { throw Errno(rawValue: failure) }
    }

    /// Says that what was read need not stay in memory, so that reading everything pushes nobody else out.
    func forgetCache() {
        #if canImport(Glibc)
        // Advice only: whatever it answers, the bytes are the same.
        _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
        #endif
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

    /// Cuts the file off behind so many bytes.
    func truncate(to size: Int64) throws(Errno) {
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw Errno(rawValue: errno) }
    }

    func status() throws(Errno) -> stat {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Errno(rawValue: errno) }
        return status
    }

    /// The probe of a test, and what it calls this file.
    private struct Seam: Sendable {
        let probe: any FileSystemProbe
        let path: String

        func willDo(_ step: (String) -> FileSystemStep) throws(Errno) { _ = try probe.willDo(step(path)) }

        func willWrite(_ count: Int) throws(Errno) -> Int {
            min(count, max(1, try probe.willDo(.write(path: path, count: count)) ?? count))
        }

        func didDo(_ step: (String) -> FileSystemStep) { probe.didDo(step(path)) }
    }
}
