import APIClient
package import Model

/// A cluster as the configuration knows it, in oscar-cli's words.
package struct ClusterEntry: Sendable, Hashable {
    package var id: String
    package var endpoint: String
    package var user: String?
    package var password: String?
    /// A bearer token that is sent as it is (key `token`; ours).
    package var token: String?
    package var verifyTLS: Bool
    /// Which certificates to believe beside those of the system (key `ca_certificate`; ours).
    package var trust: CertificateTrust?
    /// How the entry signs in with OpenID Connect, where it does.
    package var openIDKey: String?

    package init(
        id: String,
        endpoint: String,
        user: String? = nil,
        password: String? = nil,
        token: String? = nil,
        verifyTLS: Bool = true
    ) {
        (self.id, self.endpoint, self.user, self.password) = (id, endpoint, user, password)
        (self.token, self.verifyTLS) = (token, verifyTLS)
    }

    /// Reads one entry below `oscar:`.
    ///
    /// - Throws: `invalidInput` naming the entry's wrong member.
    init(id: String, _ json: JSONValue) throws(CommandError) {
        func text(_ key: String) throws(CommandError) -> String? {
            switch json[key] {
            case nil, .null: nil
            case .string(let text): text.isEmpty ? nil : text
            // YAML takes an unquoted password of digits for a number.
            case .number(let text): text
            case .bool, .array, .object:
                throw CommandError(
                    .invalidInput, "\"\(key)\" of cluster \"\(id)\" in the configuration must be a text")
            }
        }
        guard json.objectValue != nil else {
            throw CommandError(
                .invalidInput, "cluster \"\(id)\" in the configuration must have an endpoint and so on")
        }
        guard let endpoint = try text("endpoint") else {
            throw CommandError(.invalidInput, "cluster \"\(id)\" in the configuration has no endpoint")
        }
        self.init(
            id: id, endpoint: endpoint, user: try text("auth_user"), password: try text("auth_password"),
            token: try text("token"))
        switch json["ssl_verify"] {
        case nil, .null: verifyTLS = true
        case .bool(let value): verifyTLS = value
        default:
            throw CommandError(
                .invalidInput, "\"ssl_verify\" of cluster \"\(id)\" in the configuration must be true or false")
        }
        trust = try text("ca_certificate").map { CertificateTrust(file: $0) }
        for key in ["oidc_account_name", "oidc_refresh_token"] where openIDKey == nil {
            if try text(key) != nil { openIDKey = key }
        }
    }

    /// The entry's members over those that it may have had before, so that what Apus does not know is kept.
    func json(over old: JSONObject = JSONObject()) -> JSONValue {
        var object = old
        for key in ["oidc_account_name", "oidc_refresh_token"] where openIDKey != key { object[key] = nil }
        object["endpoint"] = .string(endpoint)
        object["auth_user"] = user.map { .string($0) }
        object["auth_password"] = password.map { .string($0) }
        object["token"] = token.map { .string($0) }
        object["ssl_verify"] = .bool(verifyTLS)
        object["ca_certificate"] = trust.map { .string($0.file) }
        // oscar-cli fills these into services that do not say; it wants them in every entry.
        if object["memory"] == nil { object["memory"] = .string("256Mi") }
        if object["log_level"] == nil { object["log_level"] = .string("INFO") }
        return .object(object)
    }

    /// What to sign in with.
    ///
    /// - Throws: `refused` where the entry signs in with OpenID Connect, which needs a token given by hand.
    func credentials() throws(CommandError) -> APIClient.Credentials {
        if let token { return .bearer(token) }
        if let openIDKey {
            throw CommandError(
                .refused,
                "cluster \"\(id)\" signs in with OpenID Connect (\(openIDKey)), which needs an access token: "
                    + "store one with \"apus cluster add \(id) \(endpoint) --token TOKEN\"")
        }
        if let user { return .basic(user: user, password: password ?? "") }
        return .none
    }
}
