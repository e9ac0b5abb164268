package import Model

/// A document that answers a request.
package protocol ResultDocument: Sendable {
    /// Writes the root element.
    func write(to writer: inout XMLWriter)
}

extension ResultDocument {
    /// The whole document as UTF-8.
    package var xml: [UInt8] {
        var writer = XMLWriter()
        write(to: &writer)
        return writer.bytes
    }
}

/// The owner of a bucket or object.
package struct OwnerElement: Sendable, Hashable {
    package let id: String
    package let displayName: String

    package init(id: String, displayName: String) { (self.id, self.displayName) = (id, displayName) }

    func write(to writer: inout XMLWriter, as name: StaticString = "Owner") {
        writer.element(name) {
            $0.element("ID", id)
            $0.element("DisplayName", displayName)
        }
    }
}

/// Answers any request that failed.
package struct ErrorDocument: ResultDocument {
    package let error: S3Error
    package let resource: String
    package let requestID: String

    package init(error: S3Error, resource: String, requestID: String) {
        (self.error, self.resource, self.requestID) = (error, resource, requestID)
    }

    package func write(to writer: inout XMLWriter) {
        writer.element("Error") { writer in
            writer.element("Code", error.code.rawValue)
            writer.element("Message", error.message)
            for (name, value) in error.details { writer.element(named: name, value) }
            writer.element("Resource", resource)
            writer.element("RequestId", requestID)
            writer.element("HostId", "apus")
        }
    }
}

/// Answers `ListBuckets`.
package struct ListBucketsResult: ResultDocument {
    package let owner: OwnerElement
    package let buckets: [(name: String, created: Instant)]
    /// That was asked for, if any.
    package let prefix: String?
    /// For the next page; `nil` on the last.
    package let nextToken: String?

    package init(
        owner: OwnerElement,
        buckets: [(name: String, created: Instant)],
        prefix: String? = nil,
        nextToken: String? = nil
    ) {
        (self.owner, self.buckets) = (owner, buckets)
        (self.prefix, self.nextToken) = (prefix, nextToken)
    }

    package func write(to writer: inout XMLWriter) {
        writer.element("ListAllMyBucketsResult", namespace: XMLWriter.s3Namespace) { writer in
            owner.write(to: &writer)
            writer.element("Buckets") { writer in
                for bucket in buckets {
                    writer.element("Bucket") {
                        $0.element("Name", bucket.name)
                        $0.element("CreationDate", bucket.created.rfc3339(fractionDigits: 3))
                    }
                }
            }
            writer.element("ContinuationToken", ifPresent: nextToken)
            writer.element("Prefix", ifPresent: prefix)
        }
    }
}

/// Answers `GetBucketLocation`.
package struct LocationConstraint: ResultDocument {
    /// The region whose buckets have an empty location.
    package static let standard = "us-east-1"

    package let location: String

    /// - Parameter location: empty for `us-east-1`.
    package init(_ location: String = "") { self.location = location }

    package func write(to writer: inout XMLWriter) {
        writer.element("LocationConstraint", location, namespace: XMLWriter.s3Namespace)
    }
}

/// Answers `CopyObject` and `UploadPartCopy`.
package struct CopyResult: ResultDocument {
    package enum Kind: Sendable { case object, part }

    package let kind: Kind
    /// Without quotation marks.
    package let eTag: String
    package let lastModified: Instant
    package let checksums: [ChecksumAlgorithm: String]

    package init(kind: Kind, eTag: String, lastModified: Instant, checksums: [ChecksumAlgorithm: String] = [:]) {
        (self.kind, self.eTag, self.lastModified, self.checksums) = (kind, eTag, lastModified, checksums)
    }

    package func write(to writer: inout XMLWriter) {
        writer.element(kind == .object ? "CopyObjectResult" : "CopyPartResult", namespace: XMLWriter.s3Namespace) {
            $0.element("LastModified", lastModified.rfc3339(fractionDigits: 3))
            $0.element("ETag", "\"\(eTag)\"")
            $0.checksums(checksums)
        }
    }
}

/// Answers `DeleteObjects`.
package struct DeleteResult: ResultDocument {
    /// What happened to an entry.
    package struct Deleted: Sendable, Hashable {
        package let key: String
        /// The version that the entry named.
        package let version: String?
        /// The marker that was made, or deleted.
        package let marker: String?

        package init(key: String, version: String? = nil, marker: String? = nil) {
            (self.key, self.version, self.marker) = (key, version, marker)
        }
    }

    package let deleted: [Deleted]
    package let failed: [(entry: DeleteObjectsRequest.Entry, error: S3Error)]

    package init(deleted: [Deleted], failed: [(entry: DeleteObjectsRequest.Entry, error: S3Error)]) {
        (self.deleted, self.failed) = (deleted, failed)
    }

    package func write(to writer: inout XMLWriter) {
        writer.element("DeleteResult", namespace: XMLWriter.s3Namespace) { writer in
            for entry in deleted {
                writer.element("Deleted") {
                    $0.element("Key", entry.key)
                    $0.element("VersionId", ifPresent: entry.version)
                    if let marker = entry.marker {
                        $0.element("DeleteMarker", true)
                        $0.element("DeleteMarkerVersionId", marker)
                    }
                }
            }
            for (entry, error) in failed {
                writer.element("Error") {
                    $0.element("Key", entry.key)
                    $0.element("VersionId", ifPresent: entry.version)
                    $0.element("Code", error.code.rawValue)
                    $0.element("Message", error.message)
                }
            }
        }
    }
}

extension XMLWriter {
    /// One element for each checksum, in the order of S3's schema.
    mutating func checksums(_ checksums: [ChecksumAlgorithm: String]) {
        for algorithm in ChecksumAlgorithm.allCases {
            if let value = checksums[algorithm] { element(named: algorithm.elementName, value) }
        }
    }
}
