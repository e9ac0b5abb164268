/// What guards a bucket against being made public by mistake (S3 user guide, "Blocking public access to your Amazon S3
/// storage").
package struct PublicAccessBlock: Sendable, Hashable, ResultDocument {
    /// Whether public access control lists are refused.
    package var blocksPublicLists = false
    /// Whether public access control lists do not count.
    package var ignoresPublicLists = false
    /// Whether public policies are refused.
    package var blocksPublicPolicy = false
    /// Whether a public policy counts only for those who are known.
    package var restrictsPublicBuckets = false

    package init() {}

    /// - Throws: `S3Error` with `malformedXML`.
    package init(parsing bytes: [UInt8]) throws(S3Error) {
        let root = try XMLElement.parse(bytes, maximumElements: 100)
        guard root.name == "PublicAccessBlockConfiguration" else { throw S3Error(.malformedXML) }
        for child in root.children {
            let value: Bool
            switch child.text.lowercased() {
            case "true": value = true
            case "false": value = false
            default: throw S3Error(.malformedXML)
            }
            switch child.name {
            case "BlockPublicAcls": blocksPublicLists = value
            case "IgnorePublicAcls": ignoresPublicLists = value
            case "BlockPublicPolicy": blocksPublicPolicy = value
            case "RestrictPublicBuckets": restrictsPublicBuckets = value
            default: throw S3Error(.malformedXML)
            }
        }
    }

    package func write(to writer: inout XMLWriter) {
        writer.element("PublicAccessBlockConfiguration", namespace: XMLWriter.s3Namespace) {
            $0.element("BlockPublicAcls", blocksPublicLists)
            $0.element("IgnorePublicAcls", ignoresPublicLists)
            $0.element("BlockPublicPolicy", blocksPublicPolicy)
            $0.element("RestrictPublicBuckets", restrictsPublicBuckets)
        }
    }
}

/// Answers `GetBucketPolicyStatus`.
package struct PolicyStatus: ResultDocument {
    package let isPublic: Bool

    package init(isPublic: Bool) { self.isPublic = isPublic }

    package func write(to writer: inout XMLWriter) {
        writer.element("PolicyStatus", namespace: XMLWriter.s3Namespace) { $0.element("IsPublic", isPublic) }
    }
}
