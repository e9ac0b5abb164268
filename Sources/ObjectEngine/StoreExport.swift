import GRDB
package import Model
package import NIOCore

/// Buckets and their objects as a tar archive, as it is asked for and without a file in between.
///
/// Any program that reads tar finds each object under `bucket/key`; keys that no file system can have are
/// percent-encoded there. `StoreImport` finds all that the store knows about them. Works beside a server, which goes
/// on; each object is as it was when its turn came.
package struct StoreExport: Sendable {
    let access: StoreAccess
    private let bucket: BucketName?
    let prefix: String
    private let includesVersions: Bool
    let whenSkipped: @Sendable (_ bucket: String, _ key: String) -> Void
    let whenAdvanced: @Sendable (ArchiveSummary) -> Void

    /// - `bucket`: `nil` for all.
    /// - `prefix`: of the keys.
    /// - `includesVersions`: whether earlier versions and delete markers are written too.
    /// - `whenSkipped`: told of objects whose content is missing, which are left out.
    /// - `whenAdvanced`: told often; cheap, please.
    package init(
        _ access: StoreAccess,
        bucket: BucketName? = nil,
        prefix: String = "",
        includesVersions: Bool = false,
        whenSkipped: @escaping @Sendable (_ bucket: String, _ key: String) -> Void = { _, _ in },
        whenAdvanced: @escaping @Sendable (ArchiveSummary) -> Void = { _ in }
    ) {
        self.access = access
        self.bucket = bucket
        self.prefix = prefix
        self.includesVersions = includesVersions
        self.whenSkipped = whenSkipped
        self.whenAdvanced = whenAdvanced
    }

    /// Gives the archive to `write`, piece by piece.
    ///
    /// - Throws: `noSuchBucket`; `damaged` where bytes turn out wrong in the middle of an object: the archive is no
    ///   good then; `io`; what `write` throws.
    package func run(write: (ByteBuffer) async throws -> Void) async throws -> ArchiveSummary {
        let files = access.files
        // Held to the end: what is looked up stays in place until it is written.
        let lock = try await files.run { () throws(ObjectStoreError) in try files.lockAgainstRemoval() }
        defer { withExtendedLifetime(lock) {} }
        var summary = ArchiveSummary()
        for name in try await bucketNames() {
            try await write(ByteBuffer(bytes: try await header(ofBucket: name).bytes))
            summary.buckets += 1
            if includesVersions, try await access.read({ try $0.bucketRow(name).versioning }) != .off {
                try await writeVersions(of: name, &summary, write)
            } else {
                try await writeObjects(of: name, &summary, write)
            }
        }
        try await write(ByteBuffer(bytes: TarHeader.end))
        return summary
    }

    private func bucketNames() async throws(ObjectStoreError) -> [BucketName] {
        guard let bucket else { return try await access.read { try $0.buckets().map(\.name) } }
        _ = try await access.read { try $0.bucketID(bucket) }
        return [bucket]
    }

    private func writeObjects(
        of bucket: BucketName,
        _ summary: inout ArchiveSummary,
        _ write: (ByteBuffer) async throws -> Void
    ) async throws {
        let prefix = prefix
        var after: String?
        repeat {
            let last = after
            let page = try await access.read {
                try $0.list(bucket, prefix: prefix, delimiter: nil, after: last, limit: 500)
            }
            for record in page.objects {
                switch try await writeCurrent(record, write) {
                case .written(let written):
                    summary.objects += 1
                    summary.bytes += written.size.bytes
                case .deleted: break
                case .damaged:
                    summary.skipped += 1
                    whenSkipped(record.bucket.text, record.key.text)
                }
            }
            whenAdvanced(summary)
            after = page.next
        } while after != nil
    }

    /// What became of an object that was listed.
    private enum Outcome {
        case written(ObjectRecord)
        /// Somebody deleted it meanwhile.
        case deleted
        case damaged
    }

    /// Writes an object as it is now: beside a server it may have been replaced since it was listed.
    private func writeCurrent(
        _ listed: ObjectRecord,
        _ write: (ByteBuffer) async throws -> Void
    ) async throws -> Outcome {
        var record = listed
        while true {
            if try await self.write(record, nil, write) { return .written(record) }
            let (key, bucket) = (record.key, record.bucket)
            guard let current = try await access.read({ try $0.object(key, in: bucket) }) else {
                return .deleted
            }
            guard current.content != record.content else { return .damaged }
            record = current
        }
    }

    /// - Returns: `false` where the content is missing, or the object was replaced meanwhile; nothing is written then.
    func write(
        _ record: ObjectRecord,
        _ version: ArchivedVersion?,
        _ write: (ByteBuffer) async throws -> Void
    ) async throws -> Bool {
        let (content, pieces) = try await access.read { index in
            let content = try index.storedContent(of: record)
            return (content, record.partCount == nil ? [] : try index.pieces(of: record.content))
        }
        guard record.partCount == nil || pieces.count == record.partCount else { return false }
        let range = 0..<record.size.bytes
        let files = access.files
        var position: ContentReader.Position
        switch content {
        case .bytes(let bytes, let check):
            guard bytes.withUnsafeReadableBytes({ ContentCheck.of($0) }) == check else { return false }
            position = .init(bytes: bytes)
        case .file(let check):
            position = .init(
                pieces: [ContentPiece(file: record.content, range: range, check: check)],
                range: range,
                verifies: true
            )
        case .pieces:
            position = .init(pieces: pieces, range: range, verifies: true)
        }
        let unopened = position
        let opened = try await files.run { () throws(ObjectStoreError) -> ContentReader.Position? in
            var position = unopened
            return try position.begin(in: files) ? position : nil
        }
        guard let opened else { return false }
        let reader = ContentReader(range: range, position: opened, files: files, release: {})
        defer { reader.close() }
        try await write(ByteBuffer(bytes: header(of: record, pieces, version).bytes))
        while let chunk = try await reader.next() { try await write(chunk) }
        let padding = TarHeader.padding(record.size.bytes)
        if !padding.isEmpty { try await write(ByteBuffer(bytes: padding)) }
        return true
    }

    private func header(
        of record: ObjectRecord,
        _ pieces: [ContentPiece],
        _ version: ArchivedVersion?
    ) -> TarHeader {
        var attributes = [
            (name: ArchiveAttribute.bucket, value: record.bucket.text),
            (name: ArchiveAttribute.key, value: record.key.text),
            (name: ArchiveAttribute.eTag, value: record.eTag),
            (name: ArchiveAttribute.contentType, value: record.attributes.contentType),
        ]
        let text = record.attributes.text
        if !text.isEmpty { attributes.append((ArchiveAttribute.attributes, text)) }
        if record.partCount != nil {
            let sizes = pieces.map { String($0.range.count) }.joined(separator: ",")
            attributes.append((ArchiveAttribute.parts, sizes))
        }
        attributes += version?.attributes ?? []
        return TarHeader(
            path: ArchivePath.path(of: record.key.text, in: record.bucket.text, version: version),
            size: record.size.bytes,
            modified: record.lastModified,
            attributes: attributes
        )
    }

    private func header(ofBucket name: BucketName) async throws -> TarHeader {
        let (bucket, settings) = try await access.read { index in
            let rows = try index.rows(
                "SELECT kind, document FROM settings WHERE bucket = (SELECT id FROM buckets WHERE name = ?)",
                [name.text]
            )
            let settings = rows.map { ($0[0] as String, JSONValue.string($0[1] as String)) }
            return (try index.bucket(name), settings)
        }
        guard let bucket else { throw ObjectStoreError.noSuchBucket(name) }
        var attributes = [
            (name: ArchiveAttribute.bucket, value: name.text), (name: ArchiveAttribute.owner, value: bucket.owner),
        ]
        if bucket.versioning != .off { attributes.append((ArchiveAttribute.versioning, bucket.versioning.rawValue)) }
        if !bucket.tags.isEmpty { attributes.append((ArchiveAttribute.tags, JSONValue.map(bucket.tags).text())) }
        if !settings.isEmpty {
            attributes.append((ArchiveAttribute.settings, JSONValue.object(JSONObject(settings)).text()))
        }
        return TarHeader(
            path: "\(name.text)/", kind: .folder, size: 0, modified: bucket.created, attributes: attributes)
    }
}

