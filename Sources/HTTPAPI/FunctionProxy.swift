import Cluster
import Identity
import Logging
import Model
import NIOCore
import NIOHTTP1

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What all connections' proxies need of the program around them.
struct ProxySurroundings {
    let router: ProxyRouter
    let servers: FunctionServers
    let pool: UpstreamPool
    let metrics: ProxyMetrics
    let now: @Sendable () -> Instant
    let logger: Logger
}

/// Answers the requests of one client's connection that are for functions' own servers; everything else is passed on,
/// in order.
///
/// Stands behind the decoder, before whoever answers the rest. So that bodies pass without a task between, and a
/// connection can become one of another protocol.
final class FunctionProxy: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// Who gets the parts of the request that is coming.
    enum Receiver { case nobody, others, exchange }

    let surroundings: ProxySurroundings
    private let idleTimeout: TimeAmount
    private var address = ""
    var context: ChannelHandlerContext?
    private var receiver = Receiver.nobody
    var exchange: ProxyExchange?
    /// Requests that were passed on and are not answered yet: no other may be answered before them.
    private var unanswered = 0
    /// What cannot be looked at before the requests that came earlier are answered.
    private var waiting = CircularBuffer<HTTPServerRequestPart>()
    private var isReadHeld = false
    private var isTaking = false
    /// Whether whose token the next request has is being found out; everything waits for that.
    private var isVerifying = false
    /// What was found out of it.
    private var verdict: Result<User, LoginRefusal>?
    /// Whether the connection ends with the answer.
    var isClosing = false
    /// What is still to be thrown away of a request that was answered early; `nil` where there is none.
    private var lingering: Int?
    /// Collects small pieces, so that an answer is one write.
    var output = ByteBuffer()
    var relay: ByteRelay?
    var isRelaying = false
    private var lastActivity = NIODeadline.now()
    private var idleCheck: Scheduled<Void>?

    init(_ surroundings: ProxySurroundings, idleTimeout: TimeAmount) {
        self.surroundings = surroundings
        self.idleTimeout = idleTimeout
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if let relay { return relay.receive(ByteRelay.unwrapInboundIn(data)) }
        lastActivity = .now()
        let part = unwrapInboundIn(data)
        if lingering != nil { return discard(part, context) }
        if !waiting.isEmpty || isTaking || !take(part, context) { waiting.append(part) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        exchange?.receivedAll()
        context.fireChannelReadComplete()
    }

    /// Gives a part to whom it is for; false where it must wait.
    private func take(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) -> Bool {
        switch (part, receiver) {
        case (.head(let head), _): return begin(head, context)
        case (.body(let bytes), .exchange): exchange?.receive(bytes)
        case (.end, .exchange):
            receiver = .nobody
            exchange?.receiveEnd()
        case (.end, .others):
            receiver = .nobody
            context.fireChannelRead(wrapInboundOut(part))
        case (_, .others): context.fireChannelRead(wrapInboundOut(part))
        case (_, .nobody): break
        }
        return true
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) -> Bool {
        guard exchange == nil, !isVerifying else { return false }
        let found = verdict.take()
        switch surroundings.router.decide(head, from: address, verdict: found) {
        case .verify(let token):
            verify(token, context)
            return false
        case .passOn:
            unanswered += 1
            receiver = .others
            context.fireChannelRead(wrapInboundOut(.head(head)))
        case .answer(let answer):
            guard unanswered == 0 else { return false }
            receiver = .nobody
            self.answer(answer, to: head)
        case .forward(let target):
            guard unanswered == 0 else { return false }
            receiver = .exchange
            do {
                let exchange = try ProxyExchange(head, to: target, for: self, address: address, surroundings)
                self.exchange = exchange
                exchange.findSeat()
            } catch {
                receiver = .nobody
                answer(ProxyAnswer(.badRequest, "the request's headers cannot be passed on"), to: head)
            }
        }
        return true
    }

    /// Asks whose token that is; the request waits, and what comes behind it.
    private func verify(_ token: String, _ context: ChannelHandlerContext) {
        isVerifying = true
        let authenticator = surroundings.router.authenticator
        let found = context.eventLoop.makePromise(of: Result<User, LoginRefusal>.self)
        // Ends by itself, by the deadlines of what it asks; the connection may be gone by then.
        Task { found.succeed(await authenticator.verify(token: token)) }
        found.futureResult.assumeIsolated().whenSuccess { [weak self] result in
            guard let self else { return }
            isVerifying = false
            verdict = result
            lastActivity = .now()
            proceed()
        }
    }

    /// Takes what waits, as far as that goes now.
    func proceed() {
        guard let context, !isTaking else { return }
        isTaking = true
        while lingering == nil, let part = waiting.popFirst() {
            guard take(part, context) else {
                waiting.prepend(part)
                break
            }
        }
        isTaking = false
        exchange?.receivedAll()
        // Whoever answers the rest looks at what has come only then.
        context.fireChannelReadComplete()
        wantsInputChanged()
    }

    // MARK: Reading

    private var wantsInput: Bool {
        if isRelaying || lingering != nil { return true }
        guard waiting.isEmpty, relay == nil else { return false }
        return receiver != .exchange || exchange?.wantsBody ?? true
    }

    /// To be called where more may be read than before.
    func wantsInputChanged() {
        guard isReadHeld, wantsInput else { return }
        isReadHeld = false
        context?.read()
    }

    func read(context: ChannelHandlerContext) {
        if wantsInput {
            context.read()
        } else {
            isReadHeld = true
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { exchange?.upstream?.resumeReading() }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Answers of others

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        // What answers a broken request answers none that was passed on.
        let isEnd = if case .end = unwrapOutboundIn(data) { unanswered > 0 } else { false }
        context.write(data, promise: promise)
        guard isEnd else { return }
        unanswered -= 1
        lastActivity = .now()
        if !waiting.isEmpty { proceed() }
    }

    /// Whoever answers the rest knows nothing of an exchange: where it wants to close the connection, that waits.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard exchange != nil, mode != .input else { return context.close(mode: mode, promise: promise) }
        isClosing = true
        promise?.succeed()
    }

    // MARK: Ends

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent, isRelaying { return context.close(promise: nil) }
        if event as? ChannelEvent == .inputClosed, exchange != nil || lingering != nil { return leave(context) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard exchange != nil || lingering != nil else { return context.fireErrorCaught(error) }
        // What comes behind a good request does not spoil its answer.
        if error is HTTPParserError, exchange != nil, receiver != .exchange { isClosing = true } else { leave(context) }
    }

    private func leave(_ context: ChannelHandlerContext) {
        exchange?.cancel()
        exchange = nil
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        exchange?.cancel()
        exchange = nil
        idleCheck?.cancel()
        context.fireChannelInactive()
    }

    /// The exchange is over, its answer written.
    func ended(_ exchange: ProxyExchange, keepsAlive: Bool) {
        guard exchange === self.exchange else { return }
        flushOutput()
        lastActivity = .now()
        let isWhole = receiver != .exchange
        receiver = .nobody
        self.exchange = nil
        if keepsAlive, !isClosing { return proceed() }
        if isWhole { closeWhenWritten() } else { discardRest() }
    }

    /// Closes the connection in a way that shows that the answer is not whole.
    func breakOff(_ exchange: ProxyExchange) {
        guard let context else { return }
        flushOutput()
        self.exchange = nil
        // A close alone would look like the end of an answer that ends with the connection.
        if case .untilClose = exchange.answer.framing, let channel = context.channel as? any SocketOptionProvider {
            let closed = NIOLoopBound(context, eventLoop: context.eventLoop)
            channel.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in closed.value.close(promise: nil) }
        } else {
            context.close(promise: nil)
        }
    }

    /// Says all and throws away what still comes, for a while: closing at once would make the client lose the answer
    /// (RFC 9112, section 9.6).
    func discardRest() {
        guard let context, lingering == nil else { return }
        lingering = Self.mostDiscarded
        waiting.removeAll()
        context.close(mode: .output, promise: nil)
        _ = context.eventLoop.assumeIsolated().scheduleTask(in: Self.longestLinger) { [weak self] in
            self?.context?.close(promise: nil)
        }
        wantsInputChanged()
    }

    private static let mostDiscarded = 16 << 20
    private static let longestLinger = TimeAmount.seconds(5)

    private func discard(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        guard case .body(let bytes) = part, let left = lingering else { return }
        lingering = left - bytes.readableBytes
        if left < bytes.readableBytes { context.close(promise: nil) }
    }

    // MARK: Idle connections

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { begin(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        idleCheck?.cancel()
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        address = context.remoteAddress?.ipAddress ?? "unknown"
        lastActivity = .now()
        scheduleIdleCheck(context, in: idleTimeout)
    }

    private func scheduleIdleCheck(_ context: ChannelHandlerContext, in time: TimeAmount) {
        idleCheck = context.eventLoop.assumeIsolated().scheduleTask(in: time) { [weak self] in self?.checkIdle() }
    }

    /// Closes a connection on which the client owes something for too long: a request, or the rest of one.
    private func checkIdle() {
        guard let context, !isRelaying else { return }
        let isOurTurn = isReadHeld || isVerifying || (receiver == .nobody && (exchange != nil || unanswered > 0))
        if isOurTurn { lastActivity = .now() }
        let rest = idleTimeout - (.now() - lastActivity)
        if rest <= .zero { leave(context) } else { scheduleIdleCheck(context, in: rest) }
    }
}
