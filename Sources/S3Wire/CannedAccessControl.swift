/// An access control list that has a name (S3 user guide, "Canned ACL").
///
/// Others are not kept: policies say all that they could say.
package enum CannedAccessControl: String, Sendable, Hashable, CaseIterable {
    case `private` = "private"
    case publicRead = "public-read"
    case publicReadWrite = "public-read-write"
    case authenticatedRead = "authenticated-read"

    package enum Group: String, Sendable, Hashable {
        case everyone = "http://acs.amazonaws.com/groups/global/AllUsers"
        case authenticated = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
    }

    package enum Permission: String, Sendable, Hashable, CaseIterable {
        case read = "READ"
        case write = "WRITE"
        case readList = "READ_ACP"
        case writeList = "WRITE_ACP"
        case all = "FULL_CONTROL"
    }

    /// What is granted to whom beside the owner.
    package struct Grant: Sendable, Hashable {
        package let group: Group
        package let permission: Permission

        init(_ group: Group, _ permission: Permission) { (self.group, self.permission) = (group, permission) }
    }

    /// The list of that name.
    ///
    /// The owner of a bucket owns its objects too, so that `bucket-owner-read` and `bucket-owner-full-control` are
    /// `private`.
    package init?(name: String) {
        switch name {
        case "bucket-owner-read", "bucket-owner-full-control": self = .private
        default: self.init(rawValue: name)
        }
    }

    /// The list with exactly these grants.
    package init?(grants: Set<Grant>) {
        guard let list = Self.allCases.first(where: { Set($0.grants) == grants }) else { return nil }
        self = list
    }

    /// What it grants beside everything to the owner.
    package var grants: [Grant] {
        switch self {
        case .private: []
        case .publicRead: [Grant(.everyone, .read)]
        case .publicReadWrite: [Grant(.everyone, .read), Grant(.everyone, .write)]
        case .authenticatedRead: [Grant(.authenticated, .read)]
        }
    }

    /// Whether somebody beside the owner gets something; all groups there are count as public.
    package var isPublic: Bool { self != .private }

    /// The actions that it grants as the list of a bucket (S3 user guide, "Mapping of ACL permissions and access
    /// policy permissions").
    var asBucket: [Group: Set<S3Action>] {
        actions([
            .read: [.listBucket, .listBucketVersions, .listBucketMultipartUploads], .write: [.putObject],
        ])
    }

    /// The actions that it grants as the list of an object (same place).
    var asObject: [Group: Set<S3Action>] { actions([.read: [.getObject, .getObjectVersion]]) }

    private func actions(_ meaning: [Permission: Set<S3Action>]) -> [Group: Set<S3Action>] {
        var actions: [Group: Set<S3Action>] = [:]
        for grant in grants { actions[grant.group, default: []].formUnion(meaning[grant.permission] ?? []) }
        return actions
    }
}
