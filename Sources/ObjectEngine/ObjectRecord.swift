package import Model

/// An object as the index knows it at one moment; its content never changes, a new one gets a new record.
package struct ObjectRecord: Sendable, Hashable {
    package let bucket: BucketName
    package let key: ObjectKey
    package let size: ByteCount
    /// Without quotation marks: the MD5 of the content, or that of the parts' MD5s with `-` and their number.
    package let eTag: String
    package let lastModified: Instant
    package let attributes: ObjectAttributes
    /// Where its bytes are.
    package let content: ContentID
    /// How many parts a multipart upload made it from; `nil` for an object that came in one piece.
    package let partCount: Int?
    /// `nil` in a bucket that never kept versions.
    package let version: VersionID?
}

/// Who made a request, for the event that it causes.
package struct RequestOrigin: Sendable, Hashable {
    /// The access key, or the name of the cluster's own writer.
    package let principal: String
    /// Empty for the cluster's own writes.
    package let sourceAddress: String
    /// The `traceparent` of the request, or of the job that writes.
    package let trace: String?

    /// The cluster itself, with nobody behind it.
    package static let cluster = RequestOrigin(principal: "", sourceAddress: "", trace: nil)

    package init(
        principal: String,
        sourceAddress: String,
        trace: String? = TraceContext.current?.traceparent
    ) {
        self.principal = principal
        self.sourceAddress = sourceAddress
        self.trace = trace
    }
}

/// What must hold for a write or a deletion to happen; judged in its transaction.
package enum WriteCondition: Sendable, Hashable {
    case none
    /// No object has the key (`If-None-Match: *`).
    case ifAbsent
    /// The key's object has one of these ETags, without quotation marks; `*` stands for any (`If-Match`).
    case ifMatches([String])
    /// It is still the one that the caller looked up, by its content; `nil` for a delete marker.
    case ifUnchanged(ContentID?)
}
