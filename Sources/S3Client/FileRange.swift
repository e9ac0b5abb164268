import Crypto
package import NIOCore
import S3Wire
package import SystemPackage
package import _NIOFileSystem

/// How fast a transfer may go.
package struct TransferPace: Sendable {
    /// Bytes that go at once.
    package let chunk: Int64
    /// How long a request with so many bytes may take.
    package let patience: @Sendable (Int64) -> Duration
    /// Returns when so many bytes may go.
    package let take: @Sendable (Int64) async throws -> Void
    /// Whether anything may begin now; what is under way goes on.
    package let isOpen: @Sendable () -> Bool

    package init(
        chunk: Int64,
        patience: @escaping @Sendable (Int64) -> Duration,
        take: @escaping @Sendable (Int64) async throws -> Void,
        isOpen: @escaping @Sendable () -> Bool
    ) {
        (self.chunk, self.patience, self.take, self.isOpen) = (max(1, chunk), patience, take, isOpen)
    }
}

/// A range of an open file as a sequence of chunks, read as the consumer asks, so that memory stays flat.
package struct FileRange: AsyncSequence, Sendable {
    package typealias Element = ByteBuffer

    static let chunkLength: Int64 = 512 << 10

    let handle: ReadFileHandle
    let path: FilePath
    package let range: Range<Int64>
    /// Called with the size of each chunk when the consumer asks for the next one.
    let progress: S3Progress?
    /// How fast it is read; `nil` for as fast as the consumer asks.
    let pace: TransferPace?

    package init(
        handle: ReadFileHandle,
        path: FilePath,
        range: Range<Int64>,
        progress: S3Progress? = nil,
        pace: TransferPace? = nil
    ) {
        (self.handle, self.path, self.range, self.progress, self.pace) = (handle, path, range, progress, pace)
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(file: self, position: range.lowerBound) }

    package struct AsyncIterator: AsyncIteratorProtocol {
        let file: FileRange
        var position: Int64
        var unreported: Int64 = 0

        init(file: FileRange, position: Int64) { (self.file, self.position) = (file, position) }

        package mutating func next() async throws -> ByteBuffer? {
            if unreported > 0 { file.progress?(unreported) }
            unreported = 0
            guard position < file.range.upperBound else { return nil }
            let longest = Swift.min(FileRange.chunkLength, file.pace?.chunk ?? .max)
            let length = Swift.min(longest, file.range.upperBound - position)
            if let pace = file.pace { try await pace.take(length) }
            let chunk = try await file.chunk(at: position, length: length)
            position += Int64(chunk.readableBytes)
            unreported = Int64(chunk.readableBytes)
            return chunk
        }
    }

    private func chunk(at position: Int64, length: Int64) async throws(S3ClientError) -> ByteBuffer {
        let chunk: ByteBuffer
        do {
            chunk = try await handle.readChunk(fromAbsoluteOffset: position, length: .bytes(length))
        } catch {
            throw S3ClientError(.localFile, "cannot read \(path): \(error)", cause: error)
        }
        guard chunk.readableBytes > 0 else {
            throw S3ClientError(.localFile, "\(path) became shorter while it was being sent; send it again")
        }
        return chunk
    }

    /// SHA-256 of the range in lower-case hexadecimal.
    @concurrent
    func sha256() async throws -> String {
        var hash = SHA256()
        let quiet = FileRange(handle: handle, path: path, range: range)
        for try await chunk in quiet { chunk.withUnsafeReadableBytes { hash.update(bufferPointer: $0) } }
        return Hexadecimal.text(Array(hash.finalize()))
    }
}
