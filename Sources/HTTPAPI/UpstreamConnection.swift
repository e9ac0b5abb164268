import NIOCore
import NIOHTTP1

/// What gets the answer that comes over a connection to a program.
protocol UpstreamTaker: AnyObject {
    /// Whether more of the answer may come.
    var wantsAnswer: Bool { get }
    func take(_ part: HTTPClientResponsePart)
    /// All that has come so far was taken.
    func tookAll()
    /// The program takes more, or less, of the request.
    func upstreamTakesMore()
    /// No more will come over this connection.
    func upstreamEnded(_ error: (any Error)?)
}

/// A connection to a program's HTTP server; carries one exchange after the other.
///
/// Not `Sendable`: all happens on its event loop.
final class UpstreamConnection: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = HTTPClientRequestPart

    /// Where it leads to.
    let path: String
    /// Since when nobody has used it.
    var idleSince = NIODeadline.now()
    /// How many exchanges it has carried before the present one.
    private(set) var uses = 0
    private(set) weak var taker: (any UpstreamTaker)?
    private weak var pool: UpstreamPool?
    private var context: ChannelHandlerContext?
    private var isReadHeld = false
    /// What the bytes behind the answer are for, once the connection carries another protocol.
    var relay: ByteRelay?

    init(path: String, pool: UpstreamPool) {
        self.path = path
        self.pool = pool
    }

    var isOpen: Bool { context?.channel.isActive ?? false }
    var takesMore: Bool { context?.channel.isWritable ?? false }
    var channel: (any Channel)? { context?.channel }

    // MARK: The request

    /// Sends the head of a request, whose answer goes to the taker.
    func begin(_ head: HTTPRequestHead, for taker: any UpstreamTaker) {
        self.taker = taker
        context?.write(wrapOutboundOut(.head(head)), promise: nil)
    }

    func send(_ bytes: ByteBuffer) {
        context?.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
    }

    func end() { context?.write(wrapOutboundOut(.end(nil)), promise: nil) }

    func flush() { context?.flush() }

    /// The exchange is over; the connection can carry another one.
    func release() {
        taker = nil
        uses += 1
        idleSince = .now()
        resumeReading()
    }

    func close() {
        taker = nil
        context?.close(promise: nil)
    }

    /// To be called when `wantsAnswer` may have become true.
    func resumeReading() {
        guard isReadHeld, taker?.wantsAnswer ?? true else { return }
        isReadHeld = false
        context?.read()
    }

    // MARK: Channel

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func read(context: ChannelHandlerContext) {
        if taker?.wantsAnswer ?? true {
            context.read()
        } else {
            isReadHeld = true
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if let relay { return relay.receive(ByteRelay.unwrapInboundIn(data)) }
        // Whoever speaks without being asked is not to be trusted with the next request.
        guard let taker else { return close() }
        taker.take(unwrapInboundIn(data))
    }

    func channelReadComplete(context: ChannelHandlerContext) { taker?.tookAll() }

    func channelWritabilityChanged(context: ChannelHandlerContext) { taker?.upstreamTakesMore() }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // Half a connection is of no use but for a relay, which sees this before.
        if event as? ChannelEvent == .inputClosed { end(context, nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { end(context, error) }

    func channelInactive(context: ChannelHandlerContext) { end(context, nil) }

    private func end(_ context: ChannelHandlerContext, _ error: (any Error)?) {
        pool?.remove(self)
        let taker = taker
        self.taker = nil
        context.close(promise: nil)
        taker?.upstreamEnded(error)
    }
}
