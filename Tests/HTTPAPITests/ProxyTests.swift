import Cluster
import ClusterTesting
import HTTPTypes
import LoopbackServer
import Model
import NIOCore
import Synchronization
import SystemPackage
import TestKit
import Testing

/// Requests that a function's own server answers.
@Suite("The proxy to functions' own servers", .timeLimit(.minutes(2)))
struct ProxyTests {
    typealias Fixture = ProxyFixture

    @Test("method, path, query and headers arrive as sent, without those for one hop and without the credentials")
    func forwards() async throws {
        try await Fixture.run(program: Fixture.mirror) { proxy in
            let text = try await proxy.exchange(
                Fixture.request(
                    "PATCH", "/run/fn/a%2Fb/../c%20d//?x=%41&y",
                    [
                        "X-Custom: v", "Connection: X-Hop, keep-alive", "X-Hop: 1", "Keep-Alive: timeout=5",
                        "TE: trailers",
                        "Proxy-Authorization: Basic eA==", "Proxy: http://evil", "X_Forwarded_For: 9.9.9.9",
                        "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Prefix: //evil.example", "Cookie: a=b",
                        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Via: 1.0 front",
                    ], body: "payload"))
            #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(text.contains("X-Own: 1\r\n") && text.contains("via: 1.1 apus\r\n"))
            #expect(text.contains("x-duration-seconds: "))
            let seen = text.split(separator: "\r\n\r\n", maxSplits: 1)[1]
            #expect(seen.hasPrefix("PATCH /a%2Fb/../c%20d//?x=%41&y HTTP/1.1\r\n"))
            #expect(seen.hasSuffix("payload"))
            let lines = Set(seen.split(separator: "\r\n").map { $0.lowercased() })
            for line in [
                "host: apus.example", "x-custom: v", "cookie: a=b", "x-forwarded-for: 192.0.2.7, 127.0.0.1",
                "x-forwarded-proto: http", "x-forwarded-host: apus.example", "x-forwarded-prefix: /run/fn",
                "via: 1.0 front, 1.1 apus", "content-length: 7",
                "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            ] {
                #expect(lines.contains(line), "\(line) in \(lines)")
            }
            for name in ["connection", "x-hop", "keep-alive", "te", "proxy", "authorization", "x_forwarded_for"] {
                #expect(!lines.contains { $0.hasPrefix("\(name):") }, "\(name)")
            }
            #expect(!seen.contains("evil"))
        }
    }

    @Test(
        "the path is that behind the service's name",
        arguments: [
            ("/run/fn", "/"), ("/run/fn/", "/"), ("/run/fn?a=b", "/?a=b"), ("/run/fn/x?", "/x?"),
            ("http://other.example/run/fn/y", "/y"),
        ])
    func path(target: String, seen: String) async throws {
        try await Fixture.run(program: Fixture.mirror) { proxy in
            let text = try await proxy.exchange(Fixture.request("GET", target))
            #expect(text.contains("\r\n\r\nGET \(seen) HTTP/1.1\r\n"), "\(text)")
        }
    }

