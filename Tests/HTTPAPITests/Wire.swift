import NIOCore
import NIOPosix
import SystemPackage
import Testing

/// One end of a connection, as a test drives it: bytes, whatever HTTP says of them.
///
/// Unchecked: one task uses it at a time.
final class Wire: @unchecked Sendable {
    typealias Channel = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let channel: any NIOCore.Channel
    private var buffer: [UInt8] = []

    private init(_ inbound: NIOAsyncChannelInboundStream<ByteBuffer>, _ channel: any NIOCore.Channel) {
        self.inbound = inbound.makeAsyncIterator()
        self.channel = channel
    }

    private static func wrap(_ channel: any NIOCore.Channel) throws -> Channel {
        try Channel(
            wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
    }

    /// Runs `body` with a connection to a port of this machine.
    static func connect<Result: Sendable>(
        port: Int?,
        _ body: @Sendable @escaping (Wire) async throws -> Result
    ) async throws -> Result {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .connect(host: "localhost", port: try #require(port)) { channel in
                channel.eventLoop.makeCompletedFuture { try wrap(channel) }
            }
        return try await channel.executeThenClose { inbound, _ in try await body(Wire(inbound, channel.channel)) }
    }

    /// Runs `body` with a server on a Unix socket that gives each connection to a handler.
    static func serve(
        at socket: FilePath,
        _ handler: @Sendable @escaping (Wire) async throws -> Void,
        body: @Sendable @escaping () async throws -> Void
    ) async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .bind(unixDomainSocketPath: socket.string) { channel in
                channel.eventLoop.makeCompletedFuture { try wrap(channel) }
            }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await server.executeThenClose { connections in
                    await withDiscardingTaskGroup { inner in
                        do {
                            for try await connection in connections {
                                // What goes wrong on one connection shows in the other side's test.
                                inner.addTask {
                                    try? await connection.executeThenClose { inbound, _ in
                                        try await handler(Wire(inbound, connection.channel))
                                    }
                                }
                            }
                        } catch {}
                        inner.cancelAll()
                    }
                }
            }
            defer { group.cancelAll() }
            try await body()
        }
    }

    /// Returns when the kernel has it: what is sent faster than it is read waits here.
    func send(_ bytes: ByteBuffer) async throws { try await channel.writeAndFlush(bytes) }

    func send(_ text: String) async throws { try await send(ByteBuffer(string: text)) }

    /// Says that no more will be sent.
    func finish() { channel.close(mode: .output, promise: nil) }

    /// Takes what has come; false at the end.
    private func more() async throws -> Bool {
        guard let next = try await inbound.next() else { return false }
        buffer.append(contentsOf: next.readableBytesView)
        return true
    }

    /// What comes next, as it comes; `nil` at the end.
    func piece() async throws -> [UInt8]? {
        if buffer.isEmpty { guard try await more() else { return nil } }
        defer { buffer = [] }
        return buffer
    }

    /// Everything up to and with that text; what there is where it does not come.
    func read(through end: String) async throws -> String {
        let end = Array(end.utf8)
        while true {
            if let range = buffer.firstRange(of: end) {
                defer { buffer.removeFirst(range.upperBound) }
                return String(decoding: buffer[..<range.upperBound], as: UTF8.self)
            }
            guard try await more() else { return try await rest() }
        }
    }

    /// The head of a message, without the empty line; that line's end is one character.
    func head() async throws -> String { String(try await read(through: "\r\n\r\n").dropLast(1)) }

    func bytes(_ count: Int) async throws -> [UInt8] {
        while buffer.count < count { guard try await more() else { break } }
        defer { buffer.removeFirst(min(count, buffer.count)) }
        return Array(buffer.prefix(count))
    }

    /// Everything up to the end, also where that comes as an error.
    func rest() async throws -> String {
        while (try? await more()) ?? false {}
        defer { buffer = [] }
        return String(decoding: buffer, as: UTF8.self)
    }
}

/// What serves a connection, written so that a call may have a further closure after it.
func program(_ handler: @escaping @Sendable (Wire) async throws -> Void) -> @Sendable (Wire) async throws -> Void {
    handler
}
