package import Model

/// What an identity provider says of a user, in a token or in its userinfo.
package struct UserClaims: Sendable, Hashable {
    /// Which claims a provider puts groups in (oscar-api.md, section 1.2).
    package enum Kind: Sendable, Hashable {
        /// EGI Check-in: URNs of entitlements.
        case egi
        /// AI4EOSC: roles of the realm.
        case ai4eosc
        /// Any other: Keycloak's usual claims.
        case generic

        package init(issuer: String) {
            if issuer.contains("/realms/egi") {
                self = .egi
            } else if issuer.contains("/realms/ai4eosc") {
                self = .ai4eosc
            } else {
                self = .generic
            }
        }
    }

    private static let mostGroups = 1000
    private static let longestText = 512

    /// `nil` where the provider does not say.
    package var name: String?
    /// Sorted, each once; `nil` where the provider does not say.
    package var groups: [String]?

    package init(_ claims: JSONValue, kind: Kind) {
        let names = ["name", "preferred_username", "email"].compactMap { Self.text(claims[$0]) }
        name = names.first
        groups = Self.groups(claims, kind)
    }

    /// Fills in from the userinfo what the token does not say.
    package mutating func complete(with other: UserClaims) {
        name = name ?? other.name
        groups = groups ?? other.groups
    }

    private static func groups(_ claims: JSONValue, _ kind: Kind) -> [String]? {
        let lists: [[String]?]
        switch kind {
        case .egi:
            lists = ["entitlements", "eduperson_entitlement"].map { name in
                texts(claims[name])?.compactMap(virtualOrganisation)
            }
        case .ai4eosc: lists = [texts(claims["realm_access"]?["roles"])]
        case .generic:
            // Roles alone are no answer: Keycloak sends some to everyone, and groups may still be in the userinfo.
            let named = [texts(claims["group_membership"]), texts(claims["groups"])]
            guard named.contains(where: { $0 != nil }) else { return nil }
            lists = named + [texts(claims["realm_access"]?["roles"])]
        }
        guard lists.contains(where: { $0 != nil }) else { return nil }
        return Array(Set(lists.flatMap { $0 ?? [] }).sorted().prefix(mostGroups))
    }

    /// `urn:mace:egi.eu:group:VO:…`: the fifth part, in lower case (AARC-G069).
    private static func virtualOrganisation(_ entitlement: String) -> String? {
        let parts = entitlement.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count >= 5, parts[0] == "urn", parts[3] == "group", !parts[4].isEmpty else { return nil }
        return String(parts[4].prefix { $0 != "#" }).lowercased()
    }

    /// The usable texts of a list, Keycloak's leading slash gone; `nil` where there is no list.
    private static func texts(_ claim: JSONValue?) -> [String]? {
        guard let claim, !claim.isNull else { return nil }
        let all = claim.arrayValue?.compactMap(\.stringValue) ?? [claim.stringValue].compactMap(\.self)
        return all.compactMap { text in
            let group = text.hasPrefix("/") ? String(text.dropFirst()) : text
            return isUsable(group) ? group : nil
        }
    }

    private static func text(_ claim: JSONValue?) -> String? {
        guard let text = claim?.stringValue, isUsable(text) else { return nil }
        return text
    }

    private static func isUsable(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= longestText && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }
}

/// Somebody whose token is good: not yet a user of this cluster.
package struct VerifiedLogin: Sendable, Hashable {
    package let id: UserID
    package let issuer: String
    package let name: String
    package let groups: [String]

    package init(id: UserID, issuer: String, name: String, groups: [String]) {
        (self.id, self.issuer, self.name, self.groups) = (id, issuer, name, groups)
    }
}
