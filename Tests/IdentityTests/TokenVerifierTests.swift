import Crypto
import LoopbackServer
import Model
import Synchronization
import TestKit
import Testing

@testable import Identity

/// Against a provider on this machine, with keys that the tests make.
@Suite(.timeLimit(.minutes(1))) struct TokenVerifierTests {
    @Test(arguments: ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"])
    func acceptsEveryKindOfKey(algorithm: String) async throws {
        let key: TestKey =
            switch algorithm {
            case "ES256": .es256()
            case "ES384": .es384()
            case "ES512": .es512()
            case "EdDSA": .edDSA()
            default: try await .rsa(algorithm)
            }
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            let verifier = provider.verifier()
            let token = try key.token(provider.claims())
            #expect(verifier.known(token) == nil)
            let user = try await verifier.verify(token)
            #expect(user == User(id: try UserID("ada"), name: "Ada", groups: ["vo.a"]))
            #expect(verifier.known(token) == user)
            #expect(provider.asked("/userinfo") == 0)
        }
    }

    @Test func oneTokenDoesNotDecideHowAKeyIsUsedForOthers() async throws {
        let first = try await TestKey.rsa("RS512", statesAlgorithm: false)
        let second = try await TestKey.rsa("PS256", statesAlgorithm: false)
        try await ProviderFixture.with(keys: [first]) { provider async throws in
            let verifier = provider.verifier()
            // Signed by the right key in another way than it says.
            let bent = try second.token(provider.claims(), header: ["alg": .string("RS256")])
            #expect(await refusal(verifier, bent) == .invalid)
            #expect(try await refusal(verifier, first.token(provider.claims())) == nil)
            #expect(try await refusal(verifier, second.token(provider.claims())) == nil)
        }
    }

    @Test func refusesWhatIsNotSignedByTheIssuer() async throws {
        let key = TestKey.es256()
        let rsa = try await TestKey.rsa("RS256")
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            let verifier = provider.verifier()
            let good = try key.token(provider.claims())
            let parts = good.split(separator: ".").map(String.init)
            // Of another key that says to be this one.
            #expect(try await refusal(verifier, TestKey.es256().token(provider.claims())) == .invalid)
            // Of this one, for other words.
            let forged = base64URL(JSONValue.object(provider.claims(["sub": .string("eve")])).bytes())
            #expect(await refusal(verifier, "\(parts[0]).\(forged).\(parts[2])") == .invalid)
            // Not at all.
            for name in ["none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RSA-OAEP", "A", "ES256K"] {
                let header = base64URL(JSONValue.object(["alg": .string(name), "kid": .string("one")]).bytes())
                for signature in ["", parts[2]] {
                    #expect(await refusal(verifier, "\(header).\(parts[1]).\(signature)") == .invalid, "\(name)")
                }
            }
            // Of a key of another kind.
            #expect(try await refusal(verifier, rsa.token(provider.claims())) == .invalid)
            #expect(provider.state.withLock { $0.admitted.isEmpty })
        }
    }

    @Test func takesNoPublicKeyForASharedSecret() async throws {
        let rsa = try await TestKey.rsa("RS256")
        try await ProviderFixture.with(keys: [rsa]) { provider async throws in
            let verifier = provider.verifier()
            let header: JSONObject = ["alg": .string("HS256"), "kid": .string("one")]
            let text =
                base64URL(JSONValue.object(header).bytes()) + "."
                + base64URL(JSONValue.object(provider.claims()).bytes())
            for secret in [rsa.jwk["n"]?.stringValue ?? "", "one", ""] {
                let key = SymmetricKey(data: Array(secret.utf8))
                let code = HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key)
                #expect(await refusal(verifier, text + "." + base64URL(Array(code))) == .invalid)
            }
        }
    }

    @Test func sharedKeysOfAProviderSignNothing() async throws {
        let shared = TestKey(
            algorithm: "HS256",
            jwk: ["kty": .string("oct"), "kid": .string("one"), "k": .string(base64URL(Array("secret".utf8)))]
        ) { Array(HMAC<SHA256>.authenticationCode(for: $0, using: SymmetricKey(data: Array("secret".utf8)))) }
        let weak = TestKey(
            algorithm: "RS256",
            jwk: [
                "kty": .string("RSA"), "kid": .string("two"),
                "n": .string(base64URL([UInt8](repeating: 7, count: 128))),
                "e": .string("AQAB"),
            ]
        ) { _ in [1] }
        var forEncryption = TestKey.es256().jwk
        forEncryption["use"] = .string("enc")
        let encrypting = TestKey(algorithm: "ES256", jwk: forEncryption) { _ in [1] }
        for key in [shared, weak, encrypting] {
            try await ProviderFixture.with(keys: [TestKey.es256("other"), key]) { provider async throws in
                #expect(try await refusal(provider.verifier(), key.token(provider.claims())) == .invalid)
            }
        }
    }

    @Test(
        arguments: [
            (["exp": .integer(1_799_999_000)], false), (["exp": .integer(1_799_999_941)], true),
            (["exp": .integer(1_799_999_940)], false), (["exp": .null], false), (["exp": .string("1")], false),
            (["exp": .number("1e300")], true), (["exp": .number("-1")], false),
            (["exp": .number("1800000100.5")], true),
            (["nbf": .integer(1_800_000_060)], true), (["nbf": .integer(1_800_000_061)], false),
            (["iat": .integer(1_800_000_061)], false), (["iat": .string("now")], false), (["iat": .null], true),
            (["iss": .string("http://127.0.0.1/other")], false), (["iss": .null], false), (["iss": .integer(1)], false),
            (["sub": .null], false), (["sub": .string("")], false), (["sub": .string("a\nb")], false),
            (["sub": .string(String(repeating: "x", count: 256))], false), (["sub": .integer(7)], false),
            (["typ": .string("Bearer")], true), (["typ": .string("ID")], false), (["typ": .string("Refresh")], false),
        ] as [(JSONObject, Bool)])
    func holdsClaimsAgainstTheRules(change: JSONObject, isGood: Bool) async throws {
        let key = TestKey.es256()
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            let code = await refusal(provider.verifier(), try key.token(provider.claims(change)))
            #expect((code == nil) == isGood, "\(String(describing: code))")
            // Whose token it is that nobody can tell is not asked of anybody.
            if !isGood { #expect(provider.asked("/userinfo") == 0) }
        }
    }

    @Test func checksTheAudienceWhereAsked() async throws {
        let key = TestKey.es256()
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            let verifier = provider.verifier(audience: "apus")
            for (audience, isGood) in [
                (JSONValue.string("apus"), true), (.strings(["account", "apus"]), true), (.null, false),
                (.string("apus2"), false), (.array([]), false), (.strings(["account"]), false), (.integer(1), false),
            ] {
                let token = try key.token(provider.claims(["aud": audience, "azp": .string("apus")]))
                #expect((await refusal(verifier, token) == nil) == isGood, "\(audience)")
            }
        }
    }

    @Test func headersThatMustBeUnderstoodAreNot() async throws {
        let key = TestKey.es256()
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            let token = try key.token(provider.claims(), header: ["crit": .strings(["exp"])])
            #expect(await refusal(provider.verifier(), token) == .invalid)
        }
    }

    @Test func issuersThatNobodyListedAreNotAsked() async throws {
        let key = TestKey.es256()
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            let verifier = provider.verifier()
            for issuer in [provider.base, "\(provider.issuer)/x", "https://evil.example", "javascript:", ""] {
                let token = try key.token(provider.claims(["iss": .string(issuer)]))
                #expect(await refusal(verifier, token) == .unknownIssuer)
            }
            #expect(provider.state.withLock { $0.asked.isEmpty })
        }
    }

    @Test func fetchesNewKeysForANameThatItDoesNotKnow() async throws {
        let old = TestKey.es256("old")
        let new = TestKey.es256("new")
        try await ProviderFixture.with(keys: [old]) { provider async throws in
            let verifier = provider.verifier()
            #expect(try await refusal(verifier, old.token(provider.claims())) == nil)
            provider.state.withLock { $0.keys = [new] }
            #expect(try await refusal(verifier, new.token(provider.claims())) == nil)
            #expect(provider.asked("/keys") == 2)
            // The old key is gone, and its tokens with it; but for those that are known until they expire.
            #expect(try await refusal(verifier, old.token(provider.claims(["jti": .string("2")]))) == .invalid)
        }
    }

    @Test func aFloodOfUnknownKeysDoesNotBecomeAFloodOfFetches() async throws {
        let key = TestKey.es256()
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            let verifier = provider.verifier()
            #expect(try await refusal(verifier, key.token(provider.claims())) == nil)
            for number in 0..<50 {
                let junk = TestKey.es256("junk-\(number)")
                let code = await refusal(verifier, try junk.token(provider.claims()))
                #expect(code == (number < 5 ? .invalid : .unavailable))
            }
            #expect(provider.asked("/keys") == 6)
            // Those whose key is known are not in the way.
            #expect(try await refusal(verifier, key.token(provider.claims(["jti": .string("2")]))) == nil)
            provider.pass(.seconds(10))
            #expect(try await refusal(verifier, TestKey.es256("more").token(provider.claims())) == .invalid)
        }
    }

    @Test func keysAreFetchedAgainAfterAnHourAndKeptWhereThatFails() async throws {
        let key = TestKey.es256()
        try await ProviderFixture.with(keys: [key]) { provider async throws in
            let verifier = provider.verifier()
            #expect(try await refusal(verifier, key.token(provider.claims())) == nil)
            provider.pass(.seconds(3601))
            #expect(try await refusal(verifier, key.token(provider.claims())) == nil)
            #expect(provider.asked("/keys") == 2)
            provider.pass(.seconds(3601))
            provider.state.withLock { $0.isDown = true }
            #expect(try await refusal(verifier, key.token(provider.claims())) == nil)
        }
    }
}
