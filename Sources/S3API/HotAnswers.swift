import Model
import NIOCore
import NIOHTTP1
import S3Wire

/// Answers what is in memory at once, on the connection's thread; everything else is passed on, in order.
///
/// Stands behind the decoder. A request that a task takes costs more than all that is done for it where the object is
/// in memory.
final class HotAnswers: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// After so long the next request is passed on, so that whoever closes idle connections sees that this one is not.
    private static let longestSilence = TimeAmount.seconds(10)

    private let responder: S3Responder
    private let serverName: String
    /// A request whose end has not come yet.
    private var held: HTTPRequestHead?
    /// Requests that were passed on and are not answered yet: no other may be answered before them.
    private var unanswered = 0
    private var lastPassedOn = NIODeadline.now()
    private var hasWritten = false
    /// The date of answers, for the second that it was made in.
    private var date = (seconds: Int64.min, text: "")

    init(_ responder: S3Responder, serverName: String) {
        self.responder = responder
        self.serverName = serverName
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            if held == nil, unanswered == 0, isCandidate(head) {
                held = head
            } else {
                passOn(head, context)
            }
        case .body:
            passOnHeld(context)
            context.fireChannelRead(data)
        case .end(let trailer):
            if let head = held, trailer == nil,
                let answer = responder.hotAnswer(to: head, from: context.remoteAddress?.ipAddress ?? "")
            {
                held = nil
                write(answer, context)
            } else {
                passOnHeld(context)
                context.fireChannelRead(data)
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if hasWritten {
            hasWritten = false
            context.flush()
        }
        context.fireChannelReadComplete()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        // What answers a broken request answers none that was passed on.
        if unanswered > 0, case .end = unwrapOutboundIn(data) { unanswered -= 1 }
        context.write(data, promise: promise)
    }

    private func isCandidate(_ head: HTTPRequestHead) -> Bool {
        guard head.method == .GET || head.method == .HEAD, head.version == .http1_1 else { return false }
        guard NIODeadline.now() - lastPassedOn < Self.longestSilence else { return false }
        // What the connection is to become, and bodies, are for the long way.
        return head.isKeepAlive && !head.headers.contains(name: "expect") && !head.headers.contains(name: "upgrade")
    }

    private func passOnHeld(_ context: ChannelHandlerContext) {
        guard let head = held else { return }
        held = nil
        passOn(head, context)
    }

    private func passOn(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        unanswered += 1
        lastPassedOn = .now()
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    private func write(_ answer: HotAnswer, _ context: ChannelHandlerContext) {
        var head = answer.head
        head.headers.add(name: "date", value: currentDate())
        head.headers.add(name: "server", value: serverName)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if let content = answer.content {
            context.write(wrapOutboundOut(.body(.byteBuffer(content))), promise: nil)
        }
        context.write(wrapOutboundOut(.end(nil)), promise: nil)
        hasWritten = true
    }

    private func currentDate() -> String {
        let now = responder.authentication.now()
        if now.seconds != date.seconds { date = (now.seconds, HTTPDate.text(now)) }
        return date.text
    }
}
