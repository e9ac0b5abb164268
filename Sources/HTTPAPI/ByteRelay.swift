import NIOCore

/// One end of a connection whose bytes are passed to another one, and the other's to it, whatever they mean.
///
/// Stands first in the pipeline, before the codec of what was spoken until then. Each side is read only as fast as the
/// other takes; one that has said all can still listen.
///
/// Not `Sendable`: both ends are on one event loop.
final class ByteRelay: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private weak var partner: ByteRelay?
    private var onEnd: (() -> Void)?
    private var context: ChannelHandlerContext?
    /// What has come before both ends were in place.
    private var early: [ByteBuffer] = []
    private var isReadHeld = false
    private var isInputClosed = false
    private var isOutputEnding = false
    private var isOutputClosed = false

    /// Both ends; `onEnd` is called once, when one of them is closed.
    static func pair(onEnd: @escaping () -> Void) -> (ByteRelay, ByteRelay) {
        let (one, other) = (ByteRelay(), ByteRelay())
        (one.partner, other.partner) = (other, one)
        one.onEnd = onEnd
        other.onEnd = onEnd
        return (one, other)
    }

    private init() {}

    private var isWritable: Bool { context?.channel.isWritable ?? false }

    /// Begins to pass bytes on: both ends are in their pipelines.
    func open() {
        for bytes in early { partner?.send(bytes) }
        early = []
        partner?.context?.flush()
        // What was read before the ends were in place is not asked for again.
        context?.read()
    }

    /// Takes bytes that came in some other way: what a codec had left over.
    func receive(_ bytes: ByteBuffer) {
        if let partner, partner.context != nil, early.isEmpty, context != nil {
            partner.send(bytes)
        } else {
            early.append(bytes)
        }
    }

    private func send(_ bytes: ByteBuffer) { context?.write(wrapOutboundOut(bytes), promise: nil) }

    // MARK: Channel

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { receive(unwrapInboundIn(data)) }

    func channelReadComplete(context: ChannelHandlerContext) { partner?.context?.flush() }

    func read(context: ChannelHandlerContext) {
        if partner?.isWritable ?? false {
            context.read()
        } else {
            isReadHeld = true
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable, let partner, partner.isReadHeld {
            partner.isReadHeld = false
            partner.context?.read()
        }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event as? ChannelEvent == .inputClosed else { return context.fireUserInboundEventTriggered(event) }
        isInputClosed = true
        partner?.closeOutput()
        closeIfDone()
    }

    /// Says that no more will come, when all that came was taken.
    private func closeOutput() {
        guard !isOutputEnding, let context else { return }
        isOutputEnding = true
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in
            self.isOutputClosed = true
            // Where nothing more comes either, the channel closes as a whole.
            context.close(mode: self.isInputClosed ? .all : .output, promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
    }

    private func closeIfDone() {
        if isInputClosed, isOutputClosed { context?.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelInactive(context: ChannelHandlerContext) {
        partner?.context?.close(promise: nil)
        onEnd?()
        onEnd = nil
        context.fireChannelInactive()
    }
}
