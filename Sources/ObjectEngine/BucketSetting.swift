package import Model

/// A document about a bucket that the store keeps for others and does not read.
package enum BucketSetting: String, Sendable, CaseIterable {
    /// Who may do what: a policy in JSON.
    case policy
    /// Which parts of policies and access control lists do not count.
    case publicAccessBlock
    /// The canned access control list.
    case accessControl
    /// Whether access control lists count.
    case ownership
    /// Which web pages of other origins may use it.
    case cors
    /// What is deleted by itself, and when.
    case lifecycle
    /// Who is told of its events.
    case notification
    /// There, with any text, where somebody wants to know what clients delete: the one setting that the store itself
    /// looks at, with the one below.
    case removalEvents
    /// As above, for what expires.
    case expiryEvents
    /// The region that its maker asked for.
    case location
    /// With whom the owner shares it.
    case sharing
}

/// What requests ask of a bucket again and again; a value of one moment.
package struct BucketFacts: Sendable {
    package let owner: String
    package let settings: [BucketSetting: String]
    /// Another number for every change, unique as long as the store is open: who keeps something derived from
    /// the settings sees by it whether that still holds.
    package let revision: Int

    /// Whose it is, and with whom it is shared.
    package var sharing: Sharing { Sharing(owner: owner, document: settings[.sharing]) }
}
