import NIOCore
import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The copy of an object's files into one new file outside of the store.
struct ContentCopy: Sendable {
    /// So many bytes are copied before a thread is given back.
    private static let turnSize: Int64 = 64 << 20

    let pieces: [ContentPiece]
    let files: ContentFiles
    let path: String

    /// Writes bytes to a new file.
    ///
    /// Blocks. Where it fails, no file is left.
    static func write(_ bytes: ByteBuffer, to path: String, _ files: ContentFiles) throws(ObjectStoreError) {
        do throws(Errno) {
            let target = try make(path, files)
            do throws(Errno) {
                try bytes.withTypedReadableBytes { (bytes) throws(Errno) in try target.write(bytes) }
            } catch {
                // What cannot be removed is the caller's to see: the directory is theirs.
                try? files.calls.remove(path)
                throw error
            }
        } catch {
            throw ObjectStoreError(error, "cannot make the file \(path)")
        }
    }

    private static func make(_ path: String, _ files: ContentFiles) throws(Errno) -> OpenFile {
        try files.calls.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, permissions: 0o644)
    }

    /// - Returns: `false` where the first file is gone; no file is made then.
    func run() async throws(ObjectStoreError) -> Bool {
        guard let first = pieces.first else { return false }
        let target = try await files.run { () throws(ObjectStoreError) -> OpenFile? in
            guard try files.open(first.file) != nil else { return nil }
            do throws(Errno) {
                return try Self.make(path, files)
            } catch {
                throw ObjectStoreError(error, "cannot make the file \(path)")
            }
        }
        guard let target else { return false }
        do throws(ObjectStoreError) {
            for piece in pieces { try await copy(piece, to: target) }
            return true
        } catch {
            // What cannot be removed is the caller's to see: the directory is theirs.
            try await files.run { () throws(ObjectStoreError) in try? files.calls.remove(path) }
            throw error
        }
    }

    private func copy(_ piece: ContentPiece, to target: OpenFile) async throws(ObjectStoreError) {
        let opened = try await files.run { () throws(ObjectStoreError) in try files.open(piece.file) }
        guard let source = opened else { throw Self.damaged }
        if pieces.count == 1,
            try await files.run({ () throws(ObjectStoreError) in source.shareBlocks(with: target) })
        {
            return
        }
        var offset: Int64 = 0
        while offset < piece.range.count {
            guard !Task.isCancelled else { throw ObjectStoreError(.closed, "the task was cancelled") }
            let range = offset..<min(offset + Self.turnSize, Int64(piece.range.count))
            try await files.run { () throws(ObjectStoreError) in try copy(range, of: source, to: target) }
            offset = range.upperBound
        }
    }

    private func copy(_ range: Range<Int64>, of source: OpenFile, to target: OpenFile)
        throws(ObjectStoreError)
    {
        do throws(Errno) {
            var offset = range.lowerBound
            while offset < range.upperBound {
                guard let count = try source.copyInKernel(offset..<range.upperBound, to: target) else {
                    guard try copyBytes(offset..<range.upperBound, of: source, to: target) else {
                        throw Errno.ioError
                    }
                    return
                }
                guard count > 0 else { throw Errno.ioError }
                offset += Int64(count)
            }
        } catch {
            guard error != .ioError else { throw Self.damaged }
            throw ObjectStoreError(error, "cannot copy content to \(path)")
        }
    }

    /// - Returns: `false` where the file ends too early.
    private func copyBytes(_ range: Range<Int64>, of source: OpenFile, to target: OpenFile) throws(Errno)
        -> Bool
    {
        let space = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { space.deallocate() }
        var offset = range.lowerBound
        while offset < range.upperBound {
            let wanted = min(space.count, Int(range.upperBound - offset))
            let count = try source.read(
                into: UnsafeMutableRawBufferPointer(rebasing: space[..<wanted]),
                at: offset
            )
            guard count > 0 else { return false }
            try target.write(UnsafeRawBufferPointer(rebasing: space[..<count]))
            offset += Int64(count)
        }
        return true
    }

    private static var damaged: ObjectStoreError {
        ObjectStoreError(
            .damaged,
            "a content file is missing or cut off; restore a backup of the data directory"
        )
    }
}
