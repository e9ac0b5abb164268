import NIOCore
import NIOHTTP1

/// Puts ranges of files into the body of an answer, for the kernel to copy from file to socket.
///
/// Stands between the codec of HTTP types, which knows only bytes in memory, and the encoder, which knows both.
final class FileSender: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// The event that asks for it; its promise is kept when all was handed to the kernel.
    struct Send: Sendable {
        let region: FileRegion
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard let send = event as? Send else { return context.triggerUserOutboundEvent(event, promise: promise) }
        context.writeAndFlush(wrapOutboundOut(.body(.fileRegion(send.region))), promise: promise)
    }
}
