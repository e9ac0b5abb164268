package import Model
package import S3Wire

/// One page of a bucket's objects.
package struct Listing: Sendable {
    /// In the order of their keys' bytes.
    package let objects: [ObjectRecord]
    /// What groups of keys have in common up to the delimiter, the delimiter included; in the order of bytes.
    package let commonPrefixes: [String]
    /// Whether more follows.
    package let isTruncated: Bool
    /// What to give as `after` for the next page: the last key or common prefix of this one; `nil` on the
    /// last page.
    package let next: String?
}

/// An upload in several parts that was begun and not finished.
package struct MultipartUpload: Sendable, Hashable {
    package let id: String
    package let bucket: BucketName
    package let key: ObjectKey
    package let initiated: Instant
    /// The access key that began it.
    package let principal: String
    /// What the object will have.
    package let attributes: ObjectAttributes
    /// The checksum that its parts carry, if any.
    package let checksumAlgorithm: ChecksumAlgorithm?
    package let checksumType: ChecksumType
}

/// A part of an upload, as the store has it.
package struct UploadPart: Sendable, Hashable {
    /// 1 to 10,000.
    package let number: Int
    package let size: ByteCount
    /// MD5 of its bytes, without quotation marks.
    package let eTag: String
    package let lastModified: Instant
    /// In base64.
    package let checksums: [ChecksumAlgorithm: String]
}

/// A part of an object that a multipart upload made.
package struct ObjectPart: Sendable, Hashable {
    /// Counted from 1 within the object, whatever number it was uploaded with.
    package let number: Int
    package let size: ByteCount
    /// In base64; none for objects that were made before these were kept.
    package let checksums: [ChecksumAlgorithm: String]
}

/// A part as the client names it when it completes an upload.
package struct CompletedPart: Sendable, Hashable {
    package let number: Int
    /// Without quotation marks.
    package let eTag: String
    /// In base64; those that the client names must agree with the part's.
    package let checksums: [ChecksumAlgorithm: String]

    package init(number: Int, eTag: String, checksums: [ChecksumAlgorithm: String] = [:]) {
        self.number = number
        self.eTag = eTag
        self.checksums = checksums
    }
}

/// One page of an upload's parts.
package struct PartListing: Sendable {
    package let upload: MultipartUpload
    /// Ordered by number.
    package let parts: [UploadPart]
    package let isTruncated: Bool
    /// The last part's number, for the next page.
    package let next: Int?
}

/// One page of a bucket's unfinished uploads.
package struct UploadListing: Sendable {
    /// Ordered by key, then by identifier.
    package let uploads: [MultipartUpload]
    package let commonPrefixes: [String]
    package let isTruncated: Bool
    /// The last key or common prefix, for the next page.
    package let nextKey: String?
    /// The last upload's identifier; `nil` where the page ended with a common prefix.
    package let nextID: String?
}