/// The names of the attributes that objects and buckets have in an archive.
enum ArchiveAttribute {
    static let bucket = "bucket"
    static let key = "key"
    static let eTag = "etag"
    static let contentType = "content-type"
    /// As in the index (`ObjectAttributes.text`).
    static let attributes = "attributes"
    /// The sizes of the parts, in order, with commas.
    static let parts = "parts"
    static let owner = "owner"
    static let tags = "tags"
    static let settings = "settings"
    static let versioning = "versioning"
    /// The name of a version; `null` is one.
    static let version = "version"
    /// When the version was replaced, in nanoseconds since 1970; not for the latest.
    static let replaced = "replaced"
    /// "delete" for a delete marker.
    static let marker = "marker"
}

/// Keys as paths that file systems can have.
enum ArchivePath {
    /// `bucket/key`, where parts of the key that are empty, `.` or `..` are percent-encoded.
    static func path(of key: String, in bucket: String) -> String {
        let parts = key.split(separator: "/", omittingEmptySubsequences: false).map { part in
            switch part {
            case "": "%2F"
            case ".": "%2E"
            case "..": "%2E%2E"
            default:
                part.utf8.contains(0)
                    ? part.split(separator: "\0", omittingEmptySubsequences: false).joined(separator: "%00")
                    : String(part)
            }
        }
        return ([bucket] + parts).joined(separator: "/")
    }

    /// As `path`; earlier versions and markers lie apart, so that other programs find the latest versions in their places.
    static func path(of key: String, in bucket: String, version: ArchivedVersion?) -> String {
        let plain = path(of: key, in: bucket)
        guard let version, version.isEarlier else { return plain }
        return ".versions/\(plain)/\(version.id.text)"
    }

    /// The key that a path of another program's archive becomes: without `./` and `/` at its begin.
    static func key(of path: String) -> String {
        var rest = path[...]
        while rest.hasPrefix("./") || rest.hasPrefix("/") { rest = rest.dropFirst(rest.hasPrefix("/") ? 1 : 2) }
        return String(rest)
    }
}
