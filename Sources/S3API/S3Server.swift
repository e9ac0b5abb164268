import HTTPTypes
package import HummingbirdCore
import Logging
package import NIOCore
import NIOHTTP1

/// The HTTP server that a `S3Responder` needs.
package enum S3Server {
    /// Answers `Expect: 100-continue`, for which many clients wait before they send a body, when the body is first
    /// read.
    ///
    /// Where it is not, since the request was refused, the connection ends with the answer: the client may or may not
    /// send the body then, so that nobody could tell where the next request begins.
    ///
    /// - Parameters:
    ///   - hot: whom to ask for answers that are in memory already, and the name that answers give the server;
    ///     `nil` for nobody.
    ///   - behindDecoder: makes handlers that see each connection's requests before the responder does, in that order, and
    ///     may keep some of them, or the connection; called on the connection's event loop.
    ///   - idleTimeout: after which a silent connection is closed; `nil` for never.
    ///   - securing: puts TLS before all else of a connection; called on its event loop. The kernel cannot send from files then.
    package static func http1(
        hot: (responder: S3Responder, serverName: String)? = nil,
        behindDecoder: (@Sendable (any Channel) -> [any RemovableChannelHandler & ChannelInboundHandler])? = nil,
        idleTimeout: TimeAmount? = .seconds(120),
        securing: (@Sendable (any Channel) throws -> Void)? = nil
    ) -> HTTPServerBuilder {
        HTTPServerBuilder { responder in
            LoopBoundChannel(
                hot: hot, behindDecoder: behindDecoder, securing: securing,
                http: HTTP1Channel(
                    responder: { request, writer, channel in
                        guard request.headers[.expect]?.lowercased() == "100-continue" else {
                            return try await responder(request, writer, channel)
                        }
                        let body = AwaitedBody(request.body, channel: channel)
                        var request = request
                        request.body = RequestBody(asyncSequence: body)
                        try await OutboundEvents.awaitContinue(on: channel)
                        try await responder(request, writer, channel)
                        if !body.wasAskedFor { try await channel.close(mode: .output) }
                    },
                    configuration: .init(idleTimeout: idleTimeout)
                )
            )
        }
    }
}

/// A connection that is served on its event loop's thread, and that takes outbound events.
private struct LoopBoundChannel: ServerChildChannel {
    let hot: (responder: S3Responder, serverName: String)?
    let behindDecoder: (@Sendable (any Channel) -> [any RemovableChannelHandler & ChannelInboundHandler])?
    let securing: (@Sendable (any Channel) throws -> Void)?
    let http: HTTP1Channel

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        do { try securing?(channel) } catch { return channel.eventLoop.makeFailedFuture(error) }
        let value = addHandlers(channel, logger)
        guard let behindDecoder else { return value }
        return value.flatMap { value in
            do {
                let pipeline = channel.pipeline.syncOperations
                let old = try pipeline.context(handlerType: ByteToMessageHandler<HTTPRequestDecoder>.self)
                // Where a connection changes its protocol, what was read too much must not be lost, as with the old one.
                let decoder = HTTPRequestDecoder(
                    leftOverBytesStrategy: .forwardBytes, limitConfiguration: Self.limits(http.configuration))
                let handler = ByteToMessageHandler(decoder)
                try pipeline.addHandler(handler, position: .after(old.handler))
                try pipeline.addHandlers(behindDecoder(channel), position: .after(handler))
                return pipeline.removeHandler(context: old).map { value }
            } catch {
                return channel.eventLoop.makeFailedFuture(error)
            }
        }
    }

    private static func limits(_ configuration: HTTP1Channel.Configuration) -> NIOHTTPDecoderLimitConfiguration {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = configuration.httpDecoder.maxHeaderFieldSize
        limits.maxHeaderListSize = configuration.httpDecoder.maxHeaderListSize
        limits.maxHeaderFieldCount = configuration.httpDecoder.maxHeaderFieldCount
        return limits
    }

    private func addHandlers(_ channel: any Channel, _ logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        http.setup(channel: channel, logger: logger).flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let encoder = try pipeline.handler(type: HTTPResponseEncoder.self)
            try pipeline.addHandler(OutboundEvents(readsFiles: securing != nil), position: .after(encoder))
            if let hot {
                let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
                let answers = HotAnswers(hot.responder, serverName: hot.serverName)
                try pipeline.addHandler(answers, position: .after(decoder))
            }
            return value
        }
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await withTaskExecutorPreference(EventLoopExecutor(value.channel.eventLoop)) {
            await http.handle(value: value, logger: logger)
        }
    }
}
