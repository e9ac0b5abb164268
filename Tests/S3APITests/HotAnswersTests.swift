import HTTPTypes
import Model
import NIOCore
import S3Wire
import Testing

/// What is answered from memory, without a task.
@Suite struct HotAnswersTests {
    /// One request, sent twice: as it is, and in a way that is never answered from memory.
    struct Case: Sendable, CustomTestStringConvertible {
        let method: String
        let key: String
        var query: [String: String] = [:]
        var headers: [String: String] = [:]
        var credentials = S3Fixture.credentials
        let isHot: Bool

        var testDescription: String { "\(method) \(key) \(query) \(headers)" }
    }

    static let cases: [Case] = [
        Case(method: "GET", key: "plain", isHot: true),
        Case(method: "HEAD", key: "plain", isHot: true),
        Case(method: "GET", key: "plain", query: ["x-id": "GetObject"], isHot: true),
        Case(method: "GET", key: "rich", isHot: true),
        Case(method: "HEAD", key: "rich", isHot: true),
        Case(method: "GET", key: "rich", headers: ["x-amz-checksum-mode": "ENABLED"], isHot: true),
        Case(method: "GET", key: "a%2F..%2Fb%20c", isHot: true),
        Case(method: "GET", key: "empty", isHot: true),
        Case(method: "HEAD", key: "large", isHot: true),
        Case(method: "GET", key: "large", isHot: false),
        Case(method: "GET", key: "plain", headers: ["if-match": "*"], isHot: true),
        Case(method: "GET", key: "plain", headers: ["if-match": "\"other\""], isHot: false),
        Case(method: "GET", key: "plain", headers: ["if-none-match": "*"], isHot: false),
        Case(method: "GET", key: "plain", headers: ["range": "bytes=1-2"], isHot: false),
        Case(method: "GET", key: "plain", query: ["versionId": "null"], isHot: false),
        Case(method: "GET", key: "plain", query: ["response-content-type": "text/html"], isHot: false),
        Case(method: "GET", key: "plain", query: ["torrent": ""], isHot: false),
        Case(
            method: "GET", key: "plain", headers: ["x-amz-server-side-encryption-customer-algorithm": "AES256"],
            isHot: false
        ),
        Case(method: "GET", key: "missing", isHot: false),
        Case(
            method: "GET", key: "plain", credentials: S3Credentials(accessKey: "access", secretKey: "wrong"),
            isHot: false
        ),
        Case(
            method: "GET", key: "plain", credentials: S3Credentials(accessKey: "cows", secretKey: "secret"),
            isHot: false
        ),
    ]

    @Test func saysWhatTheLongWaySays() async throws {
        try await S3Fixture.run { s3 in
            try await Self.fill(s3)
            for example in Self.cases {
                var headers = example.headers
                // The first look brings it to memory.
                _ = try await Self.send(example, headers, s3)
                let hot = try await Self.send(example, headers, s3)
                headers["upgrade"] = "something"
                let long = try await Self.send(example, headers, s3)
                #expect(hot.header("server") == (example.isHot ? S3Fixture.nameInHotAnswers : nil), "\(example)")
                #expect(long.header("server") == nil)
                #expect(hot.status == long.status, "\(example)")
                // What errors say differs from one to the next, by the request's identifier for example.
                if hot.status < 400 {
                    #expect(hot.body == long.body, "\(example)")
                    #expect(Self.comparable(hot.headers) == Self.comparable(long.headers), "\(example)")
                }
            }
        }
    }

    private static func fill(_ s3: S3Fixture) async throws {
        try await s3.send("PUT", "/bucket/plain", body: Array("plain text".utf8)).expect(200)
        try await s3.send("PUT", "/bucket/empty").expect(200)
        try await s3.send("PUT", "/bucket/large", body: pattern(100_000)).expect(200)
        try await s3.send("PUT", "/bucket/a%2F..%2Fb%20c", body: [1, 2, 3]).expect(200)
        let headers = [
            "content-type": "text/csv", "cache-control": "no-store", "x-amz-meta-colour": "blue",
            "x-amz-tagging": "a=b", "x-amz-storage-class": "STANDARD_IA", "content-disposition": "inline",
        ]
        try await s3.send("PUT", "/bucket/rich", headers: headers, body: pattern(4096)).expect(200)
    }

    private static func send(_ example: Case, _ headers: [String: String], _ s3: S3Fixture) async throws -> Answer {
        let request = SignableRequest(
            method: example.method, host: "localhost", path: "/bucket/\(example.key)",
            query: QueryItems(example.query.map { .init($0.key, $0.value) }),
            headers: headers.map { ($0.key, $0.value) }
        )
        let signature = RequestSigner(credentials: example.credentials)
            .sign(request, payload: .empty, at: S3Fixture.time)
        let target = example.query.isEmpty ? request.path : "\(request.path)?\(request.query.canonicalText)"
        return try await s3.sendUnsigned(
            example.method, target, headers: request.headers + signature.headers
        )
    }

