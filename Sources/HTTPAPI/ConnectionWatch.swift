import Hummingbird
import NIOCore
import NIOHTTP1
import Synchronization

/// Tells the request that a connection works on when the client goes away.
///
/// A handler of the connection; its one request at a time asks for it by `during`.
final class ConnectionWatch: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    private struct State {
        var hasLeft = false
        var onLeave: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    func channelInactive(context: ChannelHandlerContext) {
        left()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // Whoever closes its side of the connection does not wait for an answer.
        if case .inputClosed? = event as? ChannelEvent { left() }
        context.fireUserInboundEventTriggered(event)
    }

    private func left() {
        let onLeave = state.withLock { state in
            state.hasLeft = true
            return state.onLeave.take()
        }
        onLeave?()
    }

    /// Does the work, and cancels it where the client goes away.
    static func during<T: Sendable>(
        _ channel: any Channel,
        _ work: @escaping @Sendable () async throws -> T
    ) async throws -> T {
        // Servers of tests may have none.
        guard let watch = try? await channel.pipeline.handler(type: ConnectionWatch.self).get() else {
            return try await work()
        }
        let (leaves, leave) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingOldest(1))
        watch.set { leave.finish() }
        defer { watch.set(nil) }
        return try await withThrowingTaskGroup(of: T?.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await work() }
            group.addTask {
                for await _ in leaves {}
                return nil
            }
            guard let result = try await group.next() else { throw CancellationError() }
            if let result { return result }
            group.cancelAll()
            // The work ends soon, in its own way.
            while let result = try await group.next() { if let result { return result } }
            throw CancellationError()
        }
    }

    private func set(_ onLeave: (@Sendable () -> Void)?) {
        let hasLeft = state.withLock { state in
            state.onLeave = onLeave
            return state.hasLeft
        }
        if hasLeft { onLeave?() }
    }
}
