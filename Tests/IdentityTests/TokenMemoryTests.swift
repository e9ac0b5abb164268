import LoopbackServer
import Model
import NIOCore
import NIOHTTP1
import Synchronization
import TestKit
import Testing

@testable import Identity

/// What is remembered of tokens, and what becomes of a provider that does not answer as it should.
@Suite(.timeLimit(.minutes(1))) struct TokenMemoryTests {
    @Test func aTokenIsKnownUntilItExpires() async throws {
        let key = TestKey.es256()
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            let verifier = provider.verifier()
            let token = try key.token(provider.claims())
            _ = try await verifier.verify(token)
            provider.pass(.seconds(299))
            #expect(verifier.known(token) != nil)
            provider.pass(.seconds(1))
            #expect(verifier.known(token) == nil)
            provider.pass(.seconds(60))
            #expect(await refusal(verifier, token) == .invalid)
        }
    }

    @Test func aLongTokenIsLookedIntoOnceAnHour() async throws {
        let key = TestKey.es256()
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            let verifier = provider.verifier()
            let token = try key.token(provider.claims(["exp": .integer(4_000_000_000)]))
            _ = try await verifier.verify(token)
            provider.pass(.seconds(3600))
            #expect(verifier.known(token) == nil)
            _ = try await verifier.verify(token)
            #expect(verifier.known(token) != nil)
        }
    }

    @Test func thoseWhoComeAtTheSameTimeShareTheWork() async throws {
        let key = TestKey.es256()
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            let verifier = provider.verifier()
            let token = try key.token(provider.claims())
            await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<100 { group.addTask { await refusal(verifier, token) == nil } }
                for await isGood in group { #expect(isGood) }
            }
            #expect(provider.state.withLock { $0.admitted.count } == 1)
            #expect(provider.asked("/keys") == 1)
            #expect(provider.asked("/.well-known/openid-configuration") == 1)
        }
    }

    @Test func aRefusalIsRememberedBriefly() async throws {
        let key = TestKey.es256()
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            let verifier = provider.verifier()
            provider.state.withLock { $0.refusal = LoginRefusal(.notAdmitted, "disabled") }
            let token = try key.token(provider.claims())
            #expect(await refusal(verifier, token) == .notAdmitted)
            provider.state.withLock { $0.refusal = nil }
            #expect(await refusal(verifier, token) == .notAdmitted)
            provider.pass(.seconds(30))
            #expect(await refusal(verifier, token) == nil)
        }
    }

    @Test func whoIsForgottenIsLookedIntoAgain() async throws {
        let key = TestKey.es256()
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            let verifier = provider.verifier()
            let token = try key.token(provider.claims())
            let other = try key.token(provider.claims(["sub": .string("bob")]))
            _ = try await (verifier.verify(token), verifier.verify(other))
            verifier.forget(try UserID("ada"))
            #expect(verifier.known(token) == nil && verifier.known(other) != nil)
        }
    }

    @Test func memoryIsBounded() {
        var memory = ShortMemory<Int, Int>(most: 100)
        let start = Instant(seconds: 0)
        for number in 0..<10_000 {
            memory.keep(number, for: number, until: start + .seconds(10), at: start)
            #expect(memory.count <= 100)
            #expect(memory.value(of: number, at: start) == number)
        }
        // What is over makes room first.
        memory.keep(-1, for: -1, until: start + .seconds(30), at: start + .seconds(11))
        #expect(memory.count == 1)
        memory.keep(-2, for: -2, until: start, at: start + .seconds(11))
        #expect(memory.count == 1)
    }

    // MARK: Userinfo

    @Test func whatTheTokenDoesNotSayIsAskedForOnce() async throws {
        let key = TestKey.es256()
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            let verifier = provider.verifier(groups: ["vo.b"])
            let token = try key.token(provider.claims(["name": .null, "groups": .null]))
            let answer: JSONObject = [
                "sub": .string("ada"), "name": .string("Ada L."), "group_membership": .strings(["/vo.b", "/vo.c"]),
            ]
            provider.state.withLock { $0.userInfo[token] = (.ok, .object(answer)) }
            let user = try await verifier.verify(token)
            #expect(user.name == "Ada L." && user.groups == ["vo.b", "vo.c"])
            _ = try await verifier.verify(token)
            #expect(provider.asked("/userinfo") == 1)
        }
    }

    @Test(arguments: [(401, .invalid), (403, nil), (404, nil), (500, .unavailable)] as [(Int, LoginRefusal.Code?)])
    func aUserinfoThatSaysNothing(status: Int, code: LoginRefusal.Code?) async throws {
        let key = TestKey.es256()
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            let token = try key.token(provider.claims(["groups": .null]))
            provider.state.withLock { $0.userInfo[token] = (.init(statusCode: status), .null) }
            #expect(await refusal(provider.verifier(), token) == code)
        }
    }

    @Test func aUserinfoOfSomebodyElseIsNotBelieved() async throws {
        let key = TestKey.es256()
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            let token = try key.token(provider.claims(["groups": .null]))
            provider.state.withLock { $0.userInfo[token] = (.ok, .object(["sub": .string("eve")])) }
            #expect(await refusal(provider.verifier(), token) == .invalid)
        }
    }

    @Test func whoIsInNoneOfTheGroupsDoesNotComeIn() async throws {
        let key = TestKey.es256()
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            let verifier = provider.verifier(groups: ["vo.z"])
            #expect(try await refusal(verifier, key.token(provider.claims())) == .notAdmitted)
            let token = try key.token(provider.claims(["groups": .strings(["a", "/vo.z"])]))
            #expect(await refusal(verifier, token) == nil)
        }
    }

    // MARK: Providers that fail

    @Test func aProviderThatIsDownIsSaidToBe() async throws {
        let key = TestKey.es256()
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            let verifier = provider.verifier()
            provider.state.withLock { $0.isDown = true }
            #expect(try await refusal(verifier, key.token(provider.claims())) == .unavailable)
            #expect(try await refusal(verifier, key.token(provider.claims(["jti": .string("2")]))) == .unavailable)
            #expect(provider.asked("/.well-known/openid-configuration") == 1)
            provider.state.withLock { $0.isDown = false }
            provider.pass(.seconds(5))
            #expect(try await refusal(verifier, key.token(provider.claims())) == nil)
        }
    }

    @Test func aProviderThatIsSilentHoldsNobodyUpForLong() async throws {
        let key = TestKey.es256()
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            let never = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingOldest(1))
            try await LoopbackServer.with { _ in
                for await _ in never.stream {}
                return LoopbackResponse()
            } body: { port in
                let issuer = try #require(IssuerURL("http://127.0.0.1:\(port)"))
                let verifier = TokenVerifier(
                    .init(issuers: [issuer]),
                    exchange: ProviderExchange(httpClient: ProviderFixture.httpClient, patience: .milliseconds(50)),
                    admit: { .success(User(id: $0.id)) }, now: { Instant(seconds: 1_800_000_000) })
                let token = try key.token(provider.claims(["iss": .string(issuer.text)]))
                #expect(await refusal(verifier, token) == .unavailable)
                never.continuation.finish()
            }
        }
    }

    @Test(
        arguments: [
            "", "[]", "{}", #"{"issuer": 1}"#, #"{"jwks_uri": "http://127.0.0.1/keys"}"#,
            #"{"issuer": "https://other.example", "jwks_uri": "http://127.0.0.1/keys"}"#,
            String(repeating: "[", count: 100_000), String(repeating: "x", count: 2 << 20),
        ])
    func configurationsThatAreNone(text: String) async throws {
        let key = TestKey.es256()
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            provider.state.withLock { $0.answers["/.well-known/openid-configuration"] = LoopbackResponse(text: text) }
            #expect(try await refusal(provider.verifier(), key.token(provider.claims())) == .unavailable)
        }
    }

    @Test(arguments: ["http://example.org/keys", "file:///etc/passwd", "https://u:p@example.org/keys", "keys"])
    func addressesThatMayNotBeAsked(url: String) async throws {
        let key = TestKey.es256()
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            let document: JSONObject = ["issuer": .string(provider.issuer), "jwks_uri": .string(url)]
            provider.state.withLock {
                $0.answers["/.well-known/openid-configuration"] = LoopbackResponse(
                    text: JSONValue.object(document).text())
            }
            #expect(try await refusal(provider.verifier(), key.token(provider.claims())) == .unavailable)
        }
    }

    @Test(
        arguments: [
            "", "{}", #"{"keys": 1}"#, #"{"keys": []}"#, #"{"keys": [1, {}, {"kty": "oct", "k": "AA"}]}"#,
            #"{"keys": [{"kty": "RSA", "n": "AAAA", "e": "AQAB"}, {"kty": "EC"}, {"kty": "OKP", "x": 7}]}"#,
        ])
    func keySetsWithoutAKey(text: String) async throws {
        let key = TestKey.es256()
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            provider.state.withLock { $0.answers["/keys"] = LoopbackResponse(text: text) }
            #expect(try await refusal(provider.verifier(), key.token(provider.claims())) == .unavailable)
        }
    }

    @Test func amongThousandsOfKeysFewAreTried() async throws {
        let key = TestKey.es256()
        var many = (0..<2_000).map { _ in key.jwk }
        many.append(key.jwk)
        let keys = JSONValue.object(["keys": .array(many.map { .object($0) })])
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            provider.state.withLock { $0.answers["/keys"] = LoopbackResponse(text: keys.text()) }
            #expect(try await refusal(provider.verifier(), key.token(provider.claims())) == nil)
            let unnamed = try key.token(provider.claims(["jti": .string("2")]), header: ["kid": .null])
            #expect(await refusal(provider.verifier(), unnamed) == nil)
        }
    }
}
