/// What `GetObjectAttributes` is asked for (`x-amz-object-attributes`).
package enum ObjectAttributeName: String, Sendable, Hashable, CaseIterable {
    case eTag = "ETag"
    case checksum = "Checksum"
    case objectParts = "ObjectParts"
    case storageClass = "StorageClass"
    case objectSize = "ObjectSize"

    /// Parses the header, a list with commas.
    ///
    /// - Throws: `S3Error` with `invalidArgument` where there is none, or one that is not known.
    package static func set(parsing header: String?) throws(S3Error) -> Set<ObjectAttributeName> {
        let names = (header ?? "").split(separator: ",").map { $0.filter { $0 != " " } }
        guard !names.isEmpty else {
            throw S3Error(
                .invalidArgument,
                "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty",
                details: [("ArgumentName", "x-amz-object-attributes")]
            )
        }
        var set: Set<ObjectAttributeName> = []
        for name in names {
            guard let known = ObjectAttributeName(rawValue: name) else {
                throw S3Error(
                    .invalidArgument, "Invalid attribute name specified.",
                    details: [("ArgumentName", "x-amz-object-attributes"), ("ArgumentValue", name)]
                )
            }
            set.insert(known)
        }
        return set
    }
}

/// Answers `GetObjectAttributes`; what is `nil` was not asked for.
package struct ObjectAttributesDocument: ResultDocument {
    package struct Parts: Sendable, Hashable {
        package struct Part: Sendable, Hashable {
            package let number: Int
            package let size: Int64
            package let checksums: [ChecksumAlgorithm: String]

            package init(number: Int, size: Int64, checksums: [ChecksumAlgorithm: String]) {
                (self.number, self.size, self.checksums) = (number, size, checksums)
            }
        }

        /// Of the object, not of this page.
        package let count: Int
        package let marker: Int
        package let limit: Int
        package let isTruncated: Bool
        /// Those that have checksums; S3 tells no others.
        package let parts: [Part]

        package init(count: Int, marker: Int, limit: Int, isTruncated: Bool, parts: [Part]) {
            (self.count, self.marker, self.limit) = (count, marker, limit)
            (self.isTruncated, self.parts) = (isTruncated, parts)
        }
    }

    /// Without quotation marks, as S3 writes it here.
    package var eTag: String?
    package var checksums: [ChecksumAlgorithm: String] = [:]
    package var checksumType: ChecksumType?
    package var parts: Parts?
    package var storageClass: StorageClass?
    /// In bytes.
    package var size: Int64?

    package init() {}

    package func write(to writer: inout XMLWriter) {
        writer.element("GetObjectAttributesResponse", namespace: XMLWriter.s3Namespace) { writer in
            writer.element("ETag", ifPresent: eTag)
            if !checksums.isEmpty {
                writer.element("Checksum") {
                    $0.checksums(checksums)
                    $0.element("ChecksumType", ifPresent: checksumType?.rawValue)
                }
            }
            if let parts { write(parts, to: &writer) }
            writer.element("StorageClass", ifPresent: storageClass?.rawValue)
            writer.element("ObjectSize", ifPresent: size.map { String($0) })
        }
    }

    private func write(_ parts: Parts, to writer: inout XMLWriter) {
        writer.element("ObjectParts") { writer in
            writer.element("PartsCount", parts.count)
            guard !parts.parts.isEmpty else { return }
            writer.element("PartNumberMarker", parts.marker)
            writer.element("NextPartNumberMarker", parts.parts.last?.number ?? parts.marker)
            writer.element("MaxParts", parts.limit)
            writer.element("IsTruncated", parts.isTruncated)
            for part in parts.parts {
                writer.element("Part") {
                    $0.element("PartNumber", part.number)
                    $0.element("Size", part.size)
                    $0.checksums(part.checksums)
                }
            }
        }
    }
}
