package import Logging
package import NIOCore

extension Gateway {
    /// Makes what stands, on each connection, between the decoder and whoever answers requests: it passes some of them
    /// on to functions' own servers, closes connections on which nothing happens, and tells who has gone.
    ///
    /// - Parameter idleTimeout: how long a client may owe a request, or the rest of one.
    package func connectionHandlers(
        idleTimeout: TimeAmount = .seconds(120),
        logger: Logger
    ) -> @Sendable (any Channel) -> [any RemovableChannelHandler] {
        let (pools, counts) = (UpstreamPools(), ProxyMetrics())
        let router = ProxyRouter(catalog: catalog, authenticator: authenticator)
        let (servers, now) = (servers, now)
        return { channel in
            let surroundings = ProxySurroundings(
                router: router, servers: servers, pool: pools.pool(of: channel.eventLoop), metrics: counts, now: now,
                logger: logger)
            return [FunctionProxy(surroundings, idleTimeout: idleTimeout), ConnectionWatch()]
        }
    }
}