    /// What does not change from one answer to the next.
    private static func comparable(_ headers: HTTPFields) -> [String] {
        let own: Set<String> = ["date", "server", "x-amz-request-id"]
        return headers.map { "\($0.name.canonicalName): \($0.value)" }
            .filter { line in !own.contains { line.hasPrefix("\($0):") } }
            .sorted()
    }

    @Test func neverShowsWhatWasThereBefore() async throws {
        try await S3Fixture.run { s3 in
            for round in 0..<20 {
                let body = Array("round \(round)".utf8)
                try await s3.send("PUT", "/bucket/key", body: body).expect(200)
                #expect(try await s3.send("GET", "/bucket/key").body == body)
                let hot = try await s3.send("GET", "/bucket/key")
                #expect(hot.body == body)
                #expect(hot.header("server") == S3Fixture.nameInHotAnswers)
            }
            try await s3.send("DELETE", "/bucket/key").expect(204)
            try await s3.send("GET", "/bucket/key").expect(404, .noSuchKey)
        }
    }

    @Test(arguments: [
        (
            "policy",
            #"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","#
                + #""Resource":"arn:aws:s3:::bucket/*"}]}"#
        ),
        (
            "cors",
            "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>"
                + "</CORSConfiguration>"
        ),
        (
            "lifecycle",
            "<LifecycleConfiguration><Rule><ID>a</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status>"
                + "<Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>"
        ),
    ])
    func takesTheLongWayWhereABucketHasRules(setting: String, document: String) async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("PUT", "/bucket/key", body: [1]).expect(200)
            for _ in 0..<2 { try await s3.send("GET", "/bucket/key").expect(200) }
            try await s3.send("PUT", "/bucket", [setting: ""], body: Array(document.utf8))
            let answer = try await s3.send("GET", "/bucket/key")
            #expect(answer.header("server") == nil)
            #expect(answer.status == (setting == "policy" ? 403 : 200))
            if setting == "lifecycle" { #expect(answer.header("x-amz-expiration") != nil) }
        }
    }

    // MARK: The order of answers

    private static func text(_ method: String, _ key: String, body: String = "", extra: String = "") -> String {
        let request = SignableRequest(method: method, host: "localhost", path: "/bucket/\(key)")
        let signature = RequestSigner(credentials: S3Fixture.credentials)
            .sign(request, payload: .unsigned, at: S3Fixture.time)
        let headers = signature.headers.map { "\($0.name): \($0.value)\r\n" }.joined()
        let length = body.isEmpty ? "" : "Content-Length: \(body.utf8.count)\r\n"
        return "\(method) /bucket/\(key) HTTP/1.1\r\nHost: localhost\r\n\(headers)\(length)\(extra)\r\n\(body)"
    }

    @Test func answersInOrder() async throws {
        try await S3Fixture.run { s3 in
            for key in ["a", "b"] {
                try await s3.send("PUT", "/bucket/\(key)", body: Array("<\(key)>".utf8)).expect(200)
                try await s3.send("GET", "/bucket/\(key)").expect(200)
            }
            let requests =
                Self.text("GET", "a") + Self.text("PUT", "c", body: "<c>") + Self.text("GET", "b")
                + Self.text("GET", "c") + Self.text("GET", "a", body: "ignored") + Self.text("GET", "b")
                + Self.text("GET", "a", extra: "Connection: close\r\n")
            let received = try await WireTests().connect(s3) { inbound, outbound in
                try await outbound.write(ByteBuffer(string: requests))
                var received = ""
                for try await buffer in inbound { received += String(buffer: buffer) }
                return received
            }
            let bodies = received.matches(of: /<.>/).map { String($0.output) }
            #expect(bodies == ["<a>", "<b>", "<c>", "<a>", "<b>", "<a>"])
            #expect(received.matches(of: /HTTP\/1.1 200 OK/).count == 7)
        }
    }

    @Test func takesTheLongWayForOldClients() async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("PUT", "/bucket/a", body: Array("<a>".utf8)).expect(200)
            try await s3.send("GET", "/bucket/a").expect(200)
            let request = Self.text("GET", "a").replacing("HTTP/1.1", with: "HTTP/1.0")
            let received = try await WireTests().connect(s3) { inbound, outbound in
                try await outbound.write(ByteBuffer(string: request))
                var iterator = inbound.makeAsyncIterator()
                return try await iterator.next().map { String(buffer: $0) } ?? ""
            }
            #expect(received.hasPrefix("HTTP/1."))
            #expect(!received.lowercased().contains("server: \(S3Fixture.nameInHotAnswers)"))
        }
    }
}
