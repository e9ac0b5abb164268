package import NIOCore
package import NIOHTTP1
import NIOPosix

/// A request as a test's handler sees it.
package struct LoopbackRequest: Sendable {
    package var method: HTTPMethod
    /// The request target as it came over the wire, nothing decoded.
    package var target: String
    package var headers: HTTPHeaders
    package var body: ByteBuffer

    /// The target up to the question mark, nothing decoded.
    package var path: Substring { target.prefix { $0 != "?" } }
    /// The target after the question mark, nothing decoded; empty where there is none.
    package var query: Substring { target.drop { $0 != "?" }.dropFirst() }
    package var text: String { String(buffer: body) }

    /// The value of a query parameter as written (not decoded); an empty text where it has no `=`.
    package func parameter(_ name: String) -> String? {
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts[0] == name { return parts.count == 2 ? String(parts[1]) : "" }
        }
        return nil
    }
}

/// What a test's handler answers.
package struct LoopbackResponse: Sendable {
    package enum Body: Sendable {
        case bytes(ByteBuffer)
        /// Sent chunk by chunk, each flushed; the length is not announced.
        case stream(AsyncStream<ByteBuffer>)
        /// Announces `length` bytes, sends fewer and closes.
        case truncated(ByteBuffer, length: Int)
    }

    package var status: HTTPResponseStatus
    package var headers: HTTPHeaders
    package var body: Body

    package init(_ status: HTTPResponseStatus = .ok, headers: HTTPHeaders = [:], body: Body) {
        (self.status, self.headers, self.body) = (status, headers, body)
    }

    package init(_ status: HTTPResponseStatus = .ok, headers: HTTPHeaders = [:], text: String = "") {
        self.init(status, headers: headers, body: .bytes(ByteBuffer(string: text)))
    }
}

/// An HTTP/1.1 server on a free port of 127.0.0.1 that keeps every request and answers as a closure says.
package enum LoopbackServer {
    package typealias Handler = @Sendable (LoopbackRequest) async -> LoopbackResponse

    private typealias Connection = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>

    /// Runs `body` with the port of a running server; the server is gone when this returns.
    package static func with<Result: Sendable>(
        _ handler: @escaping Handler,
        body: @Sendable @escaping (_ port: Int) async throws -> Result
    ) async throws -> Result {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    return try Connection(wrappingChannelSynchronously: channel)
                }
            }
        let port = server.channel.localAddress?.port ?? 0
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await server.executeThenClose { connections in
                    try await withThrowingDiscardingTaskGroup { inner in
                        for try await connection in connections {
                            inner.addTask { await serve(connection, handler) }
                        }
                    }
                }
            }
            // The server's task is stopped by the cancellation below, whatever it then throws.
            do {
                let result = try await body(port)
                group.cancelAll()
                return result
            } catch {
                group.cancelAll()
                throw error
            }
        }
    }

    /// A port of 127.0.0.1 on which nothing listens (it was free a moment ago).
    package static func closedPort() async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port ?? 1
        try await channel.close()
        return port
    }

    /// A client that goes away ends only its own connection, so errors end here.
    private static func serve(_ connection: Connection, _ handler: Handler) async {
        try? await connection.executeThenClose { inbound, outbound in
            var request: LoopbackRequest?
            for try await part in inbound {
                switch part {
                case .head(let head):
                    request = LoopbackRequest(
                        method: head.method, target: head.uri, headers: head.headers, body: ByteBuffer())
                case .body(var bytes):
                    request?.body.writeBuffer(&bytes)
                case .end:
                    guard let whole = request else { return }
                    guard try await answer(await handler(whole), to: whole.method, outbound) else { return }
                    request = nil
                }
            }
        }
    }

    /// Sends one answer; false when the connection must be closed after it.
    private static func answer(
        _ response: LoopbackResponse,
        to method: HTTPMethod,
        _ outbound: NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>
    ) async throws -> Bool {
        var headers = response.headers
        func head() -> HTTPServerResponsePart {
            .head(HTTPResponseHead(version: .http1_1, status: response.status, headers: headers))
        }
        switch response.body {
        case .bytes(let bytes):
            if !headers.contains(name: "content-length"), response.status != .noContent {
                headers.add(name: "content-length", value: "\(bytes.readableBytes)")
            }
            try await outbound.write(head())
            // A body behind the answer to a HEAD would be taken for the next answer.
            if method != .HEAD { try await outbound.write(.body(.byteBuffer(bytes))) }
        case .stream(let chunks):
            headers.add(name: "transfer-encoding", value: "chunked")
            try await outbound.write(head())
            for await chunk in chunks { try await outbound.write(.body(.byteBuffer(chunk))) }
        case .truncated(let bytes, let length):
            headers.add(name: "content-length", value: "\(length)")
            try await outbound.write(head())
            try await outbound.write(.body(.byteBuffer(bytes)))
            return false
        }
        try await outbound.write(.end(nil))
        return true
    }
}

/// A handler, written so that a call may have a further closure after it.
package func responder(_ handler: @escaping LoopbackServer.Handler) -> LoopbackServer.Handler { handler }
