import Cluster
import ClusterTesting
import Glibc
import HTTPTypes
import LoopbackServer
import Model
import NIOCore
import Synchronization
import SystemPackage
import TestKit
import Testing

/// Cold starts, instances that go away, bodies that are larger than memory, and connections that change their protocol.
@Suite("The proxy to functions' own servers, in time", .timeLimit(.minutes(2)))
struct ProxyWaitTests {
    typealias Fixture = ProxyFixture

    @Test("a request waits for the first instance, and for its program to listen")
    func coldStart() async throws {
        try await TemporaryFolder.with { folder in
            // Longer than a socket's address may be.
            let deep = folder.appending(String(repeating: "d", count: 120))
            try deep.appending("mark").write([])
            let (ready, setReady) = AsyncStream.makeStream(of: Void.self)
            let enter: @Sendable (Fixture.Seats, FilePath) async throws -> ServerSeat = { seats, socket in
                for await _ in ready { break }
                return seats.enter(socket)
            }
            try await Fixture.runWithoutProgram(socket: deep.appending("s"), enter: enter) { proxy in
                let answer = Task { try await proxy.api.send(.post, "/run/fn", body: Array("body".utf8)) }
                setReady.yield()
                try await eventually("the place is taken") { proxy.seats.entered == 1 }
                let short = folder.appending("s")
                try await Wire.serve(at: short, Fixture.mirror) {
                    // Only now there is something behind the name.
                    #expect(rename(short.string, deep.appending("s").string) == 0)
                    let text = try await answer.value.expect(200).text
                    #expect(text.hasSuffix("body"))
                }
            }
        }
    }

    @Test("why there is no instance is told")
    func refusals() async throws {
        let error = Mutex(ClusterError(code: .busy, message: "too many wait", retryAfter: .seconds(3)))
        let enter: @Sendable (Fixture.Seats, FilePath) async throws -> ServerSeat = { _, _ in
            throw error.withLock { $0 }
        }
        try await Fixture.run(enter: enter, program: Fixture.mirror) { proxy in
            let busy = try await proxy.api.send(.post, "/run/fn", body: [1]).expect(429, "too many wait")
            #expect(busy.header("retry-after") == "3")
            error.withLock { $0 = ClusterError(code: .unavailable, message: "it is paused") }
            try await proxy.api.send(.get, "/run/fn").expect(503, "it is paused")
        }
    }

    @Test("a client that goes while it waits takes no place")
    func leavesTheQueue() async throws {
        let waits = Mutex(0)
        let enter: @Sendable (Fixture.Seats, FilePath) async throws -> ServerSeat = { seats, socket in
            waits.withLock { $0 += 1 }
            defer { waits.withLock { $0 -= 1 } }
            try await Task.sleep(for: .seconds(100))
            return seats.enter(socket)
        }
        try await Fixture.run(enter: enter, program: Fixture.mirror) { proxy in
            try await Wire.connect(port: proxy.port) { wire in
                try await wire.send("GET /run/fn HTTP/1.1\r\nHost: x\r\n\(Fixture.authorization)\r\n")
                try await eventually("it waits") { waits.withLock { $0 } == 1 }
            }
            try await eventually("nobody waits") { waits.withLock { $0 } == 0 }
            #expect(proxy.seats.entered == 0)
        }
    }

    @Test(
        "what an instance lost before it answered goes to the next one, where that can be",
        arguments: [
            ("GET", "/run/fn", "", 2), ("POST", "/run/fn", "small", 2),
            ("PUT", "/system/services/page/exposed/", "small", 2),
            ("POST", "/system/services/page/exposed/", "small", 1),
            ("POST", "/run/fn", String(repeating: "x", count: 200_000), 1),
        ])
    func lost(_ method: String, _ target: String, _ body: String, _ tries: Int) async throws {
        let count = Mutex(0)
        try await Fixture.run(
            program: program { wire in
                let isFirst = count.withLock { count in
                    count += 1
                    return count == 1
                }
                if isFirst {
                    _ = try await wire.head()
                    if body.utf8.count > 100_000 { _ = try await wire.bytes(body.utf8.count) }
                    return
                }
                try await Fixture.mirror(wire)
            }
        ) { proxy in
            let text = try await proxy.exchange(Fixture.request(method, target, body: body))
            #expect(text.hasPrefix(tries == 2 ? "HTTP/1.1 200 " : "HTTP/1.1 502 "), "\(text.prefix(200))")
            if tries == 2 {
                #expect(text.hasSuffix(body) && proxy.seats.endings == [.unreachable, .served])
            }
        }
    }

