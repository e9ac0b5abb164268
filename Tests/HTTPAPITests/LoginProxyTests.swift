import ClusterTesting
import LoopbackServer
import Synchronization
import Testing

/// Users at functions' own servers, whose tokens are not known yet.
@Suite(.timeLimit(.minutes(1))) struct LoginProxyTests {
    typealias Fixture = ProxyFixture

    private static func request(_ token: String, _ path: String, close: Bool = false) -> String {
        "GET \(path) HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\n\(close ? "Connection: close\r\n" : "")\r\n"
    }

    @Test func aRequestWaitsUntilItIsKnownWhoseItIs() async throws {
        let asked = Mutex<LoginFixture?>(nil)
        let make: @Sendable (ClusterFixture) async throws -> LoginFixture? = { cluster in
            let logins = try await LoginFixture(cluster)
            asked.withLock { $0 = logins }
            return logins
        }
        try await Fixture.run(logins: make, program: Fixture.mirror) { proxy in
            // Three at once: the second waits behind the first, and its token is known by then.
            let text = try await proxy.exchange(
                Self.request("token.of.ada", "/run/fn/one") + Self.request("token.of.ada", "/run/fn/two")
                    + Self.request("expired.of.ada", "/run/fn/three", close: true))
            let answers = text.split(separator: "HTTP/1.1 ")
            #expect(answers.map { $0.prefix(3) } == ["200", "200", "401"], "\(text)")
            #expect(text.contains("GET /one HTTP") && text.contains("GET /two HTTP") && !text.contains("GET /three"))
            #expect(asked.withLock { $0 }?.asked.withLock { $0 } == 2)
        }
    }

    @Test(arguments: [("down.of.ada", "503"), ("nonsense", "400"), ("foreign.of.x", "401")])
    func whoIsNotLetInDoesNotReachTheProgram(token: String, status: String) async throws {
        let make: @Sendable (ClusterFixture) async throws -> LoginFixture? = { try await LoginFixture($0) }
        try await Fixture.run(logins: make, program: Fixture.mirror) { proxy in
            let text = try await proxy.exchange(Self.request(token, "/run/fn/x", close: true))
            #expect(text.hasPrefix("HTTP/1.1 \(status) "), "\(text)")
            #expect(proxy.seats.entered == 0)
        }
    }
}
