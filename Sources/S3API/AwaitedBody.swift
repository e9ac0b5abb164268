import HummingbirdCore
import NIOCore
import Synchronization

/// The body of a request whose client waits for leave to send it: asked for when somebody begins to read.
///
/// So a request that is refused by its head is refused before its content is on the way.
final class AwaitedBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    private let body: RequestBody
    private let channel: any Channel
    private let state = Mutex(false)

    init(_ body: RequestBody, channel: any Channel) {
        self.body = body
        self.channel = channel
    }

    /// Whether the client was told to go on.
    var wasAskedFor: Bool { state.withLock { $0 } }

    func makeAsyncIterator() -> Iterator { Iterator(awaited: self, rest: body.makeAsyncIterator()) }

    private func askOnce() async throws {
        let isFirst = state.withLock { wasAskedFor in
            defer { wasAskedFor = true }
            return !wasAskedFor
        }
        if isFirst { try await OutboundEvents.sendContinue(on: channel) }
    }

    struct Iterator: AsyncIteratorProtocol {
        fileprivate let awaited: AwaitedBody
        fileprivate var rest: RequestBody.AsyncIterator

        @concurrent mutating func next() async throws -> ByteBuffer? {
            try await awaited.askOnce()
            return try await rest.next()
        }
    }
}
