/// Who owns the objects that others put into a bucket (S3 user guide, "Controlling ownership of objects and disabling
/// ACLs").
///
/// The owner of the bucket owns everything in it, so that only the first makes a difference here: access control lists
/// are off.
package enum ObjectOwnership: String, Sendable, Hashable, CaseIterable, ResultDocument {
    case bucketOwnerEnforced = "BucketOwnerEnforced"
    case bucketOwnerPreferred = "BucketOwnerPreferred"
    case objectWriter = "ObjectWriter"

    /// - Throws: `S3Error` with `malformedXML`.
    package init(parsing bytes: [UInt8]) throws(S3Error) {
        let root = try XMLElement.parse(bytes, maximumElements: 100)
        let rules = root.all("Rule")
        guard root.name == "OwnershipControls", rules.count == 1,
            let ownership = (rules[0]["ObjectOwnership"]?.text).flatMap(ObjectOwnership.init(rawValue:))
        else { throw S3Error(.malformedXML) }
        self = ownership
    }

    package func write(to writer: inout XMLWriter) {
        writer.element("OwnershipControls", namespace: XMLWriter.s3Namespace) {
            $0.element("Rule") { $0.element("ObjectOwnership", rawValue) }
        }
    }
}
