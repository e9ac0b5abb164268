import NIOCore
import NIOPosix
import SystemPackage
import _NIOFileSystem

/// Small files, read and written off the cooperative threads.
enum LocalFiles {
    /// What a small file may have.
    static let textLimit: Int64 = 16 << 20

    /// The text of a file; `nil` where there is none.
    ///
    /// - Throws: `localFile`; `invalidInput` for more than 16 MiB or bytes that are not UTF-8.
    static func text(_ path: FilePath) async throws(CommandError) -> String? {
        guard let bytes = try await bytes(path, limit: textLimit) else { return nil }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandError(.invalidInput, "\(path) is not a text in UTF-8")
        }
        return text
    }

    /// The bytes of a file; `nil` where there is none.
    ///
    /// - Throws: `localFile`; `invalidInput` for more than `limit` bytes.
    static func bytes(_ path: FilePath, limit: Int64) async throws(CommandError) -> [UInt8]? {
        do {
            return try await NIOThreadPool.singleton.runIfActive { try read(path, limit: limit) }
        } catch {
            throw CommandError(error)
        }
    }

    /// Replaces a file by one of mode 0600 in a directory of mode 0700, at once: whoever reads sees the old bytes or
    /// the new ones.
    ///
    /// - Throws: `localFile`.
    static func replacePrivately(_ path: FilePath, with bytes: [UInt8]) async throws(CommandError) {
        do {
            let directory = path.removingLastComponent()
            if !directory.isEmpty, try await FileSystem.shared.info(forFileAt: directory) == nil {
                let parent = directory.removingLastComponent()
                if !parent.isEmpty, try await FileSystem.shared.info(forFileAt: parent) == nil {
                    try await FileSystem.shared.createDirectory(
                        at: parent, withIntermediateDirectories: true, permissions: nil)
                }
                try await FileSystem.shared.createDirectory(
                    at: directory, withIntermediateDirectories: false, permissions: .ownerReadWriteExecute)
            }
            let target = try await finalTarget(path)
            try await NIOThreadPool.singleton.runIfActive {
                try write(bytes, to: target, permissions: .ownerReadWrite)
            }
        } catch {
            throw CommandError(.localFile, "cannot write \(path): \(error)")
        }
    }

    /// Replaces a file by one with the usual rights, at once.
    ///
    /// - Throws: `localFile`.
    static func write(_ path: FilePath, _ bytes: [UInt8]) async throws(CommandError) {
        do {
            let target = try await finalTarget(path)
            try await NIOThreadPool.singleton.runIfActive {
                try write(bytes, to: target, permissions: [.ownerReadWrite, .groupRead, .otherRead])
            }
        } catch {
            throw CommandError(.localFile, "cannot write \(path): \(error)")
        }
    }

    /// Where a path leads: a link that a user made, to keep the file among others of theirs, stays a link.
    private static func finalTarget(_ path: FilePath) async throws -> FilePath {
        guard let info = try await FileSystem.shared.info(forFileAt: path, infoAboutSymbolicLink: true),
            info.type == .symlink
        else { return path }
        let destination = try await FileSystem.shared.destinationOfSymbolicLink(at: path)
        return path.removingLastComponent().pushing(destination)
    }

    private static func read(_ path: FilePath, limit: Int64) throws -> [UInt8]? {
        let file: FileDescriptor
        do {
            file = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec])
        } catch Errno.noSuchFileOrDirectory, Errno.notDirectory {
            return nil
        } catch {
            throw CommandError(.localFile, "cannot read \(path): \(error)")
        }
        do {
            return try file.closeAfter {
                var all: [UInt8] = []
                let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
                defer { chunk.deallocate() }
                while true {
                    let count = try file.read(into: chunk)
                    if count == 0 { return all }
                    all.append(contentsOf: chunk[0..<count])
                    guard Int64(all.count) <= limit else {
                        throw CommandError(.invalidInput, "\(path) has more than \(limit) bytes")
                    }
                }
            }
        } catch let error as CommandError {
            throw error
        } catch {
            throw CommandError(.localFile, "cannot read \(path): \(error)")
        }
    }

    private static func write(_ bytes: [UInt8], to path: FilePath, permissions: FilePermissions) throws {
        let name = path.lastComponent?.string ?? "file"
        let temporary = path.removingLastComponent().appending(".\(name).\(UInt32.random(in: 0 ... .max))")
        let file = try FileDescriptor.open(
            temporary, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec], permissions: permissions)
        do {
            try file.closeAfter {
                _ = try file.writeAll(bytes)
                try file.sync()
            }
            try temporary.rename(to: path)
        } catch {
            try? temporary.unlink()
            throw error
        }
    }
}
