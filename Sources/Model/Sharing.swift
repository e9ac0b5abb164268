/// Whose something is, and with whom it is shared.
package struct Sharing: Sendable, Hashable {
    /// A user's identifier, or a name that no user can have.
    package var owner: String
    package var visibility: ServiceDefinition.Visibility
    /// Users' identifiers; they count where the visibility is `restricted`.
    package var allowedUsers: [String]

    package init(
        owner: String,
        visibility: ServiceDefinition.Visibility = .private,
        allowedUsers: [String] = []
    ) {
        self.owner = owner
        self.visibility = visibility
        self.allowedUsers = allowedUsers
    }

    /// What a principal is to it.
    func relation(of principal: Principal) -> Relation {
        guard case .user(let user) = principal else { return [] }
        if isOwned(by: user.id) { return .owner }
        switch visibility {
        case .private: return []
        case .restricted: return allowedUsers.contains { user.id.isCalled($0) } ? .member : []
        case .public: return .member
        }
    }

    package func isOwned(by user: UserID) -> Bool { user.isCalled(owner) }
}

extension Sharing {
    /// What the store keeps beside the owner; `nil` for what is private.
    package var document: String? {
        guard visibility != .private || !allowedUsers.isEmpty else { return nil }
        return JSONValue.object([
            "visibility": .string(visibility.rawValue), "allowed_users": .strings(allowedUsers),
        ]).text()
    }

    /// What the store keeps; what cannot be read lets in nobody but the owner.
    package init(owner: String, document: String?) {
        self.init(owner: owner)
        guard let document, let json = try? JSONValue.parse(document),
            let known = json["visibility"]?.stringValue.flatMap(ServiceDefinition.Visibility.init(rawValue:))
        else { return }
        visibility = known
        allowedUsers = json["allowed_users"]?.arrayValue?.compactMap(\.stringValue) ?? []
    }
}

extension Principal {
    /// What owns the administrator's services and the buckets that are made for them.
    package static let clusterOwner = "cluster_admin"

    /// Whoever owns something, by the name that is kept with it.
    ///
    /// A name that no user can have is the administrator's where it is one of ours, and nobody's else.
    package init(owner: String) {
        if owner.isEmpty || UserID.reserved.contains(owner) {
            self = .administrator(name: owner)
        } else if let id = try? UserID(owner) {
            self = .user(User(id: id))
        } else {
            self = .anonymous
        }
    }

    /// The name that is kept with what it makes.
    package var ownerName: String {
        if case .administrator = self { Self.clusterOwner } else { name }
    }
}

extension UserID {
    /// By bytes: what only looks the same is somebody else.
    func isCalled(_ name: String) -> Bool { text.utf8.elementsEqual(name.utf8) }
}
