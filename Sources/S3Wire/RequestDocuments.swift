/// The body of `DeleteObjects`.
package struct DeleteObjectsRequest: Sendable, Hashable {
    /// The most keys that one request may name.
    package static let maximumKeys = 1000

    /// What an entry names, as it came, not yet checked.
    package struct Entry: Sendable, Hashable {
        package let key: String
        package let version: String?
        /// The ETag that the object must have, without quotation marks.
        package let eTag: String?

        package init(key: String, version: String? = nil, eTag: String? = nil) {
            (self.key, self.version, self.eTag) = (key, version, eTag)
        }
    }

    package let entries: [Entry]
    /// Whether the answer leaves out what was deleted.
    package let isQuiet: Bool

    /// - Throws: `S3Error` with `malformedXML`, also for no key and for more than `maximumKeys`, `notImplemented` for
    ///   conditions that S3 has for directory buckets only.
    package init(parsing bytes: [UInt8]) throws(S3Error) {
        let root = try XMLElement.parse(bytes, maximumElements: 8 * Self.maximumKeys)
        let objects = root.all("Object")
        guard root.name == "Delete", (1...Self.maximumKeys).contains(objects.count) else {
            throw S3Error(.malformedXML)
        }
        var entries: [Entry] = []
        for object in objects {
            guard let key = object["Key"]?.text else { throw S3Error(.malformedXML) }
            guard object["LastModifiedTime"] == nil, object["Size"] == nil else {
                throw S3Error(.notImplemented, "LastModifiedTime and Size are not implemented as conditions; use ETag.")
            }
            entries.append(
                Entry(
                    key: key,
                    version: object["VersionId"]?.text,
                    eTag: (object["ETag"]?.text).map { ETagCondition.unquoted($0.trimmingWhiteSpace()) }
                )
            )
        }
        self.entries = entries
        isQuiet = root["Quiet"]?.text.lowercased() == "true"
    }
}

/// The body of `CompleteMultipartUpload`.
package struct CompleteMultipartUploadRequest: Sendable, Hashable {
    /// The most parts that an upload may have.
    package static let maximumParts = 10_000

    /// A part as the client lists it.
    package struct Part: Sendable, Hashable {
        package let number: Int
        /// Without quotation marks.
        package let eTag: String
        /// The checksums that the client lists, in base64.
        package let checksums: [ChecksumAlgorithm: String]
    }

    /// In the order in which they came.
    package let parts: [Part]

    /// - Throws: `S3Error` with `malformedXML`, also for no part and for more than `maximumParts`.
    package init(parsing bytes: [UInt8]) throws(S3Error) {
        let root = try XMLElement.parse(bytes, maximumElements: 8 * Self.maximumParts)
        let elements = root.all("Part")
        guard root.name == "CompleteMultipartUpload", (1...Self.maximumParts).contains(elements.count) else {
            throw S3Error(.malformedXML)
        }
        var parts: [Part] = []
        for element in elements {
            guard let number = element["PartNumber"].flatMap({ Int($0.text.trimmingWhiteSpace()) }),
                let eTag = element["ETag"]?.text
            else { throw S3Error(.malformedXML) }
            var checksums: [ChecksumAlgorithm: String] = [:]
            for algorithm in ChecksumAlgorithm.allCases {
                checksums[algorithm] = element[algorithm.elementName]?.text.trimmingWhiteSpace()
            }
            parts.append(
                Part(number: number, eTag: ETagCondition.unquoted(eTag.trimmingWhiteSpace()), checksums: checksums))
        }
        self.parts = parts
    }
}

/// The body of `CreateBucket`.
package struct CreateBucketRequest: Sendable, Hashable {
    /// The region that the client wants the bucket in; empty where it does not say.
    package let location: String

    /// - Parameter bytes: may be empty.
    /// - Throws: `S3Error` with `malformedXML`.
    package init(parsing bytes: [UInt8]) throws(S3Error) {
        guard !bytes.isEmpty else {
            location = ""
            return
        }
        let root = try XMLElement.parse(bytes, maximumElements: 100)
        guard root.name == "CreateBucketConfiguration" else { throw S3Error(.malformedXML) }
        location = root["LocationConstraint"]?.text.trimmingWhiteSpace() ?? ""
    }
}

extension String {
    fileprivate func trimmingWhiteSpace() -> String {
        var rest = self[...]
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }
}
