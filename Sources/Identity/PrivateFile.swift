import SystemPackage

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

/// Small files that only their owner may read, replaced whole.
enum PrivateFile {
    /// How long such a file may be, in bytes.
    static let maximumLength = 65_536

    struct Content {
        let bytes: [UInt8]
        /// Whether the group or others have any right to the file.
        let isOpenToOthers: Bool
    }

    /// The file's content; `nil` where there is no file.
    ///
    /// - Throws: `IdentityError` with `unreadable`, or `malformedFile` for what is too long or no plain file.
    static func read(_ path: FilePath) throws(IdentityError) -> Content? {
        // Non-blocking, so that a named pipe in the file's place cannot hold the start up.
        let descriptor = path.withPlatformString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard descriptor >= 0 else {
            let reason = Errno(rawValue: errno)
            if reason == .noSuchFileOrDirectory { return nil }
            throw IdentityError(.unreadable, "cannot read \(path): \(reason)", cause: reason)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw IdentityError(.malformedFile, "\(path) is not a plain file: move it away")
        }
        guard status.st_size <= maximumLength else {
            throw IdentityError(.malformedFile, "\(path) is longer than \(maximumLength) bytes: move it away")
        }
        do {
            let file = FileDescriptor(rawValue: descriptor)
            var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
            var length = 0
            while length < bytes.count {
                let count = try bytes.withUnsafeMutableBytes {
                    try file.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[length...]))
                }
                guard count > 0 else { break }
                length += count
            }
            return Content(bytes: Array(bytes[..<length]), isOpenToOthers: status.st_mode & 0o077 != 0)
        } catch {
            throw IdentityError(.unreadable, "cannot read \(path): \(error)", cause: error)
        }
    }

    /// Takes the rights of the group and of others away.
    ///
    /// - Throws: `IdentityError` with `unreadable` where the file belongs to somebody else.
    static func restrict(_ path: FilePath) throws(IdentityError) {
        guard path.withPlatformString({ chmod($0, 0o600) }) == 0 else {
            let reason = Errno(rawValue: errno)
            throw IdentityError(
                .unreadable,
                "others can read \(path), which holds the passwords, and its mode cannot be changed "
                    + "(\(reason)): give the file to the user that runs Apus, with mode 0600",
                cause: reason
            )
        }
    }

    /// Replaces the file: a temporary file beside it is written, synced and renamed, then the directory is
    /// synced.
    ///
    /// - Throws: `IdentityError` with `unwritable`.
    static func write(_ bytes: [UInt8], to path: FilePath) throws(IdentityError) {
        let directory = path.removingLastComponent()
        var temporary = path
        temporary.extension = "json.new"
        do {
            // Left behind by a start that died here; nobody reads it.
            _ = temporary.withPlatformString { unlink($0) }
            let file = try FileDescriptor.open(
                temporary,
                .writeOnly,
                options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: .ownerReadWrite
            )
            try file.closeAfter {
                try file.writeAll(bytes)
                try sync(file)
            }
            guard temporary.withPlatformString({ from in path.withPlatformString { rename(from, $0) } }) == 0
            else {
                throw Errno(rawValue: errno)
            }
            let folder = try FileDescriptor.open(
                directory.isEmpty ? "." : directory,
                .readOnly,
                options: [.directory, .closeOnExec]
            )
            try folder.closeAfter { try sync(folder) }
        } catch {
            throw IdentityError(.unwritable, "cannot write \(path): \(error)", cause: error)
        }
    }

    private static func sync(_ file: FileDescriptor) throws {
        guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
    }
}
