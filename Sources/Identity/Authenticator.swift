package import Model

/// Decides, once a request, who makes it.
package struct Authenticator: Sendable {
    /// What an `Authorization` header says.
    package enum Decision: Sendable, Hashable {
        case principal(Principal)
        /// There is no header.
        case missing
        /// There is one, and it is not good; the reason is for the log and holds no secret.
        case refused(reason: String)
    }

    private let credentials: Credentials
    private let serviceForToken: @Sendable (String) -> ServiceName?
    private let userForToken: @Sendable (String) -> User?
    private let userForAccessKey: @Sendable (String) -> (secret: String, user: User)?

    /// None of the closures may block.
    ///
    /// - Parameters:
    ///   - credentials: The administrator's.
    ///   - serviceForToken: The service that has this token (64 hexadecimal digits).
    ///   - userForToken: Whose token this is, among those that were verified and are still good.
    ///   - userForAccessKey: Whose S3 access key this is.
    package init(
        credentials: Credentials,
        serviceForToken: @escaping @Sendable (String) -> ServiceName?,
        userForToken: @escaping @Sendable (String) -> User? = { _ in nil },
        userForAccessKey: @escaping @Sendable (String) -> (secret: String, user: User)? = { _ in nil }
    ) {
        self.credentials = credentials
        self.serviceForToken = serviceForToken
        self.userForToken = userForToken
        self.userForAccessKey = userForAccessKey
    }

    /// Reads the value of an `Authorization` header: Basic (RFC 7617) for the administrator, Bearer (RFC
    /// 6750) for a service.
    package func authenticate(authorization: String?) -> Decision {
        guard let authorization else { return .missing }
        let value = authorization.utf8.drop { $0 == 0x20 || $0 == 0x09 }
        guard !value.isEmpty else { return .missing }
        let scheme = Substring(value.prefix { $0 != 0x20 })
        let rest = Substring(value.dropFirst(scheme.utf8.count)).trimmingSpaces()
        switch scheme.lowercased() {
        case "basic": return basic(rest)
        case "bearer": return bearer(rest)
        default: return .refused(reason: "the authorization scheme is neither Basic nor Bearer")
        }
    }

    /// The secret and the principal of an S3 access key; `nil` for an unknown key.
    package func secret(forAccessKey accessKey: String) -> (secret: String, principal: Principal)? {
        guard Secret.matches(accessKey, credentials.s3AccessKey) else {
            guard let known = userForAccessKey(accessKey), isOwnName(known.user) else { return nil }
            return (known.secret, .user(known.user))
        }
        return (credentials.s3SecretKey, .administrator(name: credentials.username))
    }

    private func basic(_ encoded: Substring) -> Decision {
        guard let bytes = Base64.decode(encoded), let text = String(validating: bytes, as: UTF8.self),
            let colon = text.utf8.firstIndex(of: UInt8(ascii: ":"))
        else { return .refused(reason: "the Basic credentials are malformed") }
        // Both are compared whatever the first says, so that the time does not tell whether the name is
        // right.
        let isName = Secret.matches(text[..<colon], credentials.username)
        let isPassword = Secret.matches(text[text.utf8.index(after: colon)...], credentials.password)
        guard isName, isPassword else { return .refused(reason: "wrong user name or password") }
        return .principal(.administrator(name: credentials.username))
    }

    /// Owners and causers are kept by name: nobody else may have the administrator's.
    private func isOwnName(_ user: User) -> Bool { user.id.text != credentials.username }

    private func bearer(_ token: Substring) -> Decision {
        guard ServiceToken.isWellFormed(token) else {
            if let user = userForToken(String(token)) {
                guard isOwnName(user) else {
                    return .refused(reason: "the user is called as the administrator of this cluster is")
                }
                return .principal(.user(user))
            }
            return .refused(reason: "the bearer token is not the token of a service (64 hexadecimal digits)")
        }
        guard let service = serviceForToken(String(token)) else {
            return .refused(reason: "no service has this token")
        }
        return .principal(.service(service))
    }
}

extension Substring {
    fileprivate func trimmingSpaces() -> Substring {
        var bytes = utf8.drop { $0 == 0x20 || $0 == 0x09 }
        while let last = bytes.last, last == 0x20 || last == 0x09 { bytes = bytes.dropLast() }
        return Substring(bytes)
    }
}
