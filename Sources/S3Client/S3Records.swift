package import Model

/// What a store says of one object.
package struct S3Object: Sendable, Hashable {
    package var key: String
    package var size: Model.ByteCount
    /// Without quotation marks; empty where the store gave none.
    package var eTag: String
    package var lastModified: Instant?
    /// Empty in listings, which do not carry it.
    package var contentType: String

    package init(
        key: String,
        size: Model.ByteCount,
        eTag: String = "",
        lastModified: Instant? = nil,
        contentType: String = ""
    ) {
        (self.key, self.size, self.eTag) = (key, size, eTag)
        (self.lastModified, self.contentType) = (lastModified, contentType)
    }
}

/// One page of a listing.
package struct S3Page: Sendable, Hashable {
    package var objects: [S3Object] = []
    /// The "folders" at this level, each with the delimiter at its end; empty without a delimiter.
    package var commonPrefixes: [String] = []
    /// What to pass for the next page; `nil` on the last one.
    package var continuation: String?

    package init() {}
}

/// One bucket of `listBuckets`.
package struct S3Bucket: Sendable, Hashable {
    package var name: String
    package var created: Instant?

    package init(name: String, created: Instant?) { (self.name, self.created) = (name, created) }
}

/// Called with the number of bytes moved since the last call, from any thread.
package typealias S3Progress = @Sendable (_ bytes: Int64) -> Void