    @Test("a large answer waits for its client, and a large body for the program")
    func backPressure() async throws {
        let size = 64 << 20
        let most = 12 << 20
        let ahead = Mutex((sent: 0, received: 0, worst: 0))
        @Sendable func sent(_ count: Int) {
            ahead.withLock { state in
                state.sent += count
                state.worst = max(state.worst, state.sent - state.received)
            }
        }
        let piece = ByteBuffer(repeating: 0x61, count: 64 << 10)
        try await Fixture.run(
            program: program { wire in
                let head = try await wire.head()
                guard head.hasPrefix("GET") else {
                    while ahead.withLock({ $0.received }) < size {
                        let count = try await wire.bytes(min(64 << 10, size)).count
                        ahead.withLock { $0.received += count }
                    }
                    return try await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
                }
                try await wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
                for _ in 0..<(size / piece.readableBytes) {
                    try await wire.send(piece)
                    sent(piece.readableBytes)
                }
            }
        ) { proxy in
            try await Wire.connect(port: proxy.port) { wire in
                try await wire.send("GET /run/fn HTTP/1.1\r\nHost: x\r\n\(Fixture.authorization)\r\n")
                _ = try await wire.head()
                for _ in 0..<(size >> 16) {
                    let count = try await wire.bytes(1 << 16).count
                    ahead.withLock { $0.received += count }
                }
            }
            #expect(ahead.withLock { $0.received } == size)
            #expect(ahead.withLock { $0.worst } < most)
            ahead.withLock { $0 = (0, 0, 0) }
            try await Wire.connect(port: proxy.port) { wire in
                try await wire.send(
                    "PUT /run/fn HTTP/1.1\r\nHost: x\r\n\(Fixture.authorization)Content-Length: \(size)\r\n\r\n")
                for _ in 0..<(size / piece.readableBytes) {
                    try await wire.send(piece)
                    sent(piece.readableBytes)
                }
                #expect(try await wire.read(through: "done").hasPrefix("HTTP/1.1 200 OK"))
            }
            #expect(ahead.withLock { $0.worst } < most)
        }
    }

    @Test("an answer that comes before the whole body is not lost")
    func early() async throws {
        try await Fixture.run(
            program: program { wire in
                _ = try await wire.head()
                try await wire.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!")
            }
        ) { proxy in
            let body = String(repeating: "x", count: 3_000_000)
            let text = try await Wire.connect(port: proxy.port) { wire in
                try await wire.send(Fixture.request("POST", "/run/fn", body: body))
                return try await wire.rest()
            }
            #expect(text.hasPrefix("HTTP/1.1 413 ") && text.hasSuffix("no!"), "\(text)")
        }
    }

    // MARK: Other protocols

    private static let handshake =
        "GET /run/fn/socket HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

