/// Something that somebody wants to do.
package struct AccessRequest: Sendable {
    package let action: S3Action
    package let bucket: String
    /// `nil` for what is done to the bucket.
    package let key: String?
    /// What conditions can ask for.
    package let facts: PolicyFacts

    package init(_ action: S3Action, bucket: String, key: String? = nil, facts: PolicyFacts = [:]) {
        (self.action, self.bucket, self.key, self.facts) = (action, bucket, key, facts)
    }

    /// What stands behind `arn:aws:s3:::`.
    package var resource: String { key.map { "\(bucket)/\($0)" } ?? bucket }
}
