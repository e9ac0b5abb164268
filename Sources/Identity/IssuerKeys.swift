import JWTKit
import Model

/// The public keys of an issuer (RFC 7517), of the kinds that can sign tokens.
struct IssuerKeys: Sendable {
    /// More than any provider has.
    private static let mostKeys = 100
    /// How many keys are tried for a token that names none.
    private static let mostTried = 10
    /// RSA keys with fewer bits can be broken (NIST SP 800-131A).
    private static let leastRSABits = 2048

    private struct Key: Sendable {
        let id: String?
        let type: String
        let curve: String?
        let algorithm: String?
        let parts: (first: String, second: String)
    }

    /// How tokens may be signed: `none` and what is made with a shared secret are not among them.
    private static let algorithms: [String: (type: String, curve: String?)] = [
        "RS256": ("RSA", nil), "RS384": ("RSA", nil), "RS512": ("RSA", nil),
        "PS256": ("RSA", nil), "PS384": ("RSA", nil), "PS512": ("RSA", nil),
        "ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "ES512": ("EC", "P-521"), "EdDSA": ("OKP", "Ed25519"),
    ]

    private let keys: [Key]

    /// - Parameter document: a key set; keys that cannot be used are left out.
    init(_ document: JSONValue) {
        keys = (document["keys"]?.arrayValue ?? []).prefix(Self.mostKeys).compactMap(Self.key)
    }

    var isEmpty: Bool { keys.isEmpty }

    private static func key(_ json: JSONValue) -> Key? {
        guard let type = json["kty"]?.stringValue, (json["use"]?.stringValue ?? "sig") == "sig" else { return nil }
        let parts: (String, String)
        switch type {
        case "RSA":
            guard let modulus = json["n"]?.stringValue, let exponent = json["e"]?.stringValue,
                let bytes = Base64URL.decode(modulus.utf8), Base64URL.decode(exponent.utf8) != nil,
                (leastRSABits / 8...2048).contains(bytes.drop { $0 == 0 }.count)
            else { return nil }
            parts = (modulus, exponent)
        case "EC":
            guard let x = json["x"]?.stringValue, let y = json["y"]?.stringValue else { return nil }
            parts = (x, y)
        case "OKP":
            guard let x = json["x"]?.stringValue else { return nil }
            parts = (x, "")
        default: return nil
        }
        return Key(
            id: json["kid"]?.stringValue, type: type, curve: json["crv"]?.stringValue,
            algorithm: json["alg"]?.stringValue, parts: parts)
    }

    /// Whether tokens may be signed in that way at all.
    static func accepts(_ algorithm: String) -> Bool { algorithms[algorithm] != nil }

    /// Whether one of the keys may have signed the token.
    func has(keyFor token: SignedToken) -> Bool { !candidates(for: token).isEmpty }

    private func candidates(for token: SignedToken) -> [Key] {
        guard let shape = Self.algorithms[token.algorithm] else { return [] }
        return Array(
            keys.filter { key in
                (token.keyID == nil || key.id == token.keyID) && key.type == shape.type
                    && (shape.curve == nil || key.curve == shape.curve)
                    // A key that says what it is for is for nothing else.
                    && (key.algorithm == nil || key.algorithm == token.algorithm)
            }.prefix(Self.mostTried))
    }

    /// Whether one of the keys has signed the token.
    @concurrent
    func verify(_ token: SignedToken) async -> Bool {
        for key in candidates(for: token) {
            // A key that cannot be made has signed nothing.
            guard let algorithm = try? await Self.algorithm(key, named: token.algorithm) else { continue }
            if (try? algorithm.verify(token.signature, signs: token.signedBytes)) == true { return true }
        }
        return false
    }

    /// The key is made anew each time, and for this way of signing only: a collection that is kept would keep the way of the
    /// first token that it saw.
    private static func algorithm(_ key: Key, named name: String) async throws -> any JWTAlgorithm {
        let id = JWKIdentifier(string: "key")
        let algorithm = JWK.Algorithm(rawValue: name)
        let made: JWK =
            switch key.type {
            case "RSA": .rsa(algorithm, identifier: id, modulus: key.parts.first, exponent: key.parts.second)
            case "EC":
                .ecdsa(
                    algorithm, identifier: id, x: key.parts.first, y: key.parts.second,
                    curve: key.curve.flatMap { ECDSACurve(rawValue: $0) })
            default:
                .octetKeyPair(
                    algorithm, identifier: id, x: key.parts.first, y: nil,
                    curve: key.curve.flatMap { EdDSACurve(rawValue: $0) })
            }
        return try await JWTKeyCollection().add(jwk: made).getKey(for: id, alg: name)
    }
}
