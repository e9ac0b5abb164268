import AsyncHTTPClient
import Crypto
import JWTKit
import LoopbackServer
import Model
import NIOCore
import NIOHTTP1
import Synchronization

@testable import Identity

/// A key that tokens are signed with, in the form in which a provider publishes it.
struct TestKey: Sendable {
    let algorithm: String
    let jwk: JSONObject
    let sign: @Sendable ([UInt8]) throws -> [UInt8]

    static func es256(_ id: String = "one") -> TestKey {
        let key = P256.Signing.PrivateKey()
        return ec("ES256", "P-256", id, Array(key.publicKey.rawRepresentation)) {
            Array(try key.signature(for: $0).rawRepresentation)
        }
    }

    static func es384() -> TestKey {
        let key = P384.Signing.PrivateKey()
        return ec("ES384", "P-384", "one", Array(key.publicKey.rawRepresentation)) {
            Array(try key.signature(for: $0).rawRepresentation)
        }
    }

    static func es512() -> TestKey {
        let key = P521.Signing.PrivateKey()
        return ec("ES512", "P-521", "one", Array(key.publicKey.rawRepresentation)) {
            Array(try key.signature(for: $0).rawRepresentation)
        }
    }

    static func edDSA() -> TestKey {
        let key = Curve25519.Signing.PrivateKey()
        let jwk: JSONObject = [
            "kty": .string("OKP"), "crv": .string("Ed25519"), "kid": .string("one"),
            "x": .string(base64URL(Array(key.publicKey.rawRepresentation))),
        ]
        return TestKey(algorithm: "EdDSA", jwk: jwk) { Array(try key.signature(for: $0)) }
    }

    /// - Parameter statesAlgorithm: whether the published key says what it is for.
    static func rsa(_ algorithm: String, statesAlgorithm: Bool = true) async throws -> TestKey {
        let key = try Insecure.RSA.PrivateKey(pem: rsaPEM)
        let parts = try key.publicKey.getKeyPrimitives()
        var jwk: JSONObject = [
            "kty": .string("RSA"), "use": .string("sig"), "kid": .string("one"),
            "n": .string(base64URL(Array(parts.modulus))), "e": .string(base64URL(Array(parts.publicExponent))),
        ]
        if statesAlgorithm { jwk["alg"] = .string(algorithm) }
        let signer = try await rsaSigner(algorithm, key)
        return TestKey(algorithm: algorithm, jwk: jwk) { try signer.sign($0) }
    }

    private static func ec(
        _ algorithm: String,
        _ curve: String,
        _ id: String,
        _ point: [UInt8],
        _ sign: @escaping @Sendable ([UInt8]) throws -> [UInt8]
    ) -> TestKey {
        let half = point.count / 2
        let jwk: JSONObject = [
            "kty": .string("EC"), "crv": .string(curve), "kid": .string(id), "use": .string("sig"),
            "x": .string(base64URL(Array(point[..<half]))), "y": .string(base64URL(Array(point[half...]))),
        ]
        return TestKey(algorithm: algorithm, jwk: jwk, sign: sign)
    }

    /// A token of these claims.
    func token(_ claims: JSONObject, header more: JSONObject = [:]) throws -> String {
        var header: JSONObject = ["alg": .string(algorithm), "typ": .string("JWT")]
        header["kid"] = jwk["kid"]
        for (name, value) in more.members { header[name] = value.isNull ? nil : value }
        let text = base64URL(JSONValue.object(header).bytes()) + "." + base64URL(JSONValue.object(claims).bytes())
        return text + "." + base64URL(try sign(Array(text.utf8)))
    }
}

func base64URL(_ bytes: [UInt8]) -> String {
    Base64.encode(bytes).replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
}

