import Crypto
import NIOCore
import S3Wire
import SystemPackage
import _NIOFileSystem

/// A range of an open file as a sequence of chunks, read as the consumer asks, so that memory stays flat.
struct FileRange: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    static let chunkLength: Int64 = 512 << 10

    let handle: ReadFileHandle
    let path: FilePath
    let range: Range<Int64>
    /// Called with the size of each chunk when the consumer asks for the next one.
    let progress: S3Progress?

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(file: self, position: range.lowerBound) }

    struct AsyncIterator: AsyncIteratorProtocol {
        let file: FileRange
        var position: Int64
        var unreported: Int64 = 0

        init(file: FileRange, position: Int64) { (self.file, self.position) = (file, position) }

        mutating func next() async throws -> ByteBuffer? {
            if unreported > 0 { file.progress?(unreported) }
            unreported = 0
            guard position < file.range.upperBound else { return nil }
            let length = Swift.min(FileRange.chunkLength, file.range.upperBound - position)
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
        let quiet = FileRange(handle: handle, path: path, range: range, progress: nil)
        for try await chunk in quiet { chunk.withUnsafeReadableBytes { hash.update(bufferPointer: $0) } }
        return Hexadecimal.text(Array(hash.finalize()))
    }
}
