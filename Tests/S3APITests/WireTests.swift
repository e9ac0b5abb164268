import HummingbirdTesting
import Model
import NIOCore
import NIOPosix
import S3Wire
import Testing

/// What no well-behaved HTTP client lets a test do.
@Suite struct WireTests {
    /// A signed PUT of that many bytes, as text.
    private static func head(length: Int, extra: String = "") -> String {
        let request = SignableRequest(method: "PUT", host: "localhost", path: "/bucket/key")
        let signature = RequestSigner(credentials: S3Fixture.credentials).sign(
            request, payload: .unsigned, at: S3Fixture.time)
        let headers = signature.headers.map { "\($0.name): \($0.value)\r\n" }.joined()
        return "PUT /bucket/key HTTP/1.1\r\nHost: localhost\r\n\(headers)Content-Length: \(length)\r\n\(extra)\r\n"
    }

    func connect<Result: Sendable>(
        _ s3: S3Fixture,
        _ body: (NIOAsyncChannelInboundStream<ByteBuffer>, NIOAsyncChannelOutboundWriter<ByteBuffer>) async throws ->
            Result
    ) async throws -> Result {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "localhost", port: try #require(s3.http.port)) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { try await body($0, $1) }
    }

    @Test func invitesBodiesThatWait() async throws {
        try await S3Fixture.run { s3 in
            try await connect(s3) { inbound, outbound in
                let invitation = "HTTP/1.1 100 Continue\r\n\r\n"
                try await outbound.write(ByteBuffer(string: Self.head(length: 3, extra: "Expect: 100-continue\r\n")))
                var received = ""
                for try await buffer in inbound {
                    received += String(buffer: buffer)
                    if received == invitation { try await outbound.write(ByteBuffer(string: "abc")) }
                    if received.utf8.count > invitation.utf8.count { break }
                }
                #expect(received.hasPrefix("\(invitation)HTTP/1.1 200 OK"))
            }
            #expect(try await s3.send("GET", "/bucket/key").body == Array("abc".utf8))
        }
    }

    @Test func keepsNothingOfBodiesThatBreakOff() async throws {
        try await S3Fixture.run { s3 in
            let content = ByteBuffer(bytes: pattern(600_000))
            try await connect(s3) { _, outbound in
                try await outbound.write(ByteBuffer(string: Self.head(length: 1_000_000)))
                try await outbound.write(content)
            }
            // The server has seen the end of the first connection once it has answered on another.
            try await s3.send("GET", "/bucket").expect(200)
            #expect(try await s3.objects().isEmpty)
        }
    }

    @Test(arguments: [
        "GET http://localhost/bucket HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /bucket?a=%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /bucket HTTP/1.1\r\n\r\n",
    ])
    func answersOddRequests(text: String) async throws {
        try await S3Fixture.run { s3 in
            try await connect(s3) { inbound, outbound in
                try await outbound.write(ByteBuffer(string: text))
                var iterator = inbound.makeAsyncIterator()
                let answer = try await iterator.next().map { String(buffer: $0) } ?? ""
                #expect(answer.hasPrefix("HTTP/1.1 40"))
            }
        }
    }

    @Test func needsALength() async throws {
        try await S3Fixture.run { s3 in
            try await connect(s3) { inbound, outbound in
                let head = Self.head(length: 0).replacing("Content-Length: 0", with: "Transfer-Encoding: chunked")
                try await outbound.write(ByteBuffer(string: "\(head)3\r\nabc\r\n0\r\n\r\n"))
                var iterator = inbound.makeAsyncIterator()
                let answer = try await iterator.next().map { String(buffer: $0) } ?? ""
                #expect(answer.hasPrefix("HTTP/1.1 411"))
            }
            #expect(try await s3.objects().isEmpty)
        }
    }
}
