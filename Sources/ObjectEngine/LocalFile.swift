import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A file outside of the store whose bytes are taken in.
struct LocalFile: Sendable {
    let path: FilePath

    /// Opens it, provided that it is a regular file.
    ///
    /// Blocks, but never on a pipe or a device.
    func open() throws(ObjectStoreError) -> OpenFile {
        do throws(Errno) {
            let file = try FileSystemCalls.real.open(path.string, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            guard try file.status().st_mode & S_IFMT == S_IFREG else { throw .invalidArgument }
            return file
        } catch {
            switch error {
            case .invalidArgument, .tooManySymbolicLinkLevels, .noSuchFileOrDirectory, .notDirectory,
                .noSuchAddressOrDevice:
                throw ObjectStoreError(.notAFile, "\(path) is not a regular file", cause: error)
            default:
                throw ObjectStoreError(error, "cannot read \(path)")
            }
        }
    }
}

extension StagedContent {
    /// After so many bytes of a file a thread is given back, so that long files leave room for others.
    private static let turnSize = 8 << 20

    /// Takes in all bytes of a file.
    ///
    /// - Throws: `notAFile`, and as `write`.
    func fill(from local: LocalFile) async throws(ObjectStoreError) {
        let file = try await files.run { () throws(ObjectStoreError) in try local.open() }
        try await fill(from: file, length: .max)
    }

    /// Takes in bytes of an open file from where it stands, up to `length` or its end.
    private func fill(from file: OpenFile, length: Int64) async throws(ObjectStoreError) {
        let files = files
        var left = length
        while left > 0 {
            guard !Task.isCancelled else { throw ObjectStoreError(.closed, "the task was cancelled") }
            let turn = Int(min(Int64(Self.turnSize), left))
            let taken = Counter()
            try await work { intake throws(ObjectStoreError) in
                taken.value = try intake.take(upTo: turn, from: file, in: files)
            }
            left -= Int64(taken.value)
            if taken.value < turn { return }
        }
    }
}

/// A number that a closure hands out.
///
/// Written by one thread before another reads it.
private final class Counter: @unchecked Sendable {
    // Safe: `work` returns after its closure has ended, and nobody else has the object.
    var value = 0
}

extension Intake {
    /// Reads up to `length` bytes of a file and takes them in.
    ///
    /// Blocks.
    ///
    /// - Returns: how many there were; fewer than `length` only at the end of the file.
    mutating func take(
        upTo length: Int,
        from file: OpenFile,
        in files: ContentFiles
    ) throws(ObjectStoreError) -> Int {
        let space = UnsafeMutableRawBufferPointer.allocate(
            byteCount: min(length, Self.flushSize),
            alignment: 16
        )
        defer { space.deallocate() }
        var total = 0
        while total < length {
            let count: Int
            do throws(Errno) {
                count = try file.read(
                    into: UnsafeMutableRawBufferPointer(rebasing: space[..<min(space.count, length - total)])
                )
            } catch {
                throw ObjectStoreError(error, "cannot read the file")
            }
            guard count > 0 else { break }
            try take(UnsafeRawBufferPointer(rebasing: space[..<count]), in: files)
            total += count
        }
        return total
    }
}
