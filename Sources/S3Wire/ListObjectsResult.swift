package import Model

/// How names are written in lists: as they are, or percent-encoded (`encoding-type=url`), which alone can carry
/// control characters.
package enum NameEncoding: Sendable, Hashable {
    case none
    case url

    func apply(_ text: String) -> String {
        self == .url ? PercentEncoding.encoded(text, keepingSlashes: true) : text
    }
}

/// An object in a list.
package struct ListedObject: Sendable, Hashable {
    package let key: String
    package let lastModified: Instant
    /// Without quotation marks.
    package let eTag: String
    package let size: Int64
    package let checksums: [ChecksumAlgorithm]
    package let checksumType: ChecksumType?
    package let storageClass: StorageClass

    package init(
        key: String,
        lastModified: Instant,
        eTag: String,
        size: Int64,
        checksums: [ChecksumAlgorithm] = [],
        checksumType: ChecksumType? = nil,
        storageClass: StorageClass = .standard
    ) {
        (self.key, self.lastModified, self.eTag, self.size) = (key, lastModified, eTag, size)
        (self.checksums, self.checksumType, self.storageClass) = (checksums, checksumType, storageClass)
    }
}

/// Answers `ListObjects` and `ListObjectsV2`.
package struct ListObjectsResult: ResultDocument {
    /// What the two versions do not share.
    package enum Version: Sendable {
        /// `nextMarker` is where the next list starts; only where this one is cut.
        case one(marker: String, nextMarker: String?)
        case two(startAfter: String?, token: String?, nextToken: String?)
    }

    package var version: Version
    package var bucket: String
    package var prefix: String
    package var delimiter: String?
    package var maximumKeys: Int
    package var encoding: NameEncoding
    package var isTruncated: Bool
    package var objects: [ListedObject]
    package var commonPrefixes: [String]
    /// `nil` leaves owners out.
    package var owner: OwnerElement?

    package init(
        version: Version,
        bucket: String,
        prefix: String,
        delimiter: String?,
        maximumKeys: Int,
        encoding: NameEncoding,
        isTruncated: Bool,
        objects: [ListedObject],
        commonPrefixes: [String],
        owner: OwnerElement?
    ) {
        (self.version, self.bucket, self.prefix, self.delimiter) = (version, bucket, prefix, delimiter)
        (self.maximumKeys, self.encoding, self.isTruncated) = (maximumKeys, encoding, isTruncated)
        (self.objects, self.commonPrefixes, self.owner) = (objects, commonPrefixes, owner)
    }

    package func write(to writer: inout XMLWriter) {
        writer.element("ListBucketResult", namespace: XMLWriter.s3Namespace) { writer in
            writer.element("Name", bucket)
            writer.element("Prefix", encoding.apply(prefix))
            writePlace(to: &writer)
            writer.element("MaxKeys", maximumKeys)
            writer.element("Delimiter", ifPresent: delimiter.map(encoding.apply))
            if encoding == .url { writer.element("EncodingType", "url") }
            writer.element("IsTruncated", isTruncated)
            for object in objects { write(object, to: &writer) }
            for prefix in commonPrefixes {
                writer.element("CommonPrefixes") { $0.element("Prefix", encoding.apply(prefix)) }
            }
        }
    }

    private func writePlace(to writer: inout XMLWriter) {
        switch version {
        case .one(let marker, let nextMarker):
            writer.element("Marker", encoding.apply(marker))
            writer.element("NextMarker", ifPresent: nextMarker.map(encoding.apply))
        case .two(let startAfter, let token, let nextToken):
            writer.element("StartAfter", ifPresent: startAfter.map(encoding.apply))
            writer.element("ContinuationToken", ifPresent: token)
            writer.element("NextContinuationToken", ifPresent: nextToken)
            writer.element("KeyCount", objects.count + commonPrefixes.count)
        }
    }

    private func write(_ object: ListedObject, to writer: inout XMLWriter) {
        writer.element("Contents") { writer in
            writer.element("Key", encoding.apply(object.key))
            object.writeFacts(owner: owner, to: &writer)
        }
    }
}

extension ListedObject {
    /// All but the name.
    func writeFacts(owner: OwnerElement?, to writer: inout XMLWriter) {
        writer.element("LastModified", lastModified.rfc3339(fractionDigits: 3))
        writer.element("ETag", "\"\(eTag)\"")
        for algorithm in checksums { writer.element("ChecksumAlgorithm", algorithm.rawValue) }
        writer.element("ChecksumType", ifPresent: checksumType?.rawValue)
        writer.element("Size", size)
        owner?.write(to: &writer)
        writer.element("StorageClass", storageClass.rawValue)
    }
}
