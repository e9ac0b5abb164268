/// Whether a bucket keeps versions: the body of `PutBucketVersioning`, and the answer to `GetBucketVersioning`.
package struct VersioningConfiguration: ResultDocument, Hashable {
    package enum Status: String, Sendable, Hashable {
        case enabled = "Enabled"
        case suspended = "Suspended"
    }

    /// `nil` where the bucket never kept versions.
    package let status: Status?

    package init(status: Status?) { self.status = status }

    /// - Throws: `S3Error` with `malformedXML`, `illegalVersioningConfiguration` where there is no status,
    ///   `notImplemented` where deletions are to need a second factor.
    package init(parsing bytes: [UInt8]) throws(S3Error) {
        let root = try XMLElement.parse(bytes, maximumElements: 100)
        guard root.name == "VersioningConfiguration" else { throw S3Error(.malformedXML) }
        guard let text = root["Status"]?.text else { throw S3Error(.illegalVersioningConfiguration) }
        guard let status = Status(rawValue: text) else { throw S3Error(.malformedXML) }
        switch root["MfaDelete"]?.text {
        case nil, "Disabled": break
        case "Enabled": throw S3Error(.notImplemented, "MFA delete is not implemented.")
        default: throw S3Error(.malformedXML)
        }
        self.status = status
    }

    package func write(to writer: inout XMLWriter) {
        writer.element("VersioningConfiguration", namespace: XMLWriter.s3Namespace) {
            $0.element("Status", ifPresent: status?.rawValue)
        }
    }
}
