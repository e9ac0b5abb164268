import Model
import NIOCore

/// A version's own facts, beside those of an object.
struct ArchivedVersion: Sendable {
    let id: VersionID
    /// `nil` for the latest.
    let replaced: Instant?
    var isMarker = false

    /// Whether it is not what a look-up of its key gives.
    var isEarlier: Bool { isMarker || replaced != nil }

    var attributes: [(name: String, value: String)] {
        var attributes = [(name: ArchiveAttribute.version, value: id.text)]
        if let replaced { attributes.append((ArchiveAttribute.replaced, String(replaced.nanoseconds))) }
        if isMarker { attributes.append((ArchiveAttribute.marker, "delete")) }
        return attributes
    }
}

extension StoreExport {
    private static let pageSize = 200

    /// Writes all versions and markers of a bucket, the oldest of each key first, so that an import need only follow.
    func writeVersions(
        of bucket: BucketName,
        _ summary: inout ArchiveSummary,
        _ write: (ByteBuffer) async throws -> Void
    ) async throws {
        let prefix = prefix
        var last: String?
        while true {
            let after = last
            let next = try await access.read { try $0.nextKey(in: bucket, prefix: prefix, after: after) }
            guard let key = next else { return }
            try await writeHistory(of: key, in: bucket, &summary, write)
            last = key
        }
    }

    private func writeHistory(
        of key: String,
        in bucket: BucketName,
        _ summary: inout ArchiveSummary,
        _ write: (ByteBuffer) async throws -> Void
    ) async throws {
        var sequence: Int64 = 0
        while true {
            let from = sequence
            let page = try await access.read {
                try $0.history(of: key, in: bucket, after: from, limit: Self.pageSize)
            }
            for (place, version) in page.versions {
                sequence = place
                switch version.content {
                case .marker(let marker):
                    try await self.write(marker, replaced: version.replaced, in: bucket, write)
                    summary.versions += 1
                case .object(let record):
                    let facts = ArchivedVersion(id: version.id, replaced: version.replaced)
                    try await self.write(record, facts, &summary, write)
                }
            }
            if let latest = page.latest {
                let facts = ArchivedVersion(id: latest.version ?? .null, replaced: nil)
                try await self.write(latest, facts, &summary, write)
            }
            whenAdvanced(summary)
            if page.isComplete { return }
        }
    }

    private func write(
        _ record: ObjectRecord,
        _ version: ArchivedVersion,
        _ summary: inout ArchiveSummary,
        _ write: (ByteBuffer) async throws -> Void
    ) async throws {
        if try await self.write(record, version, write) {
            if version.replaced == nil { summary.objects += 1 } else { summary.versions += 1 }
            summary.bytes += record.size.bytes
            return
        }
        // Deleted meanwhile, beside a server; or damaged.
        guard try await access.read({ try $0.isInUse(record.content) }) else { return }
        summary.skipped += 1
        whenSkipped(record.bucket.text, "\(record.key.text) (version \(version.id))")
    }

    private func write(
        _ marker: DeleteMarker,
        replaced: Instant?,
        in bucket: BucketName,
        _ write: (ByteBuffer) async throws -> Void
    ) async throws {
        let version = ArchivedVersion(id: marker.version, replaced: replaced, isMarker: true)
        let header = TarHeader(
            path: ArchivePath.path(of: marker.key.text, in: bucket.text, version: version),
            size: 0,
            modified: marker.lastModified,
            attributes: [
                (name: ArchiveAttribute.bucket, value: bucket.text),
                (name: ArchiveAttribute.key, value: marker.key.text),
            ] + version.attributes
        )
        try await write(ByteBuffer(bytes: header.bytes))
    }
}
