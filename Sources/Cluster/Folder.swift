import Model
import NIOCore
import NIOPosix
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

/// Small work on folders and files.
///
/// All of it blocks, so async code calls it through `Folder.offload`.
enum Folder {
    /// Runs blocking file work on a thread that may block.
    ///
    /// Cancellation does not stop it: cleaning up is work, too.
    static func offload<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            NIOThreadPool.singleton.submit { state in
                switch state {
                case .active: continuation.resume(with: Result { try work() })
                case .cancelled: continuation.resume(throwing: CancellationError())
                }
            }
        }
    }

    /// Makes a folder and its parents; fine where it is there already.
    static func make(_ path: FilePath, mode: mode_t = 0o700) throws {
        if mkdir(path.string, mode) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, !path.removingLastComponent().isEmpty else { throw Errno(rawValue: errno) }
        try make(path.removingLastComponent(), mode: mode)
        guard mkdir(path.string, mode) == 0 || errno == EEXIST else { throw Errno(rawValue: errno) }
    }

    /// Removes a file; fine where there is none.
    static func removeFile(_ path: FilePath) throws {
        if unlink(path.string) != 0, errno != ENOENT { throw Errno(rawValue: errno) }
    }

    /// Streams bytes into a new file.
    static func write(_ body: some AsyncSequence<ByteBuffer, any Error>, to path: FilePath) async throws {
        let file = try await offload {
            try SystemPackage.FileDescriptor.open(
                path, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: [.ownerReadWrite]
            )
        }
        do {
            for try await buffer in body {
                try await offload { _ = try file.writeAll(buffer.readableBytesView) }
            }
        } catch {
            try? file.close()  // The caller removes the file.
            throw error
        }
        try file.close()
    }

    struct Entry {
        /// Bytes that are no UTF-8 are replaced; `path` has them as they are.
        let name: String
        let path: FilePath
        let isFolder: Bool
        let isRegularFile: Bool
        let size: Int64
        /// Seconds since 1970 of the last change.
        let modified: Int64
    }

    /// What is in a folder, by name; nothing where it is missing.
    static func entries(_ path: FilePath) throws -> [Entry] {
        var found: [Entry] = []
        try visit(path) { found.append($0) }
        return found.sorted { $0.name < $1.name }
    }

    /// Calls `body` with each thing in a folder, in no order; with none where the folder is missing.
    static func visit(_ path: FilePath, _ body: (Entry) throws -> Void) throws {
        guard let stream = path.withPlatformString({ opendir($0) }) else {
            if errno == ENOENT || errno == ENOTDIR { return }
            throw Errno(rawValue: errno)
        }
        defer { closedir(stream) }
        while let item = readdir(stream) {
            let component = withUnsafePointer(to: &item.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { FilePath.Component(platformString: $0) }
            }
            guard let component, component.kind == .regular else { continue }
            let inner = path.appending(component)
            var status = stat()
            guard inner.withPlatformString({ lstat($0, &status) }) == 0 else { continue }
            try body(
                Entry(
                    name: component.string,
                    path: inner,
                    isFolder: status.st_mode & S_IFMT == S_IFDIR,
                    isRegularFile: status.st_mode & S_IFMT == S_IFREG,
                    size: Int64(status.st_size),
                    modified: Int64(status.st_mtim.tv_sec)
                )
            )
        }
    }

    struct FoundFile: Sendable {
        /// Relative to the folder that was searched, with `/` between the parts.
        let name: String
        let path: FilePath
        let size: Int64

        /// Whether the name is UTF-8; otherwise `name` is not what the disk has.
        var hasTextName: Bool { FilePath(path.string) == path }
    }

    /// All regular files below a folder; links are neither followed nor listed, and the folder must not be one.
    static func files(below path: FilePath) throws -> [FoundFile] {
        guard try isFolder(path) else { return [] }
        var found: [FoundFile] = []
        func visit(_ folder: FilePath, _ prefix: String) throws {
            for entry in try entries(folder) {
                if entry.isFolder {
                    try visit(entry.path, prefix + entry.name + "/")
                } else if entry.isRegularFile {
                    found.append(FoundFile(name: prefix + entry.name, path: entry.path, size: entry.size))
                }
            }
        }
        try visit(path, "")
        return found
    }

    /// Whether there is a folder, and not a link to one.
    static func isFolder(_ path: FilePath) throws -> Bool {
        var status = stat()
        if path.withPlatformString({ lstat($0, &status) }) == 0 { return status.st_mode & S_IFMT == S_IFDIR }
        guard errno == ENOENT || errno == ENOTDIR else { throw Errno(rawValue: errno) }
        return false
    }

    /// The text of a small file; `nil` where there is none.
    static func readSmallFile(_ path: FilePath, limit: Int = 1 << 20) throws -> String? {
        let file: SystemPackage.FileDescriptor
        do { file = try SystemPackage.FileDescriptor.open(path, .readOnly, options: .closeOnExec) } catch Errno
            .noSuchFileOrDirectory
        {
            return nil
        }
        return try file.closeAfter {
            var bytes: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 16_384)
            while bytes.count < limit {
                let count = try chunk.withUnsafeMutableBytes { try file.read(into: $0) }
                if count == 0 { break }
                bytes.append(contentsOf: chunk[..<count])
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    /// At most so many bytes of a file from that place on; none at its end.
    static func read(_ path: FilePath, from offset: Int64, atMost count: Int) throws -> [UInt8] {
        let file = try SystemPackage.FileDescriptor.open(path, .readOnly, options: .closeOnExec)
        return try file.closeAfter {
            try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                filled = try file.read(fromAbsoluteOffset: offset, into: UnsafeMutableRawBufferPointer(buffer))
            }
        }
    }

    /// Exactly so many bytes of a file from that place on.
    static func read(_ path: FilePath, from offset: Int64, exactly count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let more = try read(path, from: offset + Int64(bytes.count), atMost: count - bytes.count)
            guard !more.isEmpty else { throw Errno.ioError }
            bytes += more
        }
        return bytes
    }

    /// The whole of a file.
    static func readFile(_ path: FilePath) throws -> [UInt8] {
        try read(path, from: 0, exactly: Int(size(of: path)))
    }

    /// In bytes; 0 where there is no such file.
    static func size(of path: FilePath) -> Int64 {
        var status = stat()
        return stat(path.string, &status) == 0 ? Int64(status.st_size) : 0
    }

    /// Moves a directory on the same file system to a place where there is nothing.
    ///
    /// Blocks.
    static func move(_ directory: FilePath, to place: FilePath) throws {
        let result = directory.withPlatformString { from in place.withPlatformString { rename(from, $0) } }
        guard result == 0 else { throw Errno(rawValue: errno) }
    }

    /// Writes a file that need not survive a power cut.
    static func writeFile(_ path: FilePath, _ bytes: [UInt8]) throws {
        let file = try SystemPackage.FileDescriptor.open(
            path, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: [.ownerReadWrite]
        )
        _ = try file.closeAfter { try file.writeAll(bytes) }
    }

    /// Writes a file so that it is there whole or not at all, also after a power cut.
    static func writeDurably(_ path: FilePath, _ bytes: some Sequence<UInt8>, mode: CInt) throws {
        // A name of its own, so that two who write at once do not mix.
        let temporary = FilePath("\(path.string).\(UniqueID.uuid()).new")
        do {
            let file = try SystemPackage.FileDescriptor.open(
                temporary,
                .writeOnly,
                options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: FilePermissions(rawValue: CModeT(mode))
            )
            try file.closeAfter {
                try file.writeAll(bytes)
                guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
            }
            guard rename(temporary.string, path.string) == 0 else { throw Errno(rawValue: errno) }
        } catch {
            unlink(temporary.string)
            throw error
        }
        try synchronize(path.removingLastComponent())
    }

    static func writeDurably(_ path: FilePath, _ text: String, mode: CInt) throws {
        try writeDurably(path, Array(text.utf8), mode: mode)
    }

    /// Makes what was written to that file, or the names in that folder, survive a power cut.
    static func synchronize(_ path: FilePath) throws {
        let file = try SystemPackage.FileDescriptor.open(path, .readOnly, options: .closeOnExec)
        try file.closeAfter {
            guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
        }
    }
}
