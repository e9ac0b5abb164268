import Identity
import Model
import NIOHTTP1

/// Who may reach a service by its token: exposed services with `set_auth`, and `GET /system/services/{name}/auth`
/// (oscar-api.md section 4.13).
struct ServiceAccess: Sendable {
    /// Where a token was presented.
    enum Carrier: Sendable, Hashable {
        case bearer, query, cookie
    }

    enum Verdict: Sendable {
        /// With the cookie that the browser is to keep, where it has none yet.
        case granted(cookie: String?)
        case refused(ProxyAnswer)
    }

    let service: ServiceName
    let token: String
    let isForward: Bool
    private let protected: ProtectedService

    init(_ definition: ServiceDefinition) {
        service = definition.name
        token = definition.token
        protected = definition.protected
        isForward = definition.expose.authType == "forward"
    }

    static func unauthorized(realm: String) -> ProxyAnswer {
        ProxyAnswer(.unauthorized, headers: [("www-authenticate", "Basic realm=\"\(realm)\"")])
    }

    /// Whether a request to the exposed service may go on.
    func check(
        _ head: HTTPRequestHead,
        uri: Substring,
        _ authenticator: Authenticator,
        from address: String? = nil,
        isSecure: Bool = false
    ) -> Verdict {
        let authorization = head.headers.first(name: "authorization")
        guard isForward else {
            if isBasic(authorization) { return .granted(cookie: nil) }
            // A user who may see the token need not send it.
            if Self.isBearer(authorization),
                case .granted = may(.readCredentials, authorization, authenticator, address)
            {
                return .granted(cookie: nil)
            }
            return .refused(Self.unauthorized(realm: service.text))
        }
        let isSecure = isSecure || head.headers.first(name: "x-forwarded-proto") == "https"
        switch find(authorization: authorization, uri: uri, forwardedURI: nil, cookies: head.headers["cookie"]) {
        case .right(let carrier):
            return .granted(cookie: carrier == .cookie ? nil : cookie(isSecure: isSecure))
        case .wrong: return .refused(ProxyAnswer(.unauthorized))
        case .nothing:
            switch may(.reachExposed, authorization, authenticator, address) {
            case .granted: return .granted(cookie: nil)
            case .limited(let wait): return .refused(ProxyAnswer(LoginAnswer.limited(wait)))
            case .refused: return .refused(Self.unauthorized(realm: LoginAnswer.realm))
            }
        }
    }

    private enum Right {
        case granted, refused
        /// Too many logins have failed there.
        case limited(wait: Duration)
    }

    private func may(
        _ action: Action.OfService,
        _ authorization: String?,
        _ authenticator: Authenticator,
        _ address: String?
    ) -> Right {
        switch authenticator.authenticate(authorization: authorization, from: address) {
        case .principal(let principal): principal.may(action, protected) ? .granted : .refused
        case .limited(let wait): .limited(wait: wait)
        case .missing, .refused, .unverified: .refused
        }
    }

    // MARK: Basic

    /// User is the service's name, password its token (RFC 7617).
    func isBasic(_ authorization: String?) -> Bool {
        guard let authorization, let space = authorization.utf8.firstIndex(of: 0x20),
            authorization[..<space].lowercased() == "basic",
            let bytes = Base64.decode(Substring(authorization.utf8[space...].drop { $0 == 0x20 })),
            let text = String(validating: bytes, as: UTF8.self), let colon = text.utf8.firstIndex(of: UInt8(ascii: ":"))
        else { return false }
        // Both are compared whatever the first says.
        let isUser = Secret.matches(text[..<colon], service.text)
        let isPassword = Secret.matches(text[text.utf8.index(after: colon)...], token)
        return isUser && isPassword
    }

    // MARK: Token

    /// What was found of a token.
    enum Finding: Sendable, Hashable {
        case right(Carrier)
        case wrong
        case nothing
    }

    /// Looks for the token, in OSCAR's order; the first one that is presented decides.
    ///
    /// A cookie that is not right is none: it may be that of a service of this name that is gone, and whoever has it
    /// could not get rid of it.
    ///
    /// - Parameters:
    ///   - uri: of the request, with its query.
    ///   - forwardedURI: that of the request on whose behalf this one is made.
    ///   - cookies: the values of all `Cookie` headers.
    func find(
        authorization: String?,
        uri: Substring,
        forwardedURI: String?,
        cookies: some Sequence<String>
    ) -> Finding {
        if let bearer = Self.bearer(authorization) { return isToken(bearer) ? .right(.bearer) : .wrong }
        let given = Self.token(inQueryOf: uri) ?? forwardedURI.flatMap { Self.token(inQueryOf: $0[...]) }
        if let given { return isToken(given) ? .right(.query) : .wrong }
        let name = cookieName
        for pair in cookies.flatMap({ $0.split(separator: ";") }) {
            let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2, parts[0] == name, isToken(parts[1]) { return .right(.cookie) }
        }
        return .nothing
    }

    private func isToken(_ text: Substring) -> Bool { !token.isEmpty && Secret.matches(text, token) }

    private static func isBearer(_ authorization: String?) -> Bool {
        guard let authorization else { return false }
        return authorization.utf8.count > 7 && authorization.prefix(7).lowercased() == "bearer "
    }

    /// The bearer's value where it has the length of a token.
    private static func bearer(_ authorization: String?) -> Substring? {
        guard let authorization, isBearer(authorization) else { return nil }
        let value = authorization.dropFirst(7).drop { $0 == " " }
        return value.utf8.count == ServiceToken.length ? value : nil
    }

    private static func token(inQueryOf uri: Substring) -> Substring? {
        for item in uri.drop(while: { $0 != "?" }).dropFirst().split(separator: "&") where item.hasPrefix("token=") {
            let value = item.dropFirst(6)
            if !value.isEmpty { return value }
        }
        return nil
    }

    // MARK: Cookie

    private var cookieName: String { "oscar_service_\(service.text.replacing("-", with: "_"))_auth" }

    /// The value of `Set-Cookie`.
    func cookie(isSecure: Bool) -> String {
        "\(cookieName)=\(token); Path=/system/services/\(service)/exposed; HttpOnly; SameSite=Lax"
            + (isSecure ? "; Secure" : "")
    }
}
