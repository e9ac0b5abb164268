import Model

/// A signed token in its compact form (RFC 7515, section 3.1; RFC 7519), taken apart, and not believed yet.
package struct SignedToken: Sendable {
    /// Longer ones are refused, in bytes: the groups of a user with hundreds of them fit.
    package static let maximumLength = 16 << 10

    /// `alg` of the header.
    let algorithm: String
    /// `kid` of the header.
    let keyID: String?
    /// The payload, an object.
    let claims: JSONValue
    /// What the signature is made of.
    let signedBytes: [UInt8]
    let signature: [UInt8]

    /// - Throws: `LoginRefusal` with `malformed`.
    package init(_ text: String) throws(LoginRefusal) {
        guard text.utf8.count <= Self.maximumLength else {
            throw LoginRefusal(.malformed, "the token is longer than \(Self.maximumLength >> 10) KiB")
        }
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3 else {
            throw LoginRefusal(.malformed, "the token is not a JSON Web Token: it must have three parts")
        }
        let header = try Self.object(parts[0], "header")
        claims = .object(try Self.object(parts[1], "payload"))
        guard let signature = Base64URL.decode(parts[2]) else {
            throw LoginRefusal(.malformed, "the token's signature is not base 64")
        }
        guard let algorithm = header["alg"]?.stringValue else {
            throw LoginRefusal(.malformed, "the token's header has no \"alg\"")
        }
        // What must be understood and is not makes the token invalid (RFC 7515, section 4.1.11).
        guard header["crit"] == nil else {
            throw LoginRefusal(.invalid, "the token's header has \"crit\", which is not supported")
        }
        self.algorithm = algorithm
        keyID = header["kid"]?.stringValue
        self.signature = signature
        signedBytes = Array(text.utf8.prefix(parts[0].count + 1 + parts[1].count))
    }

    /// Who says to have made it; empty where nobody does.
    package var issuer: String { claims["iss"]?.stringValue ?? "" }

    private static func object(_ part: Substring.UTF8View, _ name: String) throws(LoginRefusal) -> JSONObject {
        guard let bytes = Base64URL.decode(part) else {
            throw LoginRefusal(.malformed, "the token's \(name) is not base 64")
        }
        // Why it cannot be read is of no use to anybody who did not make it.
        guard let object = (try? JSONValue.parse(bytes: bytes, refusingRepeatedKeys: true))?.objectValue else {
            throw LoginRefusal(.malformed, "the token's \(name) is not a JSON object")
        }
        return object
    }
}

/// Base 64 with the alphabet for URLs, without padding (RFC 4648, section 5; RFC 7515, section 2).
enum Base64URL {
    /// `nil` for anything else.
    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        var standard: [UInt8] = []
        standard.reserveCapacity(text.count + 3)
        for byte in text {
            switch byte {
            case UInt8(ascii: "-"): standard.append(UInt8(ascii: "+"))
            case UInt8(ascii: "_"): standard.append(UInt8(ascii: "/"))
            case UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="): return nil
            default: standard.append(byte)
            }
        }
        while standard.count % 4 != 0 { standard.append(UInt8(ascii: "=")) }
        return Base64.decode(standard)
    }
}
