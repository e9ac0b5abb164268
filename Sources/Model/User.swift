/// What an identity provider calls somebody: the claim `sub`, which is never given to anybody else (OpenID Connect Core 1.0,
/// section 2).
package struct UserID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// In bytes (OpenID Connect Core 1.0, section 2).
    package static let maximumLength = 255

    /// What stands for the administrator, or for nobody, where owners and principals are named.
    package static let reserved: Set<String> = ["cluster_admin", "oscar", "anonymous"]

    package let text: String

    /// - Throws: `NameError` for an empty or too long name, one with control characters, and one that is reserved.
    package init(_ text: some StringProtocol) throws(NameError) {
        guard (1...Self.maximumLength).contains(text.utf8.count) else {
            throw NameError(
                message: "a user's name must have 1 to \(Self.maximumLength) bytes; this one has \(text.utf8.count)")
        }
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw NameError(message: "a user's name must not have control characters")
        }
        guard !Self.reserved.contains(String(text)) else {
            throw NameError(message: "the name \"\(text)\" stands for somebody else here; no user can have it")
        }
        self.text = String(text)
    }

    package static func < (left: UserID, right: UserID) -> Bool { left.text < right.text }
    package var description: String { text }
}

/// Somebody whom an identity provider knows.
package struct User: Sendable, Hashable {
    package let id: UserID
    /// How people call them; empty where the provider does not say.
    package let name: String
    /// The virtual organisations, roles or groups that the provider puts them in, sorted.
    package let groups: [String]
    /// May see what the whole cluster does, but not change what is not theirs (OSCAR's `USERS_ADMIN`).
    package let isOperator: Bool

    package init(id: UserID, name: String = "", groups: [String] = [], isOperator: Bool = false) {
        self.id = id
        self.name = name
        self.groups = groups.sorted()
        self.isOperator = isOperator
    }
}
