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
    /// What became of a file that was to be copied.
    enum CopyOutcome { case added, kept, missing }

    private static let copyBufferSize = 1 << 20

    /// Gives a file that does not change any more a second name, or copies it where that cannot be.
    ///
    /// What is there already is left where it is the same file, or a copy of it by size and time.
    ///
    /// - Parameter copiesBytes: whether it never is the same file afterwards.
    static func preserve(_ source: FilePath, as target: FilePath, copiesBytes: Bool) throws -> CopyOutcome {
        guard let status = try regularFile(source) else { return .missing }
        if let there = try regularFile(target) {
            let isSame = there.st_ino == status.st_ino && there.st_dev == status.st_dev
            let isCopy =
                there.st_size == status.st_size && there.st_mtim.tv_sec == status.st_mtim.tv_sec
                && there.st_mtim.tv_nsec == status.st_mtim.tv_nsec
            if isSame ? !copiesBytes : isCopy { return .kept }
            try removeFile(target)
        }
        if !copiesBytes {
            if link(source.string, target.string) == 0 { return .added }
            switch errno {
            case ENOENT: return .missing
            case EXDEV, EPERM, EMLINK, ENOTSUP: break
            default: throw Errno(rawValue: errno)
            }
        }
        return try copyBytes(of: source, to: target)
    }

    /// `nil` where there is none.
    private static func regularFile(_ path: FilePath) throws -> stat? {
        var status = stat()
        guard lstat(path.string, &status) == 0 else {
            guard errno == ENOENT || errno == ENOTDIR else { throw Errno(rawValue: errno) }
            return nil
        }
        return status.st_mode & S_IFMT == S_IFREG ? status : nil
    }

    private static func copyBytes(of source: FilePath, to target: FilePath) throws -> CopyOutcome {
        let from: SystemPackage.FileDescriptor
        do {
            from = try SystemPackage.FileDescriptor.open(source, .readOnly, options: [.closeOnExec, .noFollow])
        } catch Errno.noSuchFileOrDirectory {
            return .missing
        }
        defer { try? from.close() }  // Nothing was written to it.
        // A name of its own until it is whole.
        let unfinished = FilePath("\(target.string).new")
        try removeFile(unfinished)
        let to = try SystemPackage.FileDescriptor.open(
            unfinished,
            .writeOnly,
            options: [.create, .exclusiveCreate, .closeOnExec],
            permissions: .ownerReadWrite
        )
        try to.closeAfter {
            let space = UnsafeMutableRawBufferPointer.allocate(byteCount: copyBufferSize, alignment: 16)
            defer { space.deallocate() }
            while case let count = try from.read(into: space), count > 0 {
                try to.writeAll(UnsafeRawBufferPointer(rebasing: space[..<count]))
            }
            var status = stat()
            guard fstat(from.rawValue, &status) == 0 else { throw Errno(rawValue: errno) }
            guard futimens(to.rawValue, [status.st_atim, status.st_mtim]) == 0, fsync(to.rawValue) == 0 else {
                throw Errno(rawValue: errno)
            }
        }
        guard rename(unfinished.string, target.string) == 0 else { throw Errno(rawValue: errno) }
        return .added
    }
}
