package import SystemPackage

#if canImport(CoreFoundation)
// See Cluster/Folder.swift.
import CoreFoundation
#endif
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What tells whether the file of a name is another one than before.
package struct FileStamp: Sendable, Hashable {
    private let file: UInt64
    private let size: Int64
    private let seconds: Int64
    private let nanoseconds: Int64

    /// `nil` where there is no file.
    ///
    /// Blocks for one system call.
    package init?(_ path: FilePath) {
        var facts = stat()
        guard stat(path.string, &facts) == 0 else { return nil }
        file = UInt64(facts.st_ino)
        size = Int64(facts.st_size)
        #if canImport(Darwin)
        (seconds, nanoseconds) = (Int64(facts.st_mtimespec.tv_sec), Int64(facts.st_mtimespec.tv_nsec))
        #else
        (seconds, nanoseconds) = (Int64(facts.st_mtim.tv_sec), Int64(facts.st_mtim.tv_nsec))
        #endif
    }
}
