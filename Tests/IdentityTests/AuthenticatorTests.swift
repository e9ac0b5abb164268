import Model
import Testing

@testable import Identity

@Suite struct AuthenticatorTests {
    private static let token = String(repeating: "0aF9", count: 16)

    private func authenticator(password: String = "pass:word ü") throws -> Authenticator {
        let service = try ServiceName("frames")
        let credentials = try Credentials(
            username: "oscar",
            password: password,
            s3AccessKey: "AKIDEXAMPLE",
            s3SecretKey: "secretsecret"
        )
        return Authenticator(credentials: credentials) { $0 == Self.token ? service : nil }
    }

    /// `oscar:pass:word ü`, as `printf … | base64` writes it.
    private static let good = "b3NjYXI6cGFzczp3b3JkIMO8"

    @Test(arguments: [
        "Basic \(good)", "basic \(good)", "BASIC   \(good)", " Basic \(good) ",
    ])
    func knowsTheAdministrator(value: String) throws {
        #expect(
            try authenticator().authenticate(authorization: value)
                == .principal(.administrator(name: "oscar"))
        )
    }

    @Test(arguments: ["Bearer \(token)", "bearer \(token)", "Bearer  \(token) "])
    func knowsAService(value: String) throws {
        let expected = Authenticator.Decision.principal(.service(try ServiceName("frames")))
        #expect(try authenticator().authenticate(authorization: value) == expected)
    }

    @Test(arguments: [nil, "", " ", "\t "])
    func tellsMissingFromWrong(value: String?) throws {
        #expect(try authenticator().authenticate(authorization: value) == .missing)
    }

    @Test(arguments: [
        "Basic", "Basic ", "Basic !!!!", "Basic b3NjYXI", "Basic b3NjYXI=", "Basic b3NjYXI6cGFzcw==",
        "Basic Og==", "Basic =", "Basic ====",
        "Basic b3NjYXI6//8=", "Basic \(good)=", "Basic \(good) \(good)", "Bearer", "Bearer \(token)0",
        "Bearer \(token.dropLast())",
        "Bearer \(String(repeating: "g", count: 64))", "Bearer \(String(repeating: "0", count: 64))",
        "Bearer Bearer \(token)",
        "Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc", "Digest username=\"oscar\"", "AWS4-HMAC-SHA256 Credential=x",
        token, good,
        "Basic " + String(repeating: "A", count: 4_000_000), String(repeating: "x", count: 4_000_000),
        "\u{0}", "Básic \(good)",
    ])
    func refusesEverythingElse(value: String) throws {
        guard case .refused(let reason) = try authenticator().authenticate(authorization: value) else {
            Issue.record("not refused: \(value.prefix(80))")
            return
        }
        #expect(!reason.isEmpty && reason.utf8.count < 200)
        #expect(!reason.contains(Self.token))
    }

    @Test func givesTheSecretOfAKnownAccessKeyOnly() throws {
        let authenticator = try authenticator()
        let found = try #require(authenticator.secret(forAccessKey: "AKIDEXAMPLE"))
        #expect(found.secret == "secretsecret")
        #expect(found.principal == .administrator(name: "oscar"))
        for key in ["", "akidexample", "AKIDEXAMPLE ", "AKIDEXAMPL", "oscar"] {
            #expect(authenticator.secret(forAccessKey: key) == nil)
        }
    }

    @Test func acceptsNoSecretInsteadOfThePassword() throws {
        // `oscar:secretsecret`
        let decision = try authenticator().authenticate(authorization: "Basic b3NjYXI6c2VjcmV0c2VjcmV0")
        #expect(decision == .refused(reason: "wrong user name or password"))
    }
}
