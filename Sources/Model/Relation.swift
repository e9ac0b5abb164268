/// What somebody is to what they want to do something to.
///
/// Several at once may hold. The administrator needs none: nothing is closed to the administrator.
package struct Relation: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Holds for everybody, also for those who did not say who they are.
    package static let anyone = Relation(rawValue: 1 << 0)
    /// Somebody who logged in.
    package static let user = Relation(rawValue: 1 << 1)
    /// Somebody who may see what the whole cluster does.
    package static let `operator` = Relation(rawValue: 1 << 2)
    /// Whose it is; of a job: whose service it is a job of; of a user: they themselves.
    package static let owner = Relation(rawValue: 1 << 3)
    /// A user with whom it is shared: it is public, or it is restricted and names them.
    package static let member = Relation(rawValue: 1 << 4)
    /// Who caused the job.
    package static let causer = Relation(rawValue: 1 << 5)
    /// The service, by its own token.
    package static let itself = Relation(rawValue: 1 << 6)

    /// By name, in the order of the columns of `docs/tenancy.md`.
    package static let all: [(name: String, relation: Relation)] = [
        ("anyone", .anyone), ("user", .user), ("operator", .operator), ("owner", .owner), ("member", .member),
        ("causer", .causer), ("itself", .itself),
    ]
}
