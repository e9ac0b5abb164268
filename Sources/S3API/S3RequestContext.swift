package import Hummingbird
package import Logging
import NIOCore

/// What the server knows of a request beside the request.
package struct S3RequestContext: InitializableFromSource, Sendable {
    package let logger: Logger
    /// The address of the peer, without a port; empty where there is none.
    package let sourceAddress: String
    let channel: any Channel

    package init(source: ApplicationRequestContextSource) {
        logger = source.logger
        channel = source.channel
        sourceAddress = source.channel.remoteAddress?.ipAddress ?? ""
    }
}
