import LoopbackServer
import Model
import NIOHTTP1
import S3Client
import S3Wire
import Synchronization
import Testing

struct SigningTests {
    /// What the server must see is what was signed, for keys that a URL parser would like to change.
    @Test(arguments: [
        "plain", "a/../b", "./x", "../../etc/passwd", "a//b", "/leading", "trailing/", "two words", "a+b", "100%",
        "%2F",
        "é/ü/日本語/😀", "a?b#c&d=e", "~tilde", "quote\"'<>&", "new\nline", "semi;colon:at@", "[x]{y}|z^`\\",
    ])
    func signsWhatItSends(key: String) async throws {
        let seen = Mutex<LoopbackRequest?>(nil)
        try await withClient(
            answering: responder { request in
                seen.withLock { $0 = request }
                return LoopbackResponse(headers: ["etag": "\"x\""])
            }
        ) { client in
            try await client.put(bytes: Array("content".utf8), bucket: "bucket", key: key)
        }
        let request = try #require(seen.withLock { $0 })
        #expect(request.path == "/bucket/" + PercentEncoding.encoded(key, keepingSlashes: true))
        #expect(FakeStore.decoded(request.path) == "/bucket/" + key)
        let received = try ReceivedRequest(
            method: request.method.rawValue, target: request.target,
            headers: request.headers.map { ($0.name, $0.value) })
        let signature = try #require(try PresentedSignature(of: received))
        #expect(signature.accessKey == "AK")
        _ = try signature.verify(
            received, key: SigningKey(secretKey: "SK", scope: signature.scope), now: S3Client.systemTime())
        #expect(signature.payload == PayloadHash.of("content".utf8))
    }

    @Test func signsQueries() async throws {
        let seen = Mutex<LoopbackRequest?>(nil)
        try await withClient(
            answering: responder { request in
                seen.withLock { $0 = request }
                return LoopbackResponse(text: "<ListBucketResult/>")
            }
        ) { client in
            _ = try await client.list(
                bucket: "b", prefix: "a b+c/é&x=1", delimiter: "/", continuation: "to/ken==+")
        }
        let request = try #require(seen.withLock { $0 })
        let received = try ReceivedRequest(
            method: "GET", target: request.target, headers: request.headers.map { ($0.name, $0.value) })
        #expect(received.query["prefix"] == "a b+c/é&x=1")
        #expect(received.query["continuation-token"] == "to/ken==+")
        let signature = try #require(try PresentedSignature(of: received))
        _ = try signature.verify(
            received, key: SigningKey(secretKey: "SK", scope: signature.scope), now: S3Client.systemTime())
    }
}
