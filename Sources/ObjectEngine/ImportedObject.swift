import Model

/// An object as an archive tells of it.
struct ImportedObject {
    let bucket: BucketName
    let key: ObjectKey
    let size: Int64
    let modified: Instant
    let attributes: ObjectAttributes
    /// `nil` for an archive of another program.
    let eTag: String?
    /// In bytes; empty for an object that came in one piece.
    let parts: [Int64]
    /// `nil` for an archive without versions, or of another program.
    let version: ArchivedVersion?

    init(_ header: TarHeader, _ said: [String: String], bucket: BucketName?) throws(ImportRefusal) {
        var path = ArchivePath.key(of: header.path)
        var name = bucket?.text
        if let own = said[ArchiveAttribute.bucket], let key = said[ArchiveAttribute.key] {
            (name, path) = (bucket?.text ?? own, key)
        } else if bucket == nil {
            let parts = path.split(separator: "/", maxSplits: 1)
            guard parts.count == 2 else { throw ImportRefusal(why: "no bucket is named; give one with --bucket") }
            (name, path) = (String(parts[0]), String(parts[1]))
        }
        do {
            self.bucket = try BucketName(name ?? "")
            key = try ObjectKey(path)
            attributes = try ObjectAttributes(
                contentType: said[ArchiveAttribute.contentType] ?? ObjectAttributes.defaultContentType,
                text: said[ArchiveAttribute.attributes] ?? ""
            )
        } catch {
            throw ImportRefusal(why: "\(error)")
        }
        size = header.size
        modified = header.modified
        eTag = said[ArchiveAttribute.eTag]
        parts = said[ArchiveAttribute.parts]?.split(separator: ",").compactMap { Int64($0) } ?? []
        version = try Self.version(said)
        guard version?.isMarker != true || (size == 0 && parts.isEmpty) else {
            throw ImportRefusal(why: "it is a delete marker with content")
        }
        guard parts.isEmpty || parts.reduce(0, { $0 &+ $1 }) == size, parts.count <= 10_000,
            parts.allSatisfy({ $0 >= 0 })
        else { throw ImportRefusal(why: "its parts do not add up") }
    }

    /// - Throws: where something is said that is no version of ours.
    private static func version(_ said: [String: String]) throws(ImportRefusal) -> ArchivedVersion? {
        let marker = said[ArchiveAttribute.marker]
        guard let text = said[ArchiveAttribute.version] else {
            guard marker == nil else { throw ImportRefusal(why: "it is a delete marker without a name") }
            return nil
        }
        guard said[ArchiveAttribute.bucket] != nil, said[ArchiveAttribute.key] != nil, let id = VersionID(text),
            marker == nil || marker == "delete"
        else { throw ImportRefusal(why: "its version is none") }
        var replaced: Instant?
        if let text = said[ArchiveAttribute.replaced] {
            guard let nanoseconds = Int64(text), nanoseconds >= 0 else {
                throw ImportRefusal(why: "the time at which it was replaced is none")
            }
            replaced = Instant(nanoseconds: nanoseconds)
        }
        return ArchivedVersion(id: id, replaced: replaced, isMarker: marker != nil)
    }
}
