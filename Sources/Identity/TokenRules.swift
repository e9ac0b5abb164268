import Model

/// What a token must say to be good now, beside its signature (RFC 7519, section 4.1; RFC 9068, section 4).
package struct TokenRules: Sendable {
    /// How far clocks may be apart.
    static let skew = Duration.seconds(60)
    /// Kinds that Keycloak names in the claim `typ`, and that prove nothing to a service.
    private static let otherKinds: Set<String> = ["ID", "Refresh", "Offline", "Logout"]

    /// For whom tokens must be, where that is asked.
    let audience: String?

    package init(audience: String? = nil) { self.audience = audience }

    /// - Returns: whose token it is, and until when it is good.
    /// - Throws: `LoginRefusal` with `invalid`.
    func check(
        _ claims: JSONValue,
        issuer: String,
        now: Instant
    ) throws(LoginRefusal) -> (subject: UserID, expires: Instant) {
        guard claims["iss"]?.stringValue == issuer else {
            throw LoginRefusal(.invalid, "the token's issuer is not \(issuer)")
        }
        if let kind = claims["typ"]?.stringValue, Self.otherKinds.contains(kind) {
            throw LoginRefusal(.invalid, "this is a token of the kind \"\(kind)\": send the access token")
        }
        guard let expires = Self.time(claims["exp"]) else {
            throw LoginRefusal(.invalid, "the token does not say when it expires")
        }
        guard now < expires + Self.skew else {
            throw LoginRefusal(.invalid, "the token expired at \(expires.rfc3339()): get a new one")
        }
        for name in ["nbf", "iat"] {
            guard let value = claims[name], !value.isNull else { continue }
            guard let time = Self.time(value), time <= now + Self.skew else {
                throw LoginRefusal(.invalid, "the token is not good yet (\(name)): compare the clocks")
            }
        }
        try checkAudience(claims["aud"])
        guard let text = claims["sub"]?.stringValue else {
            throw LoginRefusal(.invalid, "the token does not say whose it is (sub)")
        }
        do throws(NameError) { return (try UserID(text), expires) } catch {
            throw LoginRefusal(.invalid, "the token's \"sub\" cannot be used: \(error)")
        }
    }

    private func checkAudience(_ claim: JSONValue?) throws(LoginRefusal) {
        guard let audience else { return }
        let named = claim?.arrayValue?.compactMap(\.stringValue) ?? [claim?.stringValue].compactMap(\.self)
        guard named.contains(audience) else {
            throw LoginRefusal(.invalid, "the token is not for \"\(audience)\" (aud)")
        }
    }

    /// Seconds since 1970, with or without a fraction (RFC 7519, section 2).
    static func time(_ claim: JSONValue?) -> Instant? {
        guard let seconds = claim?.doubleValue, seconds.isFinite, seconds >= 0 else { return nil }
        return Instant(seconds: Int64(min(seconds, 9e9)))
    }
}
