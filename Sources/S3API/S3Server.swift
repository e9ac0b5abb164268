import HTTPTypes
package import HummingbirdCore
import Logging
package import NIOCore
import NIOHTTP1

/// The HTTP server that a `S3Responder` needs.
package enum S3Server {
    /// Answers `Expect: 100-continue` at once, for which many clients wait before they send a body: so they get an
    /// error after their upload rather than before it, but the connection stays usable.
    ///
    /// - Parameter idleTimeout: after which a silent connection is closed; `nil` for never.
    package static func http1(idleTimeout: TimeAmount? = .seconds(120)) -> HTTPServerBuilder {
        HTTPServerBuilder { responder in
            LoopBoundChannel(
                http: HTTP1Channel(
                    responder: { request, writer, channel in
                        if request.headers[.expect]?.lowercased() == "100-continue" {
                            try await writer.writeInformationalHead(HTTPResponse(status: .continue))
                        }
                        try await responder(request, writer, channel)
                    },
                    configuration: .init(idleTimeout: idleTimeout)
                )
            )
        }
    }
}

/// A connection that is served on its event loop's thread, and that can send files.
private struct LoopBoundChannel: ServerChildChannel {
    let http: HTTP1Channel

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        http.setup(channel: channel, logger: logger).flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let encoder = try pipeline.handler(type: HTTPResponseEncoder.self)
            try pipeline.addHandler(FileSender(), position: .after(encoder))
            return value
        }
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await withTaskExecutorPreference(EventLoopExecutor(value.channel.eventLoop)) {
            await http.handle(value: value, logger: logger)
        }
    }
}
