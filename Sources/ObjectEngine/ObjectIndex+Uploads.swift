import GRDB
import Model
import S3Wire

/// A part of an upload together with the file that holds it.
struct StoredPart: Sendable {
    let part: UploadPart
    let content: ContentID
}

extension ObjectIndex {
    private static let uploadColumns = """
        SELECT id, key, initiated, principal, content_type, attributes, checksum_algorithm, checksum_type FROM uploads
        """
    private static let partColumns = "SELECT number, size, etag, modified, checksums, content FROM parts"

    func createUpload(_ upload: MultipartUpload) throws {
        try execute(
            """
            INSERT INTO uploads
                (bucket, key, id, initiated, principal, content_type, attributes, checksum_algorithm, checksum_type)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                try bucketID(upload.bucket), upload.key.text, upload.id, upload.initiated.nanoseconds,
                upload.principal,
                upload.attributes.contentType, upload.attributes.text, upload.checksumAlgorithm?.rawValue,
                upload.checksumType.rawValue,
            ]
        )
    }

    /// - Throws: `noSuchBucket`, `noSuchUpload`.
    func upload(_ id: String, key: ObjectKey, bucket: BucketName) throws -> MultipartUpload {
        let number = try bucketID(bucket)
        let found = try row(
            "\(Self.uploadColumns) WHERE bucket = ? AND key = ? AND id = ?",
            [number, key.text, id]
        )
        guard let found else { throw ObjectStoreError.noSuchUpload(id) }
        return try Self.upload(found, in: bucket)
    }

    /// Writes a part; one of the same number goes to the garbage.
    func putPart(_ stored: StoredPart, of upload: String) throws {
        let part = stored.part
        let replaced = try row(
            "SELECT content FROM parts WHERE upload = ? AND number = ?",
            [upload, part.number]
        )
        if let replaced {
            try addGarbage(replaced[0])
            // Not by the insertion, which would not tell the counters.
            try execute("DELETE FROM parts WHERE upload = ? AND number = ?", [upload, part.number])
        }
        try execute(
            """
            INSERT INTO parts (upload, number, content, size, etag, checksums, modified)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
            [
                upload, part.number, stored.content.text, part.size.bytes, part.eTag,
                ObjectAttributes(checksums: part.checksums).text, part.lastModified.nanoseconds,
            ]
        )
    }

    func parts(of upload: String, after number: Int, limit: Int) throws -> [StoredPart] {
        try rows(
            "\(Self.partColumns) WHERE upload = ? AND number > ? ORDER BY number LIMIT ?",
            [upload, number, limit]
        ).map(Self.part)
    }

    /// Makes parts of an upload the pieces of an object's content; the upload and its other parts go.
    func adopt(_ parts: [StoredPart], of upload: String, as content: ContentID) throws {
        var start: Int64 = 0
        for (index, stored) in parts.enumerated() {
            let size = stored.part.size.bytes
            try execute(
                "INSERT INTO pieces (content, number, file, start, size, checksums) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    content.text, index + 1, stored.content.text, start, size,
                    ObjectAttributes(checksums: stored.part.checksums).text,
                ]
            )
            try execute("DELETE FROM parts WHERE upload = ? AND number = ?", [upload, stored.part.number])
            start += size
        }
        try removeUpload(upload)
    }

    /// Forgets an upload; its parts go to the garbage.
    func removeUpload(_ id: String) throws {
        try execute("INSERT INTO garbage (content) SELECT content FROM parts WHERE upload = ?", [id])
        try execute("DELETE FROM parts WHERE upload = ?", [id])
        try execute("DELETE FROM uploads WHERE id = ?", [id])
    }

    /// One page of a bucket's uploads, ordered by key and identifier, behind the upload `afterID` of
    /// `afterKey`, or behind all uploads of `afterKey` where `afterID` is `nil`.
    func uploads(
        of bucket: BucketName,
        prefix: String,
        delimiter: String?,
        afterKey: String?,
        afterID: String?,
        limit: Int
    ) throws -> UploadListing {
        let id = try bucketID(bucket)
        var page = ListingPage<MultipartUpload>(limit: limit)
        guard limit > 0 else { return UploadListing(page) }
        var seek = Seek(prefix: prefix, delimiter: delimiter, after: afterKey)
        if let afterKey, let afterID, KeyRange.hasPrefix(afterKey, prefix),
            seek.commonPrefix(of: afterKey) == nil
        {
            // The other uploads of the key that the last page ended with.
            let rest = "\(Self.uploadColumns) WHERE bucket = ? AND key = ? AND id > ? ORDER BY id"
            for row in try rows(rest, [id, afterKey, afterID]) {
                guard try page.add(Self.upload(row, in: bucket)) else { return UploadListing(page) }
            }
        }
        while let from = seek.from {
            guard let common = try fill(&page, bucket, id, from: from, prefix: prefix, seek: seek) else {
                break
            }
            seek.skip(common)
        }
        return UploadListing(page)
    }

    /// Adds uploads up to a common prefix, that included.
    ///
    /// - Returns: the common prefix; `nil` where the page is full or no upload is left.
    private func fill(
        _ page: inout ListingPage<MultipartUpload>,
        _ bucket: BucketName,
        _ id: Int64,
        from: Seek.Start,
        prefix: String,
        seek: Seek
    ) throws -> String? {
        let sql =
            "\(Self.uploadColumns) WHERE bucket = ? AND key \(from.isExclusive ? ">" : ">=") ? ORDER BY key, id"
        let rows = try Row.fetchCursor(database.cachedStatement(sql: sql), arguments: [id, from.key])
        while let row = try rows.next() {
            let key: String = row[1]
            guard KeyRange.hasPrefix(key, prefix) else { return nil }
            if let common = seek.commonPrefix(of: key) { return page.add(commonPrefix: common) ? common : nil }
            guard try page.add(Self.upload(row, in: bucket)) else { return nil }
        }
        return nil
    }

    private static func upload(_ row: Row, in bucket: BucketName) throws -> MultipartUpload {
        guard let key = try? ObjectKey(row[1] as String), let type = ChecksumType(rawValue: row[7]) else {
            throw damaged("an upload")
        }
        return MultipartUpload(
            id: row[0],
            bucket: bucket,
            key: key,
            initiated: Instant(nanoseconds: row[2]),
            principal: row[3],
            attributes: try ObjectAttributes(contentType: row[4], text: row[5]),
            checksumAlgorithm: (row[6] as String?).flatMap(ChecksumAlgorithm.init(rawValue:)),
            checksumType: type
        )
    }

    private static func part(_ row: Row) throws -> StoredPart {
        StoredPart(
            part: UploadPart(
                number: row[0],
                size: ByteCount(row[1]),
                eTag: row[2],
                lastModified: Instant(nanoseconds: row[3]),
                checksums: try ObjectAttributes(contentType: "", text: row[4]).checksums
            ),
            content: try contentID(row[5])
        )
    }
}

extension UploadListing {
    fileprivate init(_ page: ListingPage<MultipartUpload>) {
        self.init(
            uploads: page.entries,
            commonPrefixes: page.commonPrefixes,
            isTruncated: page.isTruncated,
            nextKey: page.last.flatMap { $0.commonPrefix ?? $0.entry?.key.text },
            nextID: page.last?.entry?.id
        )
    }
}
