import Model

/// What `apus serve` is told of who may come in, checked.
package struct IdentitySettings: Sendable {
    /// The files of a certificate and its key.
    package struct TLSFiles: Sendable, Hashable {
        package let certificate: String
        package let key: String
    }

    package enum TLS: Sendable, Hashable {
        case none
        case files(TLSFiles)
        case selfSigned
    }

    /// As written; whoever uses them checks that they may be asked.
    package let issuers: [String]
    package let groups: [String]
    package let audience: String?
    package let operators: [String]
    package let tls: TLS
    package let keepAudit: Duration
    package let auditsObjects: Bool

    /// - Throws: `SettingError` for the first setting that is malformed, and for a certificate without its key.
    init(_ values: SettingValues) throws(SettingError) {
        issuers = try values.value(.oidcIssuers, Self.list, orElse: [])
        groups = try values.value(.oidcGroups, Self.list, orElse: [])
        audience = try values.value(.oidcAudience, Self.some, orElse: nil)
        operators = try values.value(.usersAdmin, Self.list, orElse: [])
        keepAudit = try values.value(.keepAudit, { Duration(text: $0) }, orElse: .seconds(180 * 86_400))
        auditsObjects = try values.value(.auditObjects, Bool.init, orElse: false)
        let certificate = try values.value(.tlsCertificate, Self.some, orElse: nil)
        let key = try values.value(.tlsKey, Self.some, orElse: nil)
        let isSelfSigned = try values.value(.tlsSelfSigned, Bool.init, orElse: false)
        switch (certificate, key) {
        case (nil, nil): tls = isSelfSigned ? .selfSigned : .none
        case (let certificate?, let key?):
            guard !isSelfSigned else {
                throw SettingError(message: "give --tls-certificate or --tls-self-signed, not both")
            }
            tls = .files(TLSFiles(certificate: certificate, key: key))
        case (_?, nil), (nil, _?):
            throw SettingError(message: "--tls-certificate and --tls-key need each other: give both")
        }
    }

    private static func text(_ text: String) -> String? { text.isEmpty ? nil : text }
    private static func some(_ text: String) -> String?? { text.isEmpty ? nil : .some(text) }

    /// Texts between commas, the spaces around them gone; none may be empty.
    private static func list(_ text: String) -> [String]? {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { part in
            var part = part.drop { $0 == " " }
            while part.hasSuffix(" ") { part.removeLast() }
            return String(part)
        }
        return parts.contains("") ? nil : parts
    }
}
