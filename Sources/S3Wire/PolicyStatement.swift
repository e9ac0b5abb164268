package import Model

/// One statement of a policy.
package struct PolicyStatement: Sendable, Hashable {
    package enum Effect: String, Sendable, Hashable { case allow = "Allow", deny = "Deny" }

    /// Whom a statement is about.
    package enum Audience: Sendable, Hashable {
        case everyone
        /// Users by name, and whether the administrator is meant as the root of the account.
        case named(Set<String>, root: Bool)

        func includes(_ principal: Principal) -> Bool {
            switch (self, principal) {
            case (.everyone, _): true
            case (.named, .anonymous): false
            case (.named(let names, let root), .administrator(let name)): root || names.contains(name)
            case (.named(let names, _), .user), (.named(let names, _), .service): names.contains(principal.name)
            }
        }
    }

    package let effect: Effect
    package let audience: Audience
    package let actions: Set<S3Action>
    /// Without `arn:aws:s3:::`.
    let resources: [WildcardPattern]
    /// Whether it is about all but `resources`.
    let excludesResources: Bool
    let conditions: [PolicyCondition]

    /// Whether the statement is about that request.
    package func applies(to request: AccessRequest, by principal: Principal) -> Bool {
        guard actions.contains(request.action), audience.includes(principal) else { return false }
        let resource = request.resource
        guard resources.contains(where: { $0.matches(resource, request.facts) }) != excludesResources else {
            return false
        }
        return conditions.allSatisfy { $0.holds(request.facts) }
    }

    /// Whether it lets in anybody, from anywhere.
    package var isPublic: Bool {
        guard effect == .allow, audience == .everyone else { return false }
        return !conditions.contains(where: \.isNarrow)
    }
}
