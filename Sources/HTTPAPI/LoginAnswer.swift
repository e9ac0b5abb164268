import HTTPTypes
import Identity
import Model

/// What is answered to those who are not let in.
enum LoginAnswer {
    static let realm = "Authorization Required"

    /// To whoever sent no credentials, or wrong ones: with an empty text, as OSCAR answers.
    static var unauthorized: TextError {
        TextError(.unauthorized, "", headers: [.wwwAuthenticate: "Basic realm=\"\(realm)\""])
    }

    /// To those behind an address, or with a name, where too many logins have failed.
    static func limited(_ wait: Duration) -> TextError {
        let seconds = max(1, wait.components.seconds + (wait.components.attoseconds > 0 ? 1 : 0))
        return TextError(
            .tooManyRequests, "too many logins have failed; try again in \(seconds) s",
            headers: [.retryAfter: "\(seconds)"])
    }

    /// To whoever sent a token that is not good (oscar-api.md, section 1.2; RFC 6750, section 3.1).
    static func refused(_ refusal: LoginRefusal) -> TextError {
        var headers: HTTPFields = [:]
        switch refusal.code {
        case .malformed: return TextError(.badRequest, refusal.message)
        case .unknownIssuer, .invalid, .notAdmitted:
            headers[.wwwAuthenticate] =
                "Bearer realm=\"\(realm)\", error=\"invalid_token\", error_description=\"\(quoted(refusal.message))\""
            return TextError(.unauthorized, refusal.message, headers: headers)
        case .unavailable:
            headers[.retryAfter] = "\(max(1, refusal.retryAfter?.components.seconds ?? 5))"
            return TextError(.serviceUnavailable, refusal.message, headers: headers)
        case .failed: return TextError(.internalServerError, refusal.message)
        }
    }

    /// What may stand between quotes there (RFC 6750, section 3).
    private static func quoted(_ text: String) -> String {
        String(
            decoding: text.utf8.filter { (0x20...0x7E).contains($0) && $0 != 0x22 && $0 != 0x5C }.prefix(200),
            as: UTF8.self)
    }
}
