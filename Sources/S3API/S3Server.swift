import HTTPTypes
package import HummingbirdCore
package import NIOCore

/// The HTTP server that a `S3Responder` needs.
package enum S3Server {
    /// Answers `Expect: 100-continue` at once, for which many clients wait before they send a body: so they get an
    /// error after their upload rather than before it, but the connection stays usable.
    ///
    /// - Parameter idleTimeout: after which a silent connection is closed; `nil` for never.
    package static func http1(idleTimeout: TimeAmount? = .seconds(120)) -> HTTPServerBuilder {
        HTTPServerBuilder { responder in
            HTTP1Channel(
                responder: { request, writer, channel in
                    if request.headers[.expect]?.lowercased() == "100-continue" {
                        try await writer.writeInformationalHead(HTTPResponse(status: .continue))
                    }
                    try await responder(request, writer, channel)
                },
                configuration: .init(idleTimeout: idleTimeout)
            )
        }
    }
}
