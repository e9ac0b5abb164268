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
    /// Lets every user of the machine who can reach the folder write there, whatever the process's mask is.
    static func open(_ path: FilePath) throws {
        guard path.withPlatformString({ chmod($0, 0o777) }) == 0 else { throw Errno(rawValue: errno) }
    }

    /// How much of the disk all that is below a folder takes, in bytes; links are counted and not followed.
    ///
    /// A file with two names counts once for each. What lies too deep to be looked at counts as more than there can be, so that
    /// nobody hides anything there.
    static func usedBytes(below path: FilePath) throws -> Int64 {
        var total: Int64 = 0
        // A list of its own rather than recursion: how deep a script goes is up to it.
        var folders = [path]
        while let folder = folders.popLast() {
            // A name has at most 255 bytes, so all names in a folder of that length can be asked for.
            guard folder.string.utf8.count < Int(PATH_MAX) - 256 else { return .max }
            try visit(folder) { entry in
                var status = stat()
                guard entry.path.withPlatformString({ lstat($0, &status) }) == 0 else { return }
                total += Int64(status.st_blocks) * 512
                if entry.isFolder { folders.append(entry.path) }
            }
        }
        return total
    }
}
