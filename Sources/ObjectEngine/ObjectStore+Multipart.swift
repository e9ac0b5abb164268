package import Model
import NIOCore
package import S3Wire

extension ObjectStore {
    /// The least size of a part that is not the last (S3 user guide, "Amazon S3 multipart upload limits").
    package static let minimumPartSize = ByteCount.mebibytes(5)
    /// The numbers that parts may have (same place).
    package static let partNumbers = 1...10_000

    /// Begins an upload in several parts.
    ///
    /// - `checksum`: what every part will carry, if anything.
    /// - `checksumType`: what the object's checksum is to cover.
    ///
    /// - Throws: `noSuchBucket`, `storageFull`, `io`, `closed`.
    package func createUpload(
        of key: ObjectKey,
        in bucket: BucketName,
        attributes: ObjectAttributes,
        checksum: ChecksumAlgorithm? = nil,
        checksumType: ChecksumType = .composite,
        origin: RequestOrigin
    ) async throws(ObjectStoreError) -> MultipartUpload {
        let upload = MultipartUpload(
            id: ContentID.new(at: now()).text,
            bucket: bucket,
            key: key,
            initiated: now(),
            principal: origin.principal,
            attributes: attributes,
            checksumAlgorithm: checksum,
            checksumType: checksumType
        )
        try await write { try $0.createUpload(upload) }
        return upload
    }

    /// The upload of that identifier.
    ///
    /// - Throws: `noSuchBucket`, `noSuchUpload`, `io`, `closed`.
    package func upload(
        _ id: String,
        of key: ObjectKey,
        in bucket: BucketName
    ) async throws(ObjectStoreError) -> MultipartUpload {
        try await read { try $0.upload(id, key: key, bucket: bucket) }
    }

    /// Makes staged content a part; one of the same number is replaced.
    ///
    /// - `checksums`: what the part keeps, in base64; the summary's `checksumTexts`, as a rule.
    ///
    /// - Throws: `noSuchBucket`, `noSuchUpload`, `invalidPartNumber`, `quotaExceeded`, `storageFull`, `io`, `misuse`,
    ///   `closed`. The content is gone then.
    package func putPart(
        _ staged: StagedContent,
        number: Int,
        of uploadID: String,
        key: ObjectKey,
        in bucket: BucketName,
        checksums: [ChecksumAlgorithm: String] = [:]
    ) async throws(ObjectStoreError) -> UploadPart {
        guard Self.partNumbers.contains(number) else {
            staged.discard()
            throw ObjectStoreError(.invalidPartNumber, "the part number \(number) is not between 1 and 10000")
        }
        let (content, summary) = try await staged.settle(asFile: true)
        let part = UploadPart(
            number: number,
            size: ByteCount(summary.size),
            eTag: summary.eTag,
            lastModified: now(),
            checksums: checksums
        )
        try await adopt(content) { index in
            _ = try index.upload(uploadID, key: key, bucket: bucket)
            try index.putPart(StoredPart(part: part, content: content.id), of: uploadID)
            try index.checkRoom(in: index.bucketRow(bucket))
        }
        announce()
        return part
    }

    /// Makes an object's content, or a range of it, a part.
    ///
    /// - Throws: `contentReplaced`: look the source up again and repeat; `invalidRange`; otherwise as
    ///   `putPart`.
    package func copyPart(
        from source: ObjectRecord,
        range: Range<Int64>? = nil,
        number: Int,
        of uploadID: String,
        key: ObjectKey,
        in bucket: BucketName
    ) async throws(ObjectStoreError) -> UploadPart {
        let upload = try await upload(uploadID, of: key, in: bucket)
        let algorithms = upload.checksumAlgorithm.map { [$0] } ?? []
        let staged = try await stageContent(of: source, range: range, checksums: Set(algorithms))
        let summary = try await staged.finish()
        return try await putPart(
            staged,
            number: number,
            of: uploadID,
            key: key,
            in: bucket,
            checksums: summary.checksumTexts
        )
    }

    /// One page of an upload's parts.
    ///
    /// - `number`: the page begins behind that part.
    ///
    /// - Throws: `noSuchBucket`, `noSuchUpload`, `io`, `closed`.
    package func parts(
        of uploadID: String,
        key: ObjectKey,
        in bucket: BucketName,
        after number: Int = 0,
        limit: Int = 1000
    ) async throws(ObjectStoreError) -> PartListing {
        let limit = max(0, limit)
        return try await read { index in
            let upload = try index.upload(uploadID, key: key, bucket: bucket)
            let found = try index.parts(of: uploadID, after: number, limit: limit + 1).map(\.part)
            let parts = Array(found.prefix(limit))
            let isTruncated = found.count > limit && limit > 0
            return PartListing(
                upload: upload,
                parts: parts,
                isTruncated: isTruncated,
                next: isTruncated ? parts.last?.number : nil
            )
        }
    }