/// An identity provider on this machine, as a test wants it to be.
final class ProviderFixture: Sendable {
    struct State {
        var keys: [TestKey] = []
        /// What the userinfo says, by token; a status where there is no document.
        var userInfo: [String: (HTTPResponseStatus, JSONValue)] = [:]
        var asked: [String: Int] = [:]
        var isDown = false
        /// Instead of the real answer, by path.
        var answers: [String: LoopbackResponse] = [:]
        var now = Instant(seconds: 1_800_000_000)
        var admitted: [VerifiedLogin] = []
        var refusal: LoginRefusal?
    }

    let state = Mutex(State())
    let base: String

    private init(port: Int) { base = "http://127.0.0.1:\(port)" }

    var issuer: String { "\(base)/realms/test" }

    func asked(_ path: String) -> Int { state.withLock { $0.asked[path] ?? 0 } }
    func pass(_ time: Duration) { state.withLock { $0.now = $0.now + time } }

    static func with(
        keys: [TestKey] = [.es256()],
        _ body: @escaping @Sendable (ProviderFixture) async throws -> Void
    ) async throws {
        let holder = Mutex<ProviderFixture?>(nil)
        try await LoopbackServer.with { request in
            guard let fixture = holder.withLock({ $0 }) else { return LoopbackResponse(.serviceUnavailable) }
            return fixture.answer(request)
        } body: { port in
            let fixture = ProviderFixture(port: port)
            fixture.state.withLock { $0.keys = keys }
            holder.withLock { $0 = fixture }
            try await body(fixture)
        }
    }

    private func answer(_ request: LoopbackRequest) -> LoopbackResponse {
        let path = String(request.path.dropFirst("/realms/test".utf8.count))
        return state.withLock { state in
            state.asked[path, default: 0] += 1
            if state.isDown { return LoopbackResponse(.internalServerError) }
            if let answer = state.answers[path] { return answer }
            switch path {
            case "/.well-known/openid-configuration":
                return json([
                    "issuer": .string(issuer), "jwks_uri": .string("\(issuer)/keys"),
                    "userinfo_endpoint": .string("\(issuer)/userinfo"), "token_endpoint": .string("\(issuer)/token"),
                ])
            case "/keys": return json(["keys": .array(state.keys.map { .object($0.jwk) })])
            case "/userinfo":
                let token = String((request.headers["authorization"].first ?? "").dropFirst(7))
                guard let (status, document) = state.userInfo[token] else { return LoopbackResponse(.forbidden) }
                return LoopbackResponse(status, text: document.text())
            default: return LoopbackResponse(.notFound)
            }
        }
    }

    private func json(_ object: JSONObject) -> LoopbackResponse {
        LoopbackResponse(text: JSONValue.object(object).text())
    }

    /// What a good token says, name and groups included.
    func claims(_ more: JSONObject = [:]) -> JSONObject {
        let now = state.withLock { $0.now }
        var claims: JSONObject = [
            "iss": .string(issuer), "sub": .string("ada"), "exp": .integer(now.seconds + 300),
            "iat": .integer(now.seconds), "name": .string("Ada"), "groups": .array([.string("/vo.a")]),
        ]
        for (name, value) in more.members { claims[name] = value.isNull ? nil : value }
        return claims
    }

    func verifier(groups: Set<String> = [], audience: String? = nil, patience: TimeAmount = .seconds(10))
        -> TokenVerifier
    {
        let issuers = [IssuerURL(issuer)].compactMap(\.self)
        return TokenVerifier(
            .init(issuers: issuers, groups: groups, audience: audience),
            exchange: ProviderExchange(httpClient: Self.httpClient, patience: patience),
            admit: { [self] login in
                state.withLock { state in
                    state.admitted.append(login)
                    if let refusal = state.refusal { return .failure(refusal) }
                    return .success(User(id: login.id, name: login.name, groups: login.groups))
                }
            }, now: { [self] in state.withLock { $0.now } })
    }

    /// Shared, and never shut down.
    static let httpClient: HTTPClient = {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()
}

/// The code with which a token is refused; `nil` where it is accepted.
func refusal(_ verifier: TokenVerifier, _ token: String) async -> LoginRefusal.Code? {
    if case .failure(let refusal) = await verifier.result(of: token) { return refusal.code }
    return nil
}
