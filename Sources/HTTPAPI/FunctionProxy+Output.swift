import NIOCore
import NIOHTTP1

// Writes past the encoder: that one adds headers of its own, and takes an answer to HEAD for one with a body.
extension FunctionProxy {
    /// A piece that is smaller is copied, so that it goes with others in one write.
    private static let smallPiece = 4 << 10

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func put(text: String) { output.writeString(text) }

    func put(head: HTTPResponseHead) {
        output.writeStaticString("HTTP/1.1 ")
        output.writeString(String(head.status.code))
        output.writeStaticString(" ")
        // The program's own words are lost on the way; they mean nothing (RFC 9112, section 4).
        output.writeString(head.status.code == 103 ? "Early Hints" : head.status.reasonPhrase)
        output.writeStaticString("\r\n")
        for (name, value) in head.headers {
            output.writeString(name)
            output.writeStaticString(": ")
            output.writeString(value)
            output.writeStaticString("\r\n")
        }
        output.writeStaticString("\r\n")
    }

    func put(body: ByteBuffer, _ framing: ProxyAnswerState.Framing) {
        guard body.readableBytes > 0 else { return }
        switch framing {
        case .none: break
        case .plain, .untilClose: put(bytes: body)
        case .chunked:
            put(text: "\(String(body.readableBytes, radix: 16))\r\n")
            put(bytes: body)
            put(text: "\r\n")
        }
    }

    private func put(bytes: ByteBuffer) {
        if bytes.readableBytes <= Self.smallPiece {
            output.writeImmutableBuffer(bytes)
        } else {
            writeOutput()
            write(bytes)
        }
    }

    private func writeOutput() {
        guard output.readableBytes > 0 else { return }
        write(output)
        output = ByteBuffer()
    }

    private func write(_ bytes: ByteBuffer) {
        encoderContext?.write(NIOAny(IOData.byteBuffer(bytes)), promise: nil)
    }

    func flushOutput() {
        writeOutput()
        encoderContext?.flush()
    }

    private var encoderContext: ChannelHandlerContext? {
        try? context?.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self)
    }

    /// A close at once would drop what the client has not taken yet.
    func closeWhenWritten() {
        guard let context, let encoderContext else { return }
        let written = context.eventLoop.makePromise(of: Void.self)
        let closed = NIOLoopBound(context, eventLoop: context.eventLoop)
        written.futureResult.whenComplete { _ in closed.value.close(promise: nil) }
        encoderContext.writeAndFlush(NIOAny(IOData.byteBuffer(ByteBuffer())), promise: written)
    }

    // MARK: Own answers

    /// Tells the client that it may send its body.
    func invite() {
        put(text: "HTTP/1.1 100 Continue\r\n\r\n")
        flushOutput()
    }

    /// Answers a request that no exchange was begun for.
    func answer(_ own: ProxyAnswer, to head: HTTPRequestHead) {
        let hasBody =
            head.headers.contains(name: "transfer-encoding") || head.headers.contains(name: "expect")
            || head.headers.first(name: "content-length").map { $0 != "0" } ?? false
        let keepsAlive =
            !hasBody && !isClosing && head.isKeepAlive && !head.headers.contains(name: "upgrade")
        write(own, to: head, keepsAlive: keepsAlive)
        guard !keepsAlive else { return }
        if hasBody { discardRest() } else { closeWhenWritten() }
    }

    /// Answers in the place of a program.
    func answer(_ own: ProxyAnswer, to exchange: ProxyExchange) {
        let keepsAlive =
            exchange.isRequestComplete && !isClosing && exchange.head.isKeepAlive
            && !exchange.head.headers.contains(name: "upgrade")
        write(own, to: exchange.head, keepsAlive: keepsAlive)
        ended(exchange, keepsAlive: keepsAlive)
    }

    private func write(_ own: ProxyAnswer, to head: HTTPRequestHead, keepsAlive: Bool) {
        var headers = HTTPHeaders(own.headers)
        if !own.text.isEmpty { headers.add(name: "content-type", value: "text/plain; charset=utf-8") }
        headers.add(name: "content-length", value: "\(own.text.utf8.count)")
        if head.headers.contains(name: "origin") { headers.add(name: "access-control-allow-origin", value: "*") }
        if !keepsAlive {
            headers.add(name: "connection", value: "close")
        } else if head.version != .http1_1 {
            headers.add(name: "connection", value: "keep-alive")
        }
        put(head: HTTPResponseHead(version: .http1_1, status: own.status, headers: headers))
        if head.method != .HEAD { put(text: own.text) }
        flushOutput()
    }

    // MARK: Other protocols

    /// From now on both connections carry bytes that mean nothing to us.
    func relay(to upstream: UpstreamConnection, saying head: HTTPResponseHead, onEnd: @escaping () -> Void) {
        guard let context, let other = upstream.channel else {
            upstream.close()
            onEnd()
            context?.close(promise: nil)
            return
        }
        let (own, theirs) = ByteRelay.pair(onEnd: onEnd)
        (relay, upstream.relay) = (own, theirs)
        exchange = nil
        do {
            let (pipeline, otherPipeline) = (context.pipeline.syncOperations, other.pipeline.syncOperations)
            // They hand over what they have read too much of.
            let decoder = try pipeline.context(handlerType: ByteToMessageHandler<HTTPRequestDecoder>.self)
            let otherDecoder = try otherPipeline.context(handlerType: ByteToMessageHandler<HTTPResponseDecoder>.self)
            let removed = pipeline.removeHandler(context: decoder).and(
                otherPipeline.removeHandler(context: otherDecoder))
            removed.assumeIsolated().whenComplete { _ in self.open(own, theirs, upstream, saying: head) }
        } catch {
            upstream.close()
            onEnd()
            context.close(promise: nil)
        }
    }

    private func open(
        _ own: ByteRelay, _ theirs: ByteRelay, _ upstream: UpstreamConnection, saying head: HTTPResponseHead
    ) {
        guard let context, context.channel.isActive, upstream.isOpen else {
            upstream.close()
            context?.close(promise: nil)
            return
        }
        put(head: head)
        flushOutput()
        do {
            try context.pipeline.syncOperations.addHandler(own, position: .first)
            try upstream.channel?.pipeline.syncOperations.addHandler(theirs, position: .first)
        } catch {
            upstream.close()
            context.close(promise: nil)
            return
        }
        isRelaying = true
        own.open()
        theirs.open()
    }
}
