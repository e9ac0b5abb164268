package import S3Wire

/// What a client says about an object beside its bytes.
package struct ObjectAttributes: Sendable, Hashable {
    /// The media type that S3 gives objects whose client named none.
    package static let defaultContentType = "binary/octet-stream"

    package var contentType: String
    /// User metadata: names in lower case and without `x-amz-meta-`.
    package var userMetadata: [String: String]
    /// Standard headers that come back with the object (`cache-control`, `content-disposition` …), names in
    /// lower case.
    package var headers: [String: String]
    package var storageClass: StorageClass
    package var tags: TagSet
    /// Checksums of the content in base64; composite ones end in `-` and the number of parts.
    package var checksums: [ChecksumAlgorithm: String]
    package var checksumType: ChecksumType

    package init(
        contentType: String = defaultContentType,
        userMetadata: [String: String] = [:],
        headers: [String: String] = [:],
        storageClass: StorageClass = .standard,
        tags: TagSet = TagSet(),
        checksums: [ChecksumAlgorithm: String] = [:],
        checksumType: ChecksumType = .fullObject
    ) {
        self.contentType = contentType
        self.userMetadata = userMetadata
        self.headers = headers
        self.storageClass = storageClass
        self.tags = tags
        self.checksums = checksums
        self.checksumType = checksumType
    }
}
