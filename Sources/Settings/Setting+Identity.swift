/// Who may come in, and how the faces prove who they are.
extension Setting {
    package static let oidcIssuers = Setting(
        "oidc-issuers", "url,…",
        "OpenID Connect providers whose access tokens are accepted, as https://aai.egi.eu/auth/realms/egi; plain http only on "
            + "this machine.",
        standard: "none"
    )
    package static let oidcGroups = Setting(
        "oidc-groups", "group,…",
        "Groups or virtual organisations of which a user must be in one.", standard: "everyone whose token is good"
    )
    package static let oidcAudience = Setting(
        "oidc-audience", "text", "For whom tokens must be: a member of their claim aud.", standard: "not asked"
    )
    package static let usersAdmin = Setting(
        "users-admin", "user,…",
        "Users (the claim sub) who may see what the whole cluster does, though not change what is not theirs.",
        standard: "none"
    )
    package static let tlsCertificate = Setting(
        "tls-certificate", "file",
        "Certificate of both faces and those that vouch for it, in PEM; with it, they speak TLS. Read again when it changes.",
        standard: "no TLS"
    )
    package static let tlsKey = Setting(
        "tls-key", "file", "The private key of that certificate, in PEM.", standard: "none"
    )
    package static let tlsSelfSigned = Setting(
        "tls-self-signed", "true|false",
        "Whether both faces speak TLS with a certificate that is made in the data directory, for laboratories.",
        standard: "false"
    )
    package static let keepAudit = Setting(
        "keep-audit", "duration", "How long the audit log is kept: with s, m, h, or d for days.", standard: "180d"
    )
    package static let auditObjects = Setting(
        "audit-objects", "true|false", "Whether the audit log also tells of each write of an object.", standard: "false"
    )

    /// In the order of the help.
    static let identity: [Setting] = [
        oidcIssuers, oidcGroups, oidcAudience, usersAdmin, tlsCertificate, tlsKey, tlsSelfSigned,
        keepAudit,
        auditObjects,
    ]
}
