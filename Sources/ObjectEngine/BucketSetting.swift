/// A document about a bucket that the store keeps for others and does not read.
package enum BucketSetting: String, Sendable, CaseIterable {
    /// Who may do what: a policy in JSON.
    case policy
    /// Which parts of policies and access control lists do not count.
    case publicAccessBlock
    /// The canned access control list.
    case accessControl
    /// Which web pages of other origins may use it.
    case cors
    /// What is deleted by itself, and when.
    case lifecycle
    /// Who is told of its events.
    case notification
}

/// What requests ask of a bucket again and again; a value of one moment.
package struct BucketFacts: Sendable {
    package let owner: String
    package let settings: [BucketSetting: String]
    /// Another number for every change, unique as long as the store is open: who keeps something derived from
    /// the settings sees by it whether that still holds.
    package let revision: Int
}
