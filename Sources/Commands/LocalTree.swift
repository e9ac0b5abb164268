import NIOPosix
import SystemPackage
import _NIOFileSystem

/// The files below a folder of this machine.
enum LocalTree {
    /// The size of a regular file; `nil` for anything else, also for nothing.
    ///
    /// - Throws: `localFile`.
    static func regularFile(_ path: FilePath) async throws(CommandError) -> Int64? {
        guard let info = try await info(path), info.type == .regular else { return nil }
        return info.size
    }

    /// Whether there is a folder.
    ///
    /// - Throws: `localFile`.
    static func isFolder(_ path: FilePath) async throws(CommandError) -> Bool {
        try await info(path)?.type == .directory
    }

    /// Makes a folder and those above it, where they are missing.
    ///
    /// - Throws: `localFile`.
    static func makeFolder(_ path: FilePath) async throws(CommandError) {
        if path.isEmpty { return }
        do {
            try await FileSystem.shared.createDirectory(at: path, withIntermediateDirectories: true, permissions: nil)
        } catch let error as FileSystemError where error.code == .fileAlreadyExists {
            guard try await isFolder(path) else {
                throw CommandError(.localFile, "\(path) is in the way: it is a file, not a folder")
            }
        } catch {
            throw CommandError(.localFile, "cannot make the folder \(path): \(error)")
        }
    }

    /// What is behind a path, links followed.
    private static func info(_ path: FilePath) async throws(CommandError) -> FileInfo? {
        do {
            return try await FileSystem.shared.info(forFileAt: path)
        } catch {
            throw CommandError(.localFile, "cannot read \(path): \(error)")
        }
    }

    /// Calls `visit` with every file below a folder and its path within it, in no certain order.
    ///
    /// Links to files count as files; links to folders are left out, so that no loop is possible, and so are pipes,
    /// sockets and devices.
    ///
    /// - Throws: `localFile`, and what `visit` throws.
    static func walk(
        _ root: FilePath,
        _ visit: (_ file: FilePath, _ parts: [String], _ size: Int64) async throws -> Void
    ) async throws {
        let directory = try await FileSystem.shared.openDirectory(atPath: root)
        do {
            for try await entry in directory.listContents(recursive: true)
            where entry.type == .regular || entry.type == .symlink || entry.type == .unknown {
                guard let size = try await regularFile(entry.path) else { continue }
                let parts = entry.path.components.dropFirst(root.components.count).map(\.string)
                try await visit(entry.path, parts, size)
            }
            try await directory.close()
        } catch {
            // A task of its own, awaited right here, because a cancelled `close` would leave the folder open. The
            // first error is the one that counts; a folder that was only read loses nothing.
            await Task { try? await directory.close() }.value
            throw error is FileSystemError ? CommandError(.localFile, "cannot read \(root): \(error)") : error
        }
    }
}