    @Test("who may not run the service does not reach its program; a token opens only its own service")
    func authentication() async throws {
        try await Fixture.run(program: Fixture.mirror) { proxy in
            try await proxy.api.send(.post, "/run/fn", authorization: nil).expect(401, "")
            try await proxy.api.send(.post, "/run/fn", authorization: "Basic eDp5").expect(401, "")
            try await proxy.api.send(.post, "/run/fn", authorization: proxy.api.token("other")).expect(401, "")
            #expect(proxy.seats.entered == 0)
            let own = try await proxy.api.send(.post, "/run/fn", authorization: proxy.api.token("fn")).expect(200)
            #expect(!own.text.lowercased().contains("authorization"))
            try await proxy.api.send(
                .options, "/run/fn", authorization: nil,
                headers: ["Origin": "http://x", "Access-Control-Request-Method": "POST"]
            ).expect(204, "")
            #expect(
                try await proxy.api.send(.get, "/run/fn", headers: ["Origin": "http://x"])
                    .expect(200).header("access-control-allow-origin") == "*")
            try await eventually("all places are left") {
                proxy.seats.endings == [.served, .served]
            }
        }
    }

    @Test("requests of one connection are answered in order, whoever answers them")
    func pipelining() async throws {
        try await Fixture.run(program: Fixture.mirror) { proxy in
            func request(_ target: String, _ more: String = "") -> String {
                "GET \(target) HTTP/1.1\r\nHost: x\r\n\(Fixture.authorization)\(more)\r\n"
            }
            let text = try await proxy.exchange(
                request("/run/fn/1") + request("/health") + request("/run/fn/2") + request("/run/fn/3")
                    + request("/system/info") + request("/run/fn/4") + request("/health", "Connection: close\r\n"))
            let marks = text.matches(of: /GET \/\d|Ok|git_commit/).map { String($0.output) }
            #expect(marks == ["GET /1", "Ok", "GET /2", "GET /3", "git_commit", "GET /4", "Ok"])
        }
    }

    @Test("bodies and answers in chunks pass, and connections are used again on both sides")
    func keepAlive() async throws {
        let connections = Mutex(0)
        try await Fixture.run(
            program: program { wire in
                connections.withLock { $0 += 1 }
                while try await !wire.head().isEmpty {
                    let body = try await wire.read(through: "0\r\n\r\n")
                    try await wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
                    try await wire.send("\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\nTrailer: x\r\n\r\n")
                }
            }
        ) { proxy in
            try await Wire.connect(port: proxy.port) { wire in
                for _ in 0..<20 {
                    try await wire.send(
                        "POST /run/fn HTTP/1.1\r\nHost: x\r\n\(Fixture.authorization)Transfer-Encoding: chunked\r\n\r\n"
                    )
                    try await wire.send("5\r\nhello\r\n")
                    try await wire.send("0\r\n\r\n")
                    #expect(try await wire.head().contains("transfer-encoding: chunked\r\n"))
                    let answer = try await wire.read(through: "\r\n0\r\n\r\n\r\n0\r\n\r\n")
                    #expect(answer.hasPrefix("3\r\nabc\r\nf\r\n5\r\nhello\r\n"), "\(answer)")
                }
            }
            // A connection that rested for a second is not used again, which a busy machine can make of this.
            #expect(connections.withLock { $0 } < 10)
        }
    }

    @Test(
        "answers without a body, and of old programs and clients",
        arguments: [
            ("HEAD", "1.1", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "200 OK", "content-length: 5", ""),
            ("HEAD", "1.1", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "200 OK", "", ""),
            ("GET", "1.1", "HTTP/1.1 204 No Content\r\n\r\n", "204 No Content", "", ""),
            (
                "GET", "1.1", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "304 Not Modified",
                "content-length: 9", ""
            ),
            (
                "GET", "1.1", "HTTP/1.0 200 OK\r\n\r\nuntil the end", "200 OK", "transfer-encoding: chunked",
                "d\r\nuntil the end\r\n0\r\n\r\n"
            ),
            ("GET", "1.0", "HTTP/1.0 200 OK\r\n\r\nuntil the end", "200 OK", "connection: close", "until the end"),
            (
                "GET", "1.0", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "200 OK",
                "connection: close", "abc"
            ),
            (
                "GET", "1.1", "HTTP/1.1 299 My Own Words\r\nContent-Length: 0\r\n\r\n", "299 ",
                "content-length: 0", ""
            ),
            (
                "GET", "1.1",
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                "103 Early Hints", "link: </a>", "HTTP/1.1 200 OK"
            ),
            (
                "GET", "1.0",
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                "200 OK", "content-length: 0", ""
            ),
        ])
    func framing(
        _ method: String, _ version: String, _ sent: String, _ status: String, _ header: String, _ body: String
    ) async throws {
        try await Fixture.run(
            program: program { wire in
                _ = try await wire.head()
                try await wire.send(sent)
            }
        ) { proxy in
            let request = Fixture.request(method, "/run/fn").replacing("HTTP/1.1", with: "HTTP/\(version)")
            let text = try await proxy.exchange(request)
            let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
            #expect(text.hasPrefix("HTTP/1.1 \(status)\r\n"), "\(text)")
            #expect(parts[0].lowercased().contains(header), "\(text)")
            #expect(parts[1].hasPrefix(body) && (!body.isEmpty || parts[1].isEmpty), "\(text)")
        }
    }

    @Test("events come one by one, as the program sends them, and end when the client goes")
    func events() async throws {
        let (steps, step) = AsyncStream.makeStream(of: Int.self)
        let isOver = Mutex(false)
        try await Fixture.run(
            program: program { wire in
                _ = try await wire.head()
                try await wire.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
                for await number in steps { try await wire.send("data: \(number)\n\n") }
                #expect(try await wire.rest().isEmpty)
                isOver.withLock { $0 = true }
            }
        ) { proxy in
            try await Wire.connect(port: proxy.port) { wire in
                try await wire.send("GET /run/fn HTTP/1.1\r\nHost: x\r\n\(Fixture.authorization)\r\n")
                #expect(try await wire.head().contains("text/event-stream"))
                for number in 0..<5 {
                    step.yield(number)
                    #expect(try await wire.read(through: "\n\n\r\n").contains("data: \(number)\n\n"))
                }
                #expect(proxy.seats.endings.isEmpty)
            }
            step.finish()
            try await eventually("the program sees that nobody listens") { isOver.withLock { $0 } }
            #expect(proxy.seats.endings == [.served])
        }
    }

    @Test("a client is invited to send its body when there is somebody who takes it")
    func expectContinue() async throws {
        try await Fixture.run(program: Fixture.mirror) { proxy in
            try await Wire.connect(port: proxy.port) { wire in
                try await wire.send(
                    "POST /run/fn HTTP/1.1\r\nHost: x\r\n\(Fixture.authorization)Content-Length: 4\r\n"
                        + "Expect: 100-continue\r\n\r\n")
                #expect(try await wire.head() == "HTTP/1.1 100 Continue\r\n")
                try await wire.send("body")
                #expect(try await wire.head().hasPrefix("HTTP/1.1 200 OK"))
                #expect(try await !wire.read(through: "body").lowercased().contains("expect"))
            }
            let refused = try await proxy.exchange(
                "POST /run/fn HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
            #expect(refused.hasPrefix("HTTP/1.1 401 ") && refused.contains("connection: close"))
        }
    }

    @Test(
        "an answer that breaks off never looks like a whole one",
        arguments: [
            ("1.1", "Content-Length: 100\r\n\r\nabc"), ("1.1", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
            ("1.0", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
            ("1.1", "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n"),
        ])
    func broken(_ version: String, _ sent: String) async throws {
        try await Fixture.run(
            program: program { wire in
                _ = try await wire.head()
                try await wire.send("HTTP/1.1 200 OK\r\n\(sent)")
            }
        ) { proxy in
            let request = Fixture.request("GET", "/run/fn").replacing("HTTP/1.1", with: "HTTP/\(version)")
            let isReset = try await Wire.connect(port: proxy.port) { wire in
                try await wire.send(request)
                var text = ""
                do {
                    while let piece = try await wire.piece() { text += String(decoding: piece, as: UTF8.self) }
                } catch { return true }
                #expect(text.hasPrefix("HTTP/1.1 200"))
                #expect(!text.hasSuffix("0\r\n\r\n"))
                return false
            }
            // There the end of the connection alone would be the end of the answer.
            if version == "1.0" { #expect(isReset) }
        }
    }

    @Test(
        "what is not HTTP is told, and nothing of it passed on",
        arguments: [
            "garbage\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n", "HTTP/1.1 099 Low\r\n\r\n", "HTTP/1.1 700 High\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 200 OK\r\nbad name: 1\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            "HTTP/1.1 200 OK\r\n"
                + String(repeating: "X-Filler: \(String(repeating: "y", count: 500))\r\n", count: 2000),
            String(repeating: "HTTP/1.1 103 Early Hints\r\n\r\n", count: 40), "HTTP/1.1 200 OK\r\nX: \u{1}\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-", "HTTP/2.0 200 OK\r\n\r\n",
        ])
    func hostile(_ sent: String) async throws {
        try await Fixture.run(
            program: program { wire in
                _ = try await wire.head()
                try await wire.send(sent)
            }
        ) { proxy in
            let text = try await proxy.exchange(Fixture.request("POST", "/run/fn"))
            let final = text.split(separator: "\r\n\r\n").last { $0.hasPrefix("HTTP/") } ?? ""
            #expect(final.hasPrefix("HTTP/1.1 502 "), "\(text.prefix(300))")
        }
    }

    @Test(
        "a request that can be understood in two ways is refused",
        arguments: [
            "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
            "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "X: a\rb\r\n\r\n",
            "X: a\u{0}b\r\n\r\n",
            "X : a\r\n\r\n", "Content-Length: +4\r\n\r\nabcd", "Content-Length: 0x4\r\n\r\nabcd",
        ])
    func smuggling(_ rest: String) async throws {
        try await Fixture.run(program: Fixture.mirror) { proxy in
            let text = try await proxy.exchange(
                "POST /run/fn HTTP/1.1\r\nHost: x\r\n\(Fixture.authorization)\(rest)GET /run/fn/inner HTTP/1.1\r\n\r\n")
            #expect(text.hasPrefix("HTTP/1.1 400 "), "\(text)")
            #expect(!text.contains("inner"))
        }
    }
}
