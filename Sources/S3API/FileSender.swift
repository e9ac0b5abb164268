import NIOCore
import NIOHTTP1
import ObjectEngine

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
            try await channel.triggerUserOutboundEvent(Send(region: region)).get()
        }
    }
}
