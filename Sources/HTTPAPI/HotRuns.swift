import Cluster
import Identity
import Logging
import Model
import NIOCore
import NIOHTTP1
import S3Wire

/// Answers small runs of warm services on the connection's own thread; everything else is passed on, in order.
///
/// Stands behind the decoder. What a task and the layers of a router cost is more than all that such a run needs.
final class HotRuns: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// Names an answer that was prepared here to the route that sends it; taken off what clients send.
    static let preparedHeader = "x-apus-prepared"
    private static let path = "/run/"
    /// As the router names it.
    private static let route = "/run/{service}"

    private struct Candidate {
        let head: HTTPRequestHead
        let service: ServiceName
        let principal: String
        let form: RunDispatcher.Form
        var body: ByteBuffer?
    }

    private let runs: RunDispatcher
    private let catalog: ServiceCatalog
    private let authenticator: Authenticator
    private let serverName: String
    private let metrics: RouteMetrics
    private let now: @Sendable () -> Instant
    private var candidate: Candidate?
    /// What the administrator last sent on this connection to be known: it does not change while the program runs, and is not
    /// compared anew with each request.
    private var administrator: (authorization: String, principal: Principal)?
    /// What ends the run that is under way here.
    private var running: (@Sendable () -> Void)?
    /// What came while one was.
    private var waiting = CircularBuffer<HTTPServerRequestPart>()
    /// Requests that were passed on and are not answered yet: no other may be answered before them.
    private var unanswered = 0
    private var date = (seconds: Int64.min, text: "")
    private var isGone = false
    private var isReadHeld = false

    init(
        runs: RunDispatcher,
        catalog: ServiceCatalog,
        authenticator: Authenticator,
        serverName: String,
        metrics: RouteMetrics,
        now: @escaping @Sendable () -> Instant
    ) {
        self.runs = runs
        self.catalog = catalog
        self.authenticator = authenticator
        self.serverName = serverName
        self.metrics = metrics
        self.now = now
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if running != nil { waiting.append(part) } else { take(part, context) }
    }

    func read(context: ChannelHandlerContext) {
        // Whoever sends the next request before the answer to this one waits, rather than filling the memory.
        if waiting.isEmpty { context.read() } else { isReadHeld = true }
    }

    func channelInactive(context: ChannelHandlerContext) {
        isGone = true
        running?()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // Whoever closes its side of the connection does not wait for an answer.
        if case .inputClosed? = event as? ChannelEvent { running?() }
        context.fireUserInboundEventTriggered(event)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        // What answers a broken request answers none that was passed on.
        if unanswered > 0, case .end = unwrapOutboundIn(data) { unanswered -= 1 }
        context.write(data, promise: promise)
    }

    // MARK: Requests

    private func take(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        switch part {
        case .head(let head):
            candidate = unanswered == 0 ? candidate(head, context.remoteAddress?.ipAddress) : nil
            if candidate == nil { passOn(head, context) }
        case .body(let bytes):
            guard candidate != nil else { return context.fireChannelRead(wrapInboundOut(part)) }
            if candidate?.body == nil {
                candidate?.body = bytes
            } else {
                var bytes = bytes
                candidate?.body?.writeBuffer(&bytes)
            }
        case .end(let trailers):
            guard let run = candidate else { return context.fireChannelRead(wrapInboundOut(part)) }
            candidate = nil
            guard trailers == nil, begin(run, context) else { return passOnWhole(run, context) }
        }
    }

    /// What may be answered here, by its head alone.
    private func candidate(_ head: HTTPRequestHead, _ address: @autoclosure () -> String?) -> Candidate? {
        guard head.method == .POST, head.version == .http1_1, head.uri.utf8.starts(with: Self.path.utf8),
            head.isKeepAlive, let fields = SmallRunFields(head.headers),
            fields.length <= RunDispatcher.largestSmallBody,
            let service = try? ServiceName(Substring(head.uri.utf8.dropFirst(Self.path.utf8.count))),
            let principal = principal(fields.authorization, address()),
            let found = catalog[service], principal.may(.run, found.definition)
        else { return nil }
        return Candidate(
            head: head, service: service, principal: principal.name, form: fields.wantsBytes ? .bytes : .oscar)
    }

    private func principal(_ authorization: String?, _ address: @autoclosure () -> String?) -> Principal? {
        if let administrator, administrator.authorization == authorization { return administrator.principal }
        guard
            case .principal(let principal) = authenticator.authenticate(
                authorization: authorization, from: address(), countsFailures: false)
        else { return nil }
        if case .administrator = principal, let authorization { administrator = (authorization, principal) }
        return principal
    }

    private func begin(_ run: Candidate, _ context: ChannelHandlerContext) -> Bool {
        let start = ContinuousClock.now
        guard
            let small = runs.runSmall(
                run.service, body: run.body ?? ByteBuffer(), form: run.form, principal: run.principal,
                on: context.eventLoop)
        else { return false }
        running = small.cancel
        let context = context
        small.answer.assumeIsolated().whenComplete { result in
            self.running = nil
            guard !self.isGone else { return self.forget(result) }
            self.settle(result, run, ContinuousClock.now - start, context)
            while self.running == nil, let part = self.waiting.popFirst() { self.take(part, context) }
            context.fireChannelReadComplete()
            guard self.waiting.isEmpty, self.isReadHeld else { return }
            self.isReadHeld = false
            context.read()
        }
        return true
    }

    private func settle(
        _ result: Result<RunDispatcher.SmallAnswer, any Error>,
        _ run: Candidate,
        _ time: Duration,
        _ context: ChannelHandlerContext
    ) {
        switch result {
        case .success(.text(let text, let contentType, let isFailure)):
            write(text, contentType, isFailure: isFailure, time, context)
        case .success(.prepared(let number)):
            var run = run
            run.body = nil
            passOnWhole(run, context, prepared: number)
        case .success(.lost): passOnWhole(run, context)
        case .failure(let error):
            write(ByteBuffer(string: "\(error)"), "text/plain; charset=utf-8", isFailure: true, time, context)
        }
    }

    /// Nobody is there any more who could fetch the answer.
    private func forget(_ result: Result<RunDispatcher.SmallAnswer, any Error>) {
        guard case .success(.prepared(let number)) = result, let answer = runs.prepared(number) else { return }
        // Nobody awaits this; what stays is removed at the next start.
        Task { await answer.discard() }
    }

    // MARK: Passing on

    private func passOn(_ head: HTTPRequestHead, _ context: ChannelHandlerContext, prepared: UInt64? = nil) {
        unanswered += 1
        var head = head
        if head.headers.contains(name: Self.preparedHeader) { head.headers.remove(name: Self.preparedHeader) }
        if let prepared {
            head.headers.add(name: Self.preparedHeader, value: "\(prepared)")
            head.headers.replaceOrAdd(name: "content-length", value: "0")
        }
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    private func passOnWhole(_ run: Candidate, _ context: ChannelHandlerContext, prepared: UInt64? = nil) {
        passOn(run.head, context, prepared: prepared)
        if let body = run.body { context.fireChannelRead(wrapInboundOut(.body(body))) }
        context.fireChannelRead(wrapInboundOut(.end(nil)))
    }

    // MARK: Answers

    private func write(
        _ text: ByteBuffer,
        _ contentType: String,
        isFailure: Bool,
        _ time: Duration,
        _ context: ChannelHandlerContext
    ) {
        metrics.answered(
            route: Self.route, method: "POST", status: isFailure ? 500 : 200, after: time)
        var headers = HTTPHeaders()
        headers.reserveCapacity(5)
        headers.add(name: "content-type", value: contentType)
        headers.add(name: "content-length", value: "\(text.readableBytes)")
        headers.add(name: "x-duration-seconds", value: "\(Double(time.nanoseconds) / 1e9)")
        headers.add(name: "date", value: currentDate())
        headers.add(name: "server", value: serverName)
        let head = HTTPResponseHead(
            version: .http1_1, status: isFailure ? .internalServerError : .ok, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if text.readableBytes > 0 { context.write(wrapOutboundOut(.body(.byteBuffer(text))), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    private func currentDate() -> String {
        let now = now()
        if now.seconds != date.seconds { date = (now.seconds, HTTPDate.text(now)) }
        return date.text
    }
}
