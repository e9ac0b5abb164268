import HummingbirdTesting
import Model
import NIOCore
import NIOPosix
import S3Wire
import Testing

/// Buckets named by the host.
@Suite struct VirtualHostTests {
    /// Sends a request to a host of that name.
    private func send(
        _ s3: S3Fixture,
        _ method: String,
        host: String,
        _ target: String,
        headers: [(name: String, value: String)] = [],
        body: String = ""
    ) async throws -> String {
        let fields = headers.filter { $0.name.lowercased() != "host" }.map { "\($0.name): \($0.value)\r\n" }.joined()
        let text =
            "\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\n\(fields)Content-Length: \(body.utf8.count)\r\n"
            + "Connection: close\r\n\r\n\(body)"
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "localhost", port: try #require(s3.http.port)) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: text))
            var answer = ""
            for try await buffer in inbound { answer += String(buffer: buffer) }
            return answer
        }
    }

    private func signed(
        _ s3: S3Fixture,
        _ method: String,
        host: String,
        _ path: String,
        _ query: QueryItems = QueryItems(),
        body: String = ""
    ) async throws -> String {
        let request = SignableRequest(method: method, host: host, path: path, query: query)
        let signature = RequestSigner(credentials: S3Fixture.credentials)
            .sign(request, payload: .of(Array(body.utf8)), at: S3Fixture.time)
        let target = query.items.isEmpty ? path : "\(path)?\(query.canonicalText)"
        return try await send(s3, method, host: host, target, headers: signature.headers, body: body)
    }

    @Test(arguments: ["bucket.localhost:9000", "bucket.s3.localhost", "BUCKET.localhost"])
    func namesBuckets(host: String) async throws {
        try await S3Fixture.run { s3 in
            #expect(try await signed(s3, "PUT", host: host, "/a%20b/c", body: "abc").hasPrefix("HTTP/1.1 200"))
            #expect(try await s3.send("GET", "/bucket/a%20b/c").expect(200).body == Array("abc".utf8))
            #expect(try await signed(s3, "GET", host: host, "/a%20b/c").hasSuffix("\r\n\r\nabc"))
            let list = try await signed(s3, "GET", host: host, "/", QueryItems([.init("list-type", "2")]))
            #expect(list.contains("<Key>a b/c</Key>"))
            // The path is a key, also where it looks like a bucket.
            #expect(try await signed(s3, "GET", host: host, "/bucket/a%20b/c").contains("NoSuchKey"))
            #expect(try await signed(s3, "GET", host: host, "/minio/health/live").contains("NoSuchKey"))
            #expect(try await send(s3, "GET", host: host, "/a%20b/c").contains("AccessDenied"))
            #expect(try await send(s3, "OPTIONS", host: host, "/a%20b/c").hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test func takesBucketsWithDots() async throws {
        try await S3Fixture.run { s3 in
            #expect(try await signed(s3, "PUT", host: "my.own.bucket.s3.localhost", "/").hasPrefix("HTTP/1.1 200"))
            #expect(
                try await signed(s3, "PUT", host: "my.own.bucket.localhost", "/k", body: "x").hasPrefix("HTTP/1.1 200"))
            try await s3.send("GET", "/my.own.bucket/k").expect(200)
        }
    }

    @Test(arguments: [
        "s3.localhost:9000", "127.0.0.1:9000", "[::1]:9000", "elsewhere.example", "bucket.elsewhere.example",
    ])
    func leavesOtherHostsAlone(host: String) async throws {
        try await S3Fixture.run { s3 in
            #expect(try await signed(s3, "PUT", host: host, "/bucket/k", body: "x").hasPrefix("HTTP/1.1 200"))
            try await s3.send("GET", "/bucket/k").expect(200)
        }
    }

    @Test(arguments: ["under_score.localhost", "a.localhost", "..localhost", "-a-.localhost"])
    func refusesNames(host: String) async throws {
        try await S3Fixture.run { s3 in
            let answer = try await signed(s3, "GET", host: host, "/")
            #expect(answer.contains("InvalidBucketName"))
        }
    }

    @Test func verifiesPresignedRequestsOfBothVersions() async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("PUT", "/bucket/k", body: Array("abc".utf8)).expect(200)
            let request = SignableRequest(method: "GET", host: "bucket.localhost", path: "/k")
            let query = RequestSigner(credentials: S3Fixture.credentials).presign(
                request, expiry: 60, at: S3Fixture.time)
            #expect(try await send(s3, "GET", host: "bucket.localhost", "/k?\(query)").hasSuffix("abc"))
            #expect(try await send(s3, "GET", host: "other.localhost", "/k?\(query)").contains("SignatureDoesNotMatch"))
            // HMAC-SHA1 of "GET\n\n\n1700000060\n/bucket/k" with the key "secret".
            let old = "AWSAccessKeyId=access&Expires=1700000060&Signature=3Bljf8IKOf%2BO48TMafiNN09Bk68%3D"
            #expect(try await send(s3, "GET", host: "bucket.localhost", "/k?\(old)").hasSuffix("abc"))
            #expect(try await send(s3, "GET", host: "localhost", "/bucket/k?\(old)").hasSuffix("abc"))
            #expect(try await send(s3, "GET", host: "other.localhost", "/k?\(old)").contains("SignatureDoesNotMatch"))
        }
    }
}
