/// What of a service decides who may do what with it.
package struct ProtectedService: Sendable, Hashable {
    package let name: ServiceName
    package let sharing: Sharing
    /// Empty for none.
    package let virtualOrganisation: String

    package init(_ name: ServiceName, _ sharing: Sharing, virtualOrganisation: String = "") {
        (self.name, self.sharing, self.virtualOrganisation) = (name, sharing, virtualOrganisation)
    }
}

extension ServiceDefinition {
    /// Whose it is, and with whom it is shared.
    package var sharing: Sharing { Sharing(owner: owner, visibility: visibility, allowedUsers: allowedUsers) }

    /// What decides who may do what with it.
    package var protected: ProtectedService {
        ProtectedService(name, sharing, virtualOrganisation: virtualOrganisation)
    }
}

/// The one place where it is decided who may do what: nothing else compares owners.
///
/// Pure: the same question has the same answer. What is not allowed by the table of `Action+Rules.swift` is denied.
extension Principal {
    /// What concerns nothing in particular.
    package func may(_ action: Action.OfCluster) -> Bool { isAllowed(action.allowed, relation) }

    /// What is done to a service.
    package func may(_ action: Action.OfService, _ service: ProtectedService) -> Bool {
        guard isAllowed(action.allowed, relation.union(relation(to: service))) else { return false }
        return !action.needsEnrolment || isEnrolled(in: service.virtualOrganisation)
    }

    /// What is done to a service.
    package func may(_ action: Action.OfService, _ service: ServiceDefinition) -> Bool {
        // As the table says; without looking at the service, since this stands in the way of each small run.
        if case .administrator = self { return true }
        return may(action, service.protected)
    }

    /// What is done to a job.
    ///
    /// - Parameters:
    ///   - service: the service that it is a job of.
    ///   - causer: the name of the principal that caused it.
    package func may(_ action: Action.OfJob, _ service: ProtectedService, causedBy causer: String) -> Bool {
        var relation = relation
        if service.sharing.relation(of: self) == .owner { relation.insert(.owner) }
        // A job that is called by the service's name was caused by its token.
        if case .user(let user) = self, user.id.isCalled(causer), causer != service.name.text {
            relation.insert(.causer)
        }
        return isAllowed(action.allowed, relation)
    }

    /// What is done to a bucket, as far as its policy and its lists say nothing else.
    package func may(_ action: Action.OfBucket, _ bucket: Sharing) -> Bool {
        isAllowed(action.allowed, relation.union(bucket.relation(of: self)))
    }

    /// What is done to a volume.
    package func may(_ action: Action.OfVolume, ofOwner owner: String) -> Bool {
        isAllowed(action.allowed, relation.union(Sharing(owner: owner).relation(of: self)))
    }

    /// What is done to a user.
    package func may(_ action: Action.OfUser, _ user: UserID) -> Bool {
        isAllowed(action.allowed, relation.union(Sharing(owner: user.text).relation(of: self)))
    }

    /// Whether a user belongs to a virtual organisation; everybody does to none.
    package func isEnrolled(in organisation: String) -> Bool {
        guard case .user(let user) = self, !organisation.isEmpty else { return true }
        return user.groups.contains(organisation)
    }

    /// What it is to everything.
    private var relation: Relation {
        switch self {
        case .user(let user): user.isOperator ? [.anyone, .user, .operator] : [.anyone, .user]
        case .administrator, .service, .anonymous: .anyone
        }
    }

    private func relation(to service: ProtectedService) -> Relation {
        if case .service(let own) = self { return own == service.name ? .itself : [] }
        return service.sharing.relation(of: self)
    }

    private func isAllowed(_ needed: Relation, _ relation: Relation) -> Bool {
        if case .administrator = self { return true }
        return !needed.isDisjoint(with: relation)
    }
}
