package import Logging
package import NIOCore

extension Gateway {
    /// Makes what stands, on each connection, between the decoder and whoever answers the rest: what passes requests on
    /// to functions' own servers and closes connections on which nothing happens, what answers small runs, and what
    /// sees the client leave.
    ///
    /// - Parameter idleTimeout: how long a client may owe a request, or the rest of one.
    package func connectionHandlers(
        serverName: String,
        idleTimeout: TimeAmount = .seconds(120),
        logger: Logger
    ) -> @Sendable (any Channel) -> [any RemovableChannelHandler & ChannelInboundHandler] {
        let (pools, counts) = (UpstreamPools(), ProxyMetrics())
        let router = ProxyRouter(catalog: catalog, authenticator: authenticator)
        let (servers, runs, authenticator, now) = (servers, runs, authenticator, now)
        let requests = requests
        return { channel in
            let proxy = FunctionProxy(
                ProxySurroundings(
                    router: router, servers: servers, pool: pools.pool(of: channel.eventLoop), metrics: counts,
                    now: now, logger: logger),
                idleTimeout: idleTimeout)
            let hotRuns = HotRuns(
                runs: runs, catalog: router.catalog, authenticator: authenticator, serverName: serverName,
                metrics: requests, now: now)
            return [proxy, hotRuns, ConnectionWatch()]
        }
    }
}
