package import Model

/// Answers `ListObjectVersions`.
package struct ListVersionsResult: ResultDocument {
    /// A version or a delete marker.
    package struct Entry: Sendable, Hashable {
        package enum Kind: Sendable, Hashable {
            case version(ListedObject)
            case marker(key: String, lastModified: Instant)
        }

        package let kind: Kind
        package let id: String
        package let isLatest: Bool

        package init(_ kind: Kind, id: String, isLatest: Bool) {
            (self.kind, self.id, self.isLatest) = (kind, id, isLatest)
        }
    }

    package var bucket: String
    package var prefix: String
    package var delimiter: String?
    package var keyMarker: String
    package var versionIDMarker: String
    package var maximumKeys: Int
    package var isTruncated: Bool
    package var entries: [Entry]
    package var commonPrefixes: [String]
    /// Where the next list starts: the last key or common prefix of this one.
    package var nextKeyMarker: String?
    /// The last version, where the list ends with a version.
    package var nextVersionIDMarker: String?
    package var owner: OwnerElement
    package var encoding: NameEncoding

    package init(bucket: String, owner: OwnerElement, maximumKeys: Int, encoding: NameEncoding) {
        (self.bucket, self.owner, self.maximumKeys, self.encoding) = (bucket, owner, maximumKeys, encoding)
        (prefix, keyMarker, versionIDMarker, isTruncated) = ("", "", "", false)
        (entries, commonPrefixes) = ([], [])
    }

    package func write(to writer: inout XMLWriter) {
        writer.element("ListVersionsResult", namespace: XMLWriter.s3Namespace) { writer in
            writer.element("Name", bucket)
            writer.element("Prefix", encoding.apply(prefix))
            writer.element("KeyMarker", encoding.apply(keyMarker))
            writer.element("VersionIdMarker", versionIDMarker)
            writer.element("NextKeyMarker", ifPresent: nextKeyMarker.map(encoding.apply))
            writer.element("NextVersionIdMarker", ifPresent: nextVersionIDMarker)
            writer.element("MaxKeys", maximumKeys)
            writer.element("Delimiter", ifPresent: delimiter.map(encoding.apply))
            if encoding == .url { writer.element("EncodingType", "url") }
            writer.element("IsTruncated", isTruncated)
            for entry in entries { write(entry, to: &writer) }
            for prefix in commonPrefixes {
                writer.element("CommonPrefixes") { $0.element("Prefix", encoding.apply(prefix)) }
            }
        }
    }

    private func write(_ entry: Entry, to writer: inout XMLWriter) {
        switch entry.kind {
        case .version(let object):
            writer.element("Version") { writer in
                writeName(object.key, of: entry, to: &writer)
                object.writeFacts(owner: owner, to: &writer)
            }
        case .marker(let key, let lastModified):
            writer.element("DeleteMarker") { writer in
                writeName(key, of: entry, to: &writer)
                writer.element("LastModified", lastModified.rfc3339(fractionDigits: 3))
                owner.write(to: &writer)
            }
        }
    }

    private func writeName(_ key: String, of entry: Entry, to writer: inout XMLWriter) {
        writer.element("Key", encoding.apply(key))
        writer.element("VersionId", entry.id)
        writer.element("IsLatest", entry.isLatest)
    }
}
