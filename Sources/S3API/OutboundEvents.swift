import NIOCore
import NIOHTTP1
import ObjectEngine

/// Sends what an answer of HTTP types cannot say: ranges of files, for the kernel to copy to the socket, and that the
/// client may go on.
///
/// Stands between the codec of HTTP types and the encoder. What is to be sent comes as events, in order with the parts
/// of the answer.
final class OutboundEvents: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// A piece of the body; the promise is kept when all was handed to the kernel.
    private struct SendFile: Sendable {
        let region: FileRegion
    }

    /// `100 Continue` (RFC 9110, section 10.1.1).
    private struct Continue: Sendable {}

    /// The client waits for it before it sends its body.
    private struct AwaitsContinue: Sendable {}

    private var isAwaited = false

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard isAwaited, case .head(var head) = unwrapOutboundIn(data) else {
            return context.write(data, promise: promise)
        }
        isAwaited = false
        // Said, too: else the client may send its next request on a connection that is about to end.
        head.headers.replaceOrAdd(name: "connection", value: "close")
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        switch event {
        case let send as SendFile:
            context.writeAndFlush(wrapOutboundOut(.body(.fileRegion(send.region))), promise: promise)
        case is AwaitsContinue:
            isAwaited = true
            promise?.succeed()
        case is Continue:
            isAwaited = false
            let head = HTTPResponseHead(version: .http1_1, status: .continue)
            context.writeAndFlush(wrapOutboundOut(.head(head)), promise: promise)
        default: context.triggerUserOutboundEvent(event, promise: promise)
        }
    }

    /// Sends a region; returns when all of it was handed to the kernel.
    ///
    /// The head of the answer must have been written.
    static func send(_ region: ContentRegion, on channel: any Channel) async throws {
        try await region.withDescriptor { descriptor in
            // Given back below: whose file it is closes it.
            let handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: descriptor)
            defer { _ = try? handle.takeDescriptorOwnership() }
            let region = FileRegion(
                fileHandle: handle,
                readerIndex: Int(region.range.lowerBound),
                endIndex: Int(region.range.upperBound)
            )
            try await channel.triggerUserOutboundEvent(SendFile(region: region)).get()
        }
    }

    /// Says that the client waits for leave to send its body: an answer without that ends the connection.
    static func awaitContinue(on channel: any Channel) async throws {
        try await channel.triggerUserOutboundEvent(AwaitsContinue()).get()
    }

    /// Tells the client that it may send its body.
    static func sendContinue(on channel: any Channel) async throws {
        try await channel.triggerUserOutboundEvent(Continue()).get()
    }
}
