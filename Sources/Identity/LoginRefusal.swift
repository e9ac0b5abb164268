import Model

/// Why somebody is not let in.
package struct LoginRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        /// What was sent is no signed token.
        case malformed
        /// The token is of an issuer that nobody listed.
        case unknownIssuer
        /// The token is not good: its signature, its times, its audience.
        case invalid
        /// The token is good, and its bearer may not come in.
        case notAdmitted
        /// It cannot be told whether the token is good.
        case unavailable
        /// The user could not be recorded.
        case failed
    }

    package let code: Code
    /// For whoever sent the token; holds no secret.
    package let message: String
    /// With `unavailable`: after which trying again may help.
    package let retryAfter: Duration?

    package init(_ code: Code, _ message: String, retryAfter: Duration? = nil) {
        (self.code, self.message, self.retryAfter) = (code, message, retryAfter)
    }

    package var description: String { message }
}
