import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import SystemPackage

/// The connections to programs that one event loop has open.
///
/// Not `Sendable`: all happens on its event loop, which is also that of the clients' connections.
final class UpstreamPool {
    /// After so long an unused connection is closed.
    ///
    /// Programs close theirs after a time, and a request that meets that is lost. Node, uvicorn and gunicorn take 2 to
    /// 5 seconds.
    private static let longestRest = TimeAmount.seconds(1)
    private static let mostIdle = 64
    /// Of `sockaddr_un`, without the byte at the end.
    private static let longestAddress = 107
    private static let limits: NIOHTTPDecoderLimitConfiguration = {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 80 << 10
        limits.maxHeaderListSize = 256 << 10
        limits.maxHeaderFieldCount = 1000
        return limits
    }()

    let eventLoop: any EventLoop
    private var idle: [String: [UpstreamConnection]] = [:]
    private var isSweepScheduled = false

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// A connection that was used before, and seems to be good.
    func take(_ path: String) -> UpstreamConnection? {
        while let connection = idle[path]?.popLast() {
            if connection.isOpen, .now() - connection.idleSince < Self.longestRest { return connection }
            connection.close()
        }
        return nil
    }

    func put(_ connection: UpstreamConnection) {
        guard connection.isOpen, idle[connection.path, default: []].count < Self.mostIdle else {
            return connection.close()
        }
        connection.release()
        idle[connection.path, default: []].append(connection)
        scheduleSweep()
    }

    func remove(_ connection: UpstreamConnection) {
        guard let place = idle[connection.path]?.firstIndex(where: { $0 === connection }) else { return }
        idle[connection.path]?.remove(at: place)
    }

    private func scheduleSweep() {
        guard !isSweepScheduled else { return }
        isSweepScheduled = true
        _ = eventLoop.assumeIsolated().scheduleTask(in: Self.longestRest) { self.sweep() }
    }

    private func sweep() {
        isSweepScheduled = false
        let now = NIODeadline.now()
        for (path, connections) in idle {
            let (rested, kept) = (
                connections.filter { now - $0.idleSince >= Self.longestRest },
                connections.filter { now - $0.idleSince < Self.longestRest }
            )
            idle[path] = kept.isEmpty ? nil : kept
            for connection in rested { connection.close() }
        }
        if !idle.isEmpty { scheduleSweep() }
    }

    // MARK: New connections

    /// Opens a connection; the future is fulfilled on the pool's event loop.
    func connect(_ path: String) -> EventLoopFuture<any Channel> {
        let pool = NIOLoopBound(self, eventLoop: eventLoop)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .connectTimeout(.seconds(5))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    var configuration = HTTPRequestEncoder.Configuration()
                    configuration.automaticallySetFramingHeaders = false
                    let decoder = HTTPResponseDecoder(
                        leftOverBytesStrategy: .forwardBytes, informationalResponseStrategy: .forward,
                        limitConfiguration: Self.limits)
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(HTTPRequestEncoder(configuration: configuration))
                    try pipeline.addHandler(ByteToMessageHandler(decoder))
                    try pipeline.addHandler(UpstreamConnection(path: path, pool: pool.value))
                }
            }
        guard path.utf8.count > Self.longestAddress else { return bootstrap.connect(unixDomainSocketPath: path) }
        return connectByShortName(FilePath(path), bootstrap)
    }

    /// A socket whose path is too long for an address is reached through its directory.
    private func connectByShortName(_ path: FilePath, _ bootstrap: ClientBootstrap) -> EventLoopFuture<any Channel> {
        do {
            let directory = try SystemPackage.FileDescriptor.open(
                path.removingLastComponent(), .readOnly, options: [.directory, .closeOnExec])
            let name = path.lastComponent?.string ?? ""
            let connected = bootstrap.connect(unixDomainSocketPath: "/proc/self/fd/\(directory.rawValue)/\(name)")
            // Nothing can be lost by closing a directory.
            connected.whenComplete { _ in try? directory.close() }
            return connected
        } catch {
            return eventLoop.makeFailedFuture(error)
        }
    }
}

/// The pools of all event loops.
final class UpstreamPools: Sendable {
    private let pools = Mutex<[ObjectIdentifier: NIOLoopBound<UpstreamPool>]>([:])

    /// The one of that loop, on which this must be called.
    func pool(of eventLoop: any EventLoop) -> UpstreamPool {
        pools.withLock { pools in
            if let pool = pools[ObjectIdentifier(eventLoop)] { return pool }
            let pool = NIOLoopBound(UpstreamPool(eventLoop), eventLoop: eventLoop)
            pools[ObjectIdentifier(eventLoop)] = pool
            return pool
        }.value
    }
}
