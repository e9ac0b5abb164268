import LoopbackServer
import Model
import NIOHTTP1
import Synchronization
import Testing

@testable import Identity

@Suite(.timeLimit(.minutes(1))) struct TokenRefresherTests {
    private func refresher(_ provider: ProviderFixture) -> TokenRefresher {
        TokenRefresher(
            issuers: [IssuerURL(provider.issuer)].compactMap(\.self), clientID: "token-portal",
            exchange: ProviderExchange(httpClient: ProviderFixture.httpClient),
            now: { provider.state.withLock { $0.now } })
    }

    private func answer(_ provider: ProviderFixture, _ status: HTTPResponseStatus, _ text: String) {
        provider.state.withLock { $0.answers["/token"] = LoopbackResponse(status, text: text) }
    }

    @Test func getsATokenAndKeepsItUntilAMinuteBeforeItsEnd() async throws {
        try await ProviderFixture.with { provider async throws in
            let refresher = refresher(provider)
            answer(provider, .ok, #"{"access_token": "one", "expires_in": 300}"#)
            await withTaskGroup(of: String?.self) { group in
                for _ in 0..<20 { group.addTask { try? await refresher.accessToken(for: "refresh") } }
                for await token in group { #expect(token == "one") }
            }
            #expect(provider.asked("/token") == 1)
            answer(provider, .ok, #"{"access_token": "two", "expires_in": 300}"#)
            provider.pass(.seconds(239))
            #expect(try await refresher.accessToken(for: "refresh") == "one")
            provider.pass(.seconds(1))
            #expect(try await refresher.accessToken(for: "refresh") == "two")
        }
    }

    @Test(
        arguments: [
            (400, #"{"error": "invalid_grant"}"#, .invalid), (401, "", .invalid), (500, "", .unavailable),
            (429, "", .unavailable), (200, "{}", .unavailable), (200, "", .unavailable),
        ] as [(Int, String, LoginRefusal.Code)])
    func saysWhyThereIsNone(status: Int, text: String, code: LoginRefusal.Code) async throws {
        try await ProviderFixture.with { provider async throws in
            answer(provider, .init(statusCode: status), text)
            let refresher = refresher(provider)
            let refusal = await #expect(throws: LoginRefusal.self) { try await refresher.accessToken(for: "refresh") }
            #expect(refusal?.code == code)
        }
    }

    @Test func tokensOfIssuersThatNobodyListedGoNowhere() async throws {
        let key = TestKey.es256()
        try await ProviderFixture.with { provider async throws in
            let refresher = refresher(provider)
            let foreign = try key.token(["iss": .string("https://evil.example")])
            let refusal = await #expect(throws: LoginRefusal.self) { try await refresher.accessToken(for: foreign) }
            #expect(refusal?.code == .unknownIssuer && provider.asked("/token") == 0)
            answer(provider, .ok, #"{"access_token": "one"}"#)
            #expect(try await refresher.accessToken(for: key.token(["iss": .string(provider.issuer)])) == "one")
        }
    }
}
