import NIOCore
import NIOPosix
import Synchronization

/// A way over TCP to a server on this machine that is slow, breaks off, or is down, as a test says.
package final class FaultyLink: Sendable {
    /// What goes wrong; may be changed at any time, for connections that are there already, too.
    package struct Faults: Sendable {
        /// Nothing gets through, and what is there breaks off.
        package var isDown = false
        /// A connection breaks off after so many bytes to the server.
        package var bytesUp: Int?
        /// A connection breaks off before more than so many bytes from the server get through.
        package var bytesDown: Int?
        /// How many connections break off like that; `nil` for all.
        package var breaks: Int?
        /// To the server.
        package var bytesPerSecond: Int?

        package init() {}
    }

    private struct State {
        var faults = Faults()
        var bytesUp = 0
        var broken = 0
        var open: [ObjectIdentifier: any Channel] = [:]
    }

    private enum Direction { case up, down }
    private struct Broken: Error {}
    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    private let state = Mutex(State())
    private let target: Int
    /// Where the link begins.
    package let port: Int

    private init(port: Int, target: Int) { (self.port, self.target) = (port, target) }

    /// How many bytes have gone to the server.
    package var bytesUp: Int { state.withLock { $0.bytesUp } }
    /// How many connections were broken off for what went over them.
    package var broken: Int { state.withLock { $0.broken } }

    package func set(_ change: (inout Faults) -> Void) {
        let cut = state.withLock { state in
            change(&state.faults)
            return state.faults.isDown ? Array(state.open.values) : []
        }
        for channel in cut { channel.close(promise: nil) }
    }

    /// Runs `body` with a link to a port of 127.0.0.1.
    package static func with<Result: Sendable>(
        to target: Int,
        _ body: @escaping @Sendable (FaultyLink) async throws -> Result
    ) async throws -> Result {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture { try Connection(wrappingChannelSynchronously: channel) }
            }
        let link = FaultyLink(port: server.channel.localAddress?.port ?? 0, target: target)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await server.executeThenClose { connections in
                    try await withThrowingDiscardingTaskGroup { inner in
                        for try await connection in connections {
                            inner.addTask { await link.serve(connection) }
                        }
                    }
                }
            }
            defer { group.cancelAll() }
            return try await body(link)
        }
    }

    /// However a connection ends, only it ends.
    private func serve(_ client: Connection) async {
        try? await client.executeThenClose { fromClient, toClient in
            guard !state.withLock({ $0.faults.isDown }) else { return }
            let server = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: target) { channel in
                    channel.eventLoop.makeCompletedFuture { try Connection(wrappingChannelSynchronously: channel) }
                }
            let ends: [any Channel] = [client.channel, server.channel]
            state.withLock { state in for end in ends { state.open[ObjectIdentifier(end)] = end } }
            defer { state.withLock { state in for end in ends { state.open[ObjectIdentifier(end)] = nil } } }
            try await server.executeThenClose { fromServer, toServer in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await self.copy(fromClient, toServer, .up) }
                    group.addTask { try await self.copy(fromServer, toClient, .down) }
                    // One direction's end is the connection's: nobody here half-closes.
                    _ = try await group.next()
                    group.cancelAll()
                }
            }
        }
    }

    private func copy(
        _ input: NIOAsyncChannelInboundStream<ByteBuffer>,
        _ output: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        _ direction: Direction
    ) async throws {
        var sent = 0
        for try await var chunk in input {
            let (allowed, rate) = allowance(chunk.readableBytes, after: sent, direction)
            if let part = chunk.readSlice(length: allowed), allowed > 0 {
                try await output.write(part)
                sent += allowed
                if direction == .up { state.withLock { $0.bytesUp += allowed } }
                if let rate { try await Task.sleep(for: .seconds(Double(allowed) / Double(rate))) }
            }
            if chunk.readableBytes > 0 { throw Broken() }
        }
    }

    /// How many of so many bytes may pass.
    private func allowance(_ bytes: Int, after sent: Int, _ direction: Direction) -> (allowed: Int, rate: Int?) {
        state.withLock { state in
            if state.faults.isDown { return (0, nil) }
            let limit = direction == .up ? state.faults.bytesUp : state.faults.bytesDown
            let rate = direction == .up ? state.faults.bytesPerSecond : nil
            guard let limit, sent + bytes > limit, state.faults.breaks != 0 else { return (bytes, rate) }
            if let left = state.faults.breaks { state.faults.breaks = left - 1 }
            state.broken += 1
            return (max(0, limit - sent), rate)
        }
    }
}