    /// One page of a bucket's unfinished uploads, ordered by key, then by identifier.
    ///
    /// - `afterKey`: the page begins behind this key's upload `afterID`, or behind all its uploads where that
    ///   is `nil`.
    /// - `limit`: of uploads and common prefixes together.
    ///
    /// - Throws: `noSuchBucket`, `io`, `closed`.
    package func uploads(
        in bucket: BucketName,
        prefix: String = "",
        delimiter: String? = nil,
        afterKey: String? = nil,
        afterID: String? = nil,
        limit: Int = 1000
    ) async throws(ObjectStoreError) -> UploadListing {
        try await read { index in
            try index.uploads(
                of: bucket,
                prefix: prefix,
                delimiter: delimiter,
                afterKey: afterKey,
                afterID: afterID,
                limit: limit
            )
        }
    }

    /// Makes an object from parts, without copying a byte; the upload and its other parts go.
    ///
    /// Who asks again with the same parts, because the first answer got lost, gets it again for a day.
    ///
    /// - `parts`: in ascending order.
    /// - `expectedChecksum`: what the client says the object's checksum is, in base64.
    /// - `expectedSize`: what the client says the object's size is, in bytes.
    /// - `restoring`: the version that it is, for an import.
    /// - `delivery`: as for `put`.
    ///
    /// - Throws: `noSuchBucket`, `noSuchUpload`, `invalidPart`, `invalidPartOrder`, `entityTooSmall`,
    ///   `checksumMismatch`, `sizeMismatch`, `preconditionFailed`, `noSuchKey` (a condition on an object that is not there),
    ///   `quotaExceeded`, `storageFull`, `io`, `closed`. The upload goes on then.
    package func completeUpload(
        _ uploadID: String,
        of key: ObjectKey,
        in bucket: BucketName,
        parts: [CompletedPart],
        expectedChecksum: String? = nil,
        expectedSize: Int64? = nil,
        condition: WriteCondition = .none,
        delivery: DeliveryToken? = nil,
        origin: RequestOrigin,
        restoring: RestoredVersion? = nil
    ) async throws(ObjectStoreError) -> ObjectRecord {
        let now = now()
        let record = try await write { index in
            let finished = FinishedUpload(id: uploadID, key: key, parts: parts)
            if let record = try index.result(of: finished, in: bucket) { return record }
            if let delivery, let record = try index.receipt(of: delivery, key: key, in: bucket) {
                // Already gone, or not even of this key: then it stays.
                let isThere = (try? index.upload(uploadID, key: key, bucket: bucket)) != nil
                if isThere { try index.removeUpload(uploadID) }
                return record
            }
            let upload = try index.upload(uploadID, key: key, bucket: bucket)
            let stored = try index.parts(of: uploadID, after: 0, limit: Self.partNumbers.count)
            let assembly = try PartAssembly(of: upload, stored: stored, named: parts)
            try assembly.check(checksum: expectedChecksum)
            try assembly.check(size: expectedSize)
            let content = ContentID.new(at: now)
            try index.adopt(assembly.parts, of: uploadID, as: content)
            let record = try index.put(
                NewObject(
                    bucket: bucket,
                    key: key,
                    size: assembly.size,
                    eTag: assembly.eTag,
                    attributes: assembly.attributes,
                    content: content,
                    partCount: parts.count,
                    time: now,
                    condition: condition,
                    cause: .multipart,
                    origin: origin,
                    restoring: restoring
                )
            )
            try index.remember(finished, in: bucket, at: now)
            if let delivery { try index.keepReceipt(of: delivery, key: key, in: bucket, at: now) }
            return record
        }
        announce(event: true)
        return record
    }

    /// Gives an upload up; its parts go.
    ///
    /// - Throws: `noSuchBucket`, `noSuchUpload`, `storageFull`, `io`, `closed`.
    package func abortUpload(
        _ uploadID: String,
        of key: ObjectKey,
        in bucket: BucketName
    ) async throws(ObjectStoreError) {
        try await writeFreeing { index in
            _ = try index.upload(uploadID, key: key, bucket: bucket)
            try index.removeUpload(uploadID)
        }
        announce()
    }
}
