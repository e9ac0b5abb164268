import Glibc
import SystemPackage

extension FileDescriptor {
    /// Waits until the file's bytes are on the disk.
    func sync() throws(Errno) {
        guard fsync(rawValue) == 0 else { throw Errno(rawValue: errno) }
    }
}

extension FilePath {
    /// Gives the file another name, in place of what may have it.
    func rename(to other: FilePath) throws(Errno) {
        let result = withPlatformString { old in other.withPlatformString { new in Glibc.rename(old, new) } }
        guard result == 0 else { throw Errno(rawValue: errno) }
    }

    /// Removes the file.
    func unlink() throws(Errno) {
        guard withPlatformString({ Glibc.unlink($0) }) == 0 else { throw Errno(rawValue: errno) }
    }
}
