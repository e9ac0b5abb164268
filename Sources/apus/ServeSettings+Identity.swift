import ArgumentParser
import Identity
import Settings

/// The flags of what says who may come in.
struct IdentityFlags: ParsableArguments {
    @Option(help: SettingFlags.help(.oidcIssuers)) var oidcIssuers: String?
    @Option(help: SettingFlags.help(.oidcGroups)) var oidcGroups: String?
    @Option(help: SettingFlags.help(.oidcAudience)) var oidcAudience: String?
    @Option(help: SettingFlags.help(.usersAdmin)) var usersAdmin: String?
    @Option(help: SettingFlags.help(.tlsCertificate)) var tlsCertificate: String?
    @Option(help: SettingFlags.help(.tlsKey)) var tlsKey: String?
    @Flag(help: SettingFlags.help(.tlsSelfSigned)) var tlsSelfSigned = false
    @Option(help: SettingFlags.help(.keepAudit)) var keepAudit: String?
    @Flag(help: SettingFlags.help(.auditObjects)) var auditObjects = false

    /// The flags that were given, by name of the setting.
    var given: [String: String] {
        let all: [(Setting, String?)] = [
            (.oidcIssuers, oidcIssuers), (.oidcGroups, oidcGroups), (.oidcAudience, oidcAudience),
            (.usersAdmin, usersAdmin), (.tlsCertificate, tlsCertificate), (.tlsKey, tlsKey),
            (.tlsSelfSigned, tlsSelfSigned ? "true" : nil), (.keepAudit, keepAudit),
            (.auditObjects, auditObjects ? "true" : nil),
        ]
        var given: [String: String] = [:]
        for (setting, text) in all { given[setting.name] = text }
        return given
    }
}

extension IdentitySettings {
    /// Whom to believe.
    ///
    /// - Throws: `SettingError` for an issuer that may not be asked.
    var verification: TokenVerifier.Settings {
        get throws(SettingError) {
            var urls: [IssuerURL] = []
            for text in issuers {
                guard let url = IssuerURL(text) else {
                    throw SettingError(
                        message:
                            "--oidc-issuers: \"\(text)\" must be an https:// address without a query; http:// only on "
                            + "this machine (127.0.0.1 or localhost)")
                }
                urls.append(url)
            }
            return TokenVerifier.Settings(issuers: urls, groups: Set(groups.map(Self.group)), audience: audience)
        }
    }

    /// As providers' groups are compared: without Keycloak's leading slash.
    static func group(_ text: String) -> String { text.hasPrefix("/") ? String(text.dropFirst()) : text }
}
