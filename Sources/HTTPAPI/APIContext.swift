package import Hummingbird
import Logging
package import Model
import NIOCore

/// What is known of a request beside its own text.
package struct APIContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    /// Who makes the request; set once, by the authentication middleware.
    package var principal: Principal = .anonymous {
        didSet { trail.principal = principal }
    }
    /// The same, for those outside of that.
    let trail = PrincipalTrail()
    /// The address that the request came from, without port.
    package let remoteAddress: String
    /// The connection.
    let channel: any Channel

    package init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
        remoteAddress = source.channel.remoteAddress?.ipAddress ?? ""
    }
}
