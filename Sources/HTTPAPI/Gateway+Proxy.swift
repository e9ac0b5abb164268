package import Logging
package import NIOCore

extension Gateway {
    /// Makes, for each connection, what passes requests on to functions' own servers: it stands between the decoder
    /// and whoever answers the rest, and closes connections on which nothing happens.
    ///
    /// - Parameter idleTimeout: how long a client may owe a request, or the rest of one.
    package func functionProxy(
        idleTimeout: TimeAmount = .seconds(120),
        logger: Logger
    ) -> @Sendable (any Channel) -> any RemovableChannelHandler & ChannelInboundHandler {
        let (pools, counts) = (UpstreamPools(), ProxyMetrics())
        let router = ProxyRouter(catalog: catalog, authenticator: authenticator)
        let (servers, now) = (servers, now)
        return { channel in
            FunctionProxy(
                ProxySurroundings(
                    router: router, servers: servers, pool: pools.pool(of: channel.eventLoop), metrics: counts,
                    now: now, logger: logger),
                idleTimeout: idleTimeout)
        }
    }
}
