import Model
import TestKit
import Testing

@testable import Identity

/// What is no token, what providers say of users, and where they may be.
@Suite struct TokenTextTests {
    private static let deep = String(repeating: "[", count: 10_000)

    @Test(
        arguments: [
            "", ".", "..", "...", "a.b", "a.b.c.d", "e30.e30", "e30.e30.e30", "!.e30.e30", "e30.!.e30", "e30.e30.!",
            "e30=.e30.e30", "bnVsbA.e30.", "W10.e30.", "eyJhbGciOjF9.e30.",
            "eyJhbGciOiJSUzI1NiIsImFsZyI6Im5vbmUifQ.e30.",
            "eyJhbGciOiJSUzI1NiJ9.W10.", "eyJhbGciOiJSUzI1NiJ9.\(base64URL(Array(deep.utf8))).",
            String(repeating: "a", count: 20_000) + ".b.c", "e30 .e30.e30", "\u{0}.\u{0}.\u{0}", "ü.e30.e30",
        ])
    func refusesWhatIsNoToken(text: String) {
        #expect(throws: LoginRefusal.self) { try SignedToken(text) }
    }

    @Test func randomTextsNeverCrash() {
        var generator = SeededGenerator(seed: 7)
        let alphabet = Array("abcAB01-_.=+/{}\"".utf8)
        for _ in 0..<20_000 {
            let length = Int.random(in: 0...60, using: &generator)
            let bytes = (0..<length).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &generator)] }
            _ = try? SignedToken(String(decoding: bytes, as: UTF8.self))
        }
    }

    @Test(
        arguments: [
            (
                "https://aai.egi.eu/auth/realms/egi",
                #"{"entitlements": ["urn:mace:egi.eu:group:VO.Example:role=member#aai", "urn:mace:egi.eu:group:other#x", "urn:x", "urn:mace:egi.eu:res:no", 7]}"#,
                ["other", "vo.example"]
            ),
            (
                "https://aai.egi.eu/auth/realms/egi",
                #"{"eduperson_entitlement": ["urn:mace:egi.eu:group:a:role=m#z"]}"#, ["a"]
            ),
            ("https://aai.egi.eu/auth/realms/egi", #"{"groups": ["a"]}"#, nil),
            ("https://login.cloud.ai4eosc.eu/realms/ai4eosc", #"{"realm_access": {"roles": ["b", "a"]}}"#, ["a", "b"]),
            (
                "https://kc/realms/x",
                #"{"group_membership": ["/a/b", "c"], "groups": ["d", "c"], "realm_access": {"roles": ["r"]}}"#,
                ["a/b", "c", "d", "r"]
            ),
            ("https://kc/realms/x", #"{"realm_access": {"roles": ["r"]}}"#, nil),
            ("https://kc/realms/x", #"{"groups": "one"}"#, ["one"]), ("https://kc/realms/x", #"{"groups": null}"#, nil),
            ("https://kc/realms/x", #"{"groups": ["", "a\nb", "/"]}"#, []),
        ] as [(String, String, [String]?)])
    func readsGroupsWhereProvidersPutThem(issuer: String, claims: String, groups: [String]?) throws {
        let claims = UserClaims(try JSONValue.parse(claims), kind: .init(issuer: issuer))
        #expect(claims.groups == groups)
    }

    @Test func groupsAreBounded() throws {
        let claims = JSONValue.object(["groups": .strings((0..<5_000).map { "g\($0)" })])
        #expect(UserClaims(claims, kind: .generic).groups?.count == 1_000)
    }

    @Test(arguments: [
        "https://a", "https://a/b/", "http://127.0.0.1:80/x", "http://localhost", "http://[::1]:8080",
        "http://127.9.9.9",
    ])
    func issuersThatMayBeAsked(text: String) { #expect(IssuerURL(text) != nil) }

    @Test(arguments: [
        "", "http://a", "http://10.0.0.1", "ftp://a", "https://", "https:///x", "https://a?x", "https://a#x",
        "https://u@a",
        "http://localhost.evil.example", "http://127.0.0.1.evil.example", "http://127.0.0.1@evil.example",
        "https://a b",
        "https://ü", "http://[::2]", "HTTP://127.0.0.1", "http://127.1", "http://:80",
    ])
    func issuersThatMayNot(text: String) { #expect(IssuerURL(text) == nil) }

    @Test(
        arguments: [
            ("ada", "ada"), ("f00@egi.eu", "f00@egi.eu"), ("2f7e-ab_c.d", "2f7e-ab_c.d"), ("ab", nil), ("a/b/c", nil),
            ("auth0|12", nil), ("a,b=c d", nil), ("ünï", nil), (String(repeating: "a", count: 65), nil),
        ] as [(String, String?)])
    func accessKeysCanStandInAScope(name: String, key: String?) throws {
        let made = AccessKeyText.make(for: try UserID(name))
        if let key { #expect(made == key) } else { #expect(made.hasPrefix("user-") && made.utf8.count == 29) }
        #expect(made == AccessKeyText.make(for: try UserID(name)))
        #expect((try? Credentials(username: "a", password: "b", s3AccessKey: made, s3SecretKey: "12345678")) != nil)
    }
}
