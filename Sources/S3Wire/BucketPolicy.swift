package import Model

/// The policy of a bucket (IAM user guide, "Grammar of the IAM JSON policy language").
package struct BucketPolicy: Sendable, Hashable {
    /// The largest policy, in bytes (S3 user guide, "Bucket policies").
    package static let maximumLength = 20 << 10

    /// What the statements say together.
    package enum Verdict: Sendable, Hashable { case allowed, denied, undecided }

    package let statements: [PolicyStatement]

    /// Whether anybody could do something by it.
    package var isPublic: Bool { statements.contains(where: \.isPublic) }

    /// Whether something is forbidden by it, which could concern administrators too.
    package var denies: Bool { statements.contains { $0.effect == .deny } }

    /// A statement that denies beats all that allow.
    package func verdict(on request: AccessRequest, by principal: Principal) -> Verdict {
        var verdict = Verdict.undecided
        for statement in statements where statement.applies(to: request, by: principal) {
            switch statement.effect {
            case .deny: return .denied
            case .allow: verdict = .allowed
            }
        }
        return verdict
    }
}
