package import Model

/// All that says who may do what in a bucket.
package struct AccessRules: Sendable {
    /// What the rules say to a request.
    package enum Verdict: Sendable, Hashable {
        case allowed
        /// Whatever else may allow it.
        case denied
        /// Nothing in the bucket's rules allows it; the list of the object still may.
        case undecided
    }

    package var policy: BucketPolicy?
    package var accessControl = CannedAccessControl.private
    package var publicAccess = PublicAccessBlock()
    package var ownership: ObjectOwnership?
    /// Whose the bucket is, and with whom it is shared.
    package var sharing = Sharing(owner: "")

    package init() {}

    /// Whether access control lists count.
    package var honoursLists: Bool { ownership != .bucketOwnerEnforced }

    /// Who may do what: the one place where that is decided.
    ///
    /// The administrator may do everything but what the policy denies. Users may do what the table of actions gives them,
    /// as owners of the bucket or as those with whom it is shared. Beside that, everybody may do what the policy or the
    /// bucket's list allows them; but a policy cannot give the policy itself away. Nobody may do what the policy denies;
    /// only from the policy itself it keeps neither administrator nor owner, as in S3 the root of the account.
    package func verdict(on request: AccessRequest, by principal: Principal) -> Verdict {
        let stated = policy?.verdict(on: request, by: principal) ?? .undecided
        if case .administrator = principal {
            return stated == .denied && !request.action.isOfPolicy ? .denied : .allowed
        }
        let isInTable = request.action.inTable.map { principal.may($0, sharing) } ?? false
        if request.action.isOfPolicy, isInTable { return .allowed }
        switch stated {
        case .denied: return .denied
        case .allowed where request.action.changesPolicy: return .undecided
        case .allowed where principal != .anonymous || !ignoresPolicy: return .allowed
        case .allowed, .undecided:
            if isInTable { return .allowed }
            return allows(accessControl.asBucket, request, by: principal) ? .allowed : .undecided
        }
    }

    /// Whether the list of an object allows what the bucket's rules left undecided.
    package func allows(_ list: CannedAccessControl, _ request: AccessRequest, by principal: Principal) -> Bool {
        allows(list.asObject, request, by: principal)
    }

    /// With `RestrictPublicBuckets`, a public policy counts only for those who are known.
    private var ignoresPolicy: Bool { publicAccess.restrictsPublicBuckets && policy?.isPublic ?? false }

    private func allows(
        _ grants: [CannedAccessControl.Group: Set<S3Action>],
        _ request: AccessRequest,
        by principal: Principal
    ) -> Bool {
        // All grants of canned lists are public: to everyone, or to everyone with an account.
        guard !grants.isEmpty, honoursLists, !publicAccess.ignoresPublicLists else { return false }
        return grants.contains { group, actions in
            (group == .everyone || principal != .anonymous) && actions.contains(request.action)
        }
    }
}