    @Test("a connection that becomes a WebSocket passes bytes both ways, until both sides have ended")
    func webSocket() async throws {
        try await Fixture.run(
            program: program { wire in
                let head = try await wire.head().lowercased()
                #expect(head.hasPrefix("get /socket http/1.1\r\n") && head.contains("upgrade: websocket\r\n"))
                #expect(head.contains("connection: upgrade\r\n") && !head.contains("authorization"))
                #expect(head.contains("sec-websocket-key: dghlihnhbxbszsbub25jzq==\r\n"))
                try await wire.send(
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nfirst\n")
                while let line = try? await wire.read(through: "\n"), !line.isEmpty { try await wire.send("<\(line)>") }
                try await wire.send("last")
                wire.finish()
            }
        ) { proxy in
            let refused = try await proxy.exchange("\(Self.handshake)\r\n")
            #expect(refused.hasPrefix("HTTP/1.1 401 "))
            #expect(proxy.seats.entered == 0)
            try await Wire.connect(port: proxy.port) { wire in
                // What is sent before the answer is kept.
                try await wire.send("\(Self.handshake)\(Fixture.authorization)\r\nearly\n")
                let head = try await wire.head()
                #expect(
                    head.hasPrefix("HTTP/1.1 101 ")
                        && head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
                #expect(head.lowercased().contains("connection: upgrade\r\nupgrade: websocket\r\n"))
                #expect(try await wire.read(through: "\n") == "first\n")
                #expect(try await wire.read(through: ">") == "<early\n>")
                for number in 0..<50 {
                    try await wire.send("\(number)\n")
                    #expect(try await wire.read(through: ">") == "<\(number)\n>")
                }
                #expect(proxy.seats.endings.isEmpty)
                wire.finish()
                #expect(try await wire.rest() == "last")
            }
            try await eventually("the place is left") { proxy.seats.endings == [.served] }
        }
    }

    @Test("a large stream through a changed connection waits for who reads it")
    func relayPressure() async throws {
        let size = 32 << 20
        try await Fixture.run(
            program: program { wire in
                _ = try await wire.head()
                try await wire.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\nConnection: Upgrade\r\n\r\n")
                let piece = ByteBuffer(repeating: 0x62, count: 1 << 16)
                for _ in 0..<(size >> 16) { try await wire.send(piece) }
                wire.finish()
            }
        ) { proxy in
            try await Wire.connect(port: proxy.port) { wire in
                try await wire.send(
                    "GET /run/fn HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: raw\r\n\(Fixture.authorization)\r\n"
                )
                _ = try await wire.head()
                wire.finish()
                #expect(try await wire.rest().utf8.count == size)
            }
        }
    }

    @Test(
        "what is no upgrade to the parser is none to us",
        arguments: [
            ("Connection: upgrade\t, x", "Upgrade: raw\r\nConnection: Upgrade"),
            ("Connection: upgrade x", "Upgrade: raw\r\nConnection: Upgrade"),
            ("Connection: upgrade\r\nContent-Length: 3", "Upgrade: raw\r\nConnection: Upgrade"),
            ("Connection: upgrade\r\nTransfer-Encoding: chunked", "Upgrade: raw\r\nConnection: Upgrade"),
            ("Connection: upgrade", "Upgrade: raw"), ("Connection: upgrade", "Connection: upgrade"),
            ("Connection: upgrade", "Upgrade: raw\r\nConnection: x\t, upgrade"),
        ])
    func noUpgrade(asked: String, answered: String) async throws {
        try await Fixture.run(
            program: program { wire in
                _ = try await wire.head()
                try await wire.send(
                    "HTTP/1.1 101 Switching Protocols\r\n\(answered)\r\n\r\nHTTP/1.1 200 OK\r\n\r\nmore")
                _ = try await wire.rest()
            }
        ) { proxy in
            let text = try await proxy.exchange(
                "POST /run/fn HTTP/1.1\r\nHost: x\r\n\(Fixture.authorization)Upgrade: raw\r\n\(asked)\r\n\r\n"
                    + "3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n")
            #expect(text.hasPrefix("HTTP/1.1 502 ") || text.hasPrefix("HTTP/1.1 400 "), "\(text)")
            try await proxy.api.send(.get, "/health").expect(200)
        }
    }

    @Test("a program that does not want to change the protocol answers as always")
    func declined() async throws {
        try await Fixture.run(program: Fixture.mirror) { proxy in
            let text = try await proxy.exchange("\(Self.handshake)\(Fixture.authorization)\r\n")
            #expect(text.hasPrefix("HTTP/1.1 200 OK") && text.contains("connection: close"))
            let h2c = try await proxy.exchange(
                "GET /run/fn HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                    + "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\(Fixture.authorization)\r\n")
            let seen = h2c.split(separator: "\r\n\r\n", maxSplits: 1).last?.lowercased() ?? ""
            #expect(h2c.hasPrefix("HTTP/1.1 200 OK") && !seen.contains("upgrade") && !seen.contains("http2-settings"))
        }
    }
}
