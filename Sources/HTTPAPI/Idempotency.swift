import HTTPTypes
import Hummingbird
import Model
import NIOCore
import S3Wire
import Synchronization

extension Request {
    private static let keyHeader = HTTPField.Name("Idempotency-Key")

    /// What the client calls the request, so that it is done once.
    ///
    /// - Throws: `TextError` 400 for what cannot be a key.
    func idempotencyKey() throws -> IdempotencyKey? {
        guard let header = Self.keyHeader, let text = headers[header] else { return nil }
        do { return try IdempotencyKey(text) } catch { throw TextError(.badRequest, "Idempotency-Key: \(error)") }
    }
}

extension HTTPFields {
    private static let replayedHeader = HTTPField.Name("Idempotency-Replayed")

    /// Says that the answer is that of an earlier request.
    mutating func markReplayed() {
        if let header = Self.replayedHeader { self[header] = "true" }
    }
}

/// A body that is digested while it is read.
struct DigestedBody<Base: AsyncSequence<ByteBuffer, any Error>>: AsyncSequence {
    /// SHA-256 of what was read so far.
    final class Digest: Sendable {
        private let checksum = Mutex(Checksum(.sha256))

        var value: [UInt8] { checksum.withLock { $0.value } }

        func update(_ buffer: ByteBuffer) {
            checksum.withLock { checksum in buffer.withUnsafeReadableBytes { checksum.update($0) } }
        }
    }

    typealias Element = ByteBuffer
    typealias Failure = any Error

    private let base: Base
    let digest = Digest()

    init(_ base: Base) { self.base = base }

    func makeAsyncIterator() -> Iterator { Iterator(base: base.makeAsyncIterator(), digest: digest) }

    struct Iterator: AsyncIteratorProtocol {
        fileprivate var base: Base.AsyncIterator
        fileprivate let digest: Digest

        mutating func next() async throws -> ByteBuffer? { try await next(isolation: #isolation) }

        mutating func next(isolation actor: isolated (any Actor)?) async throws -> ByteBuffer? {
            guard let buffer = try await base.next(isolation: actor) else { return nil }
            digest.update(buffer)
            return buffer
        }
    }
}
