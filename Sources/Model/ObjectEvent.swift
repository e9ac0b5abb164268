/// A storage's word that an object was created or removed, with all that the event's JSON form says.
package struct ObjectEvent: Sendable, Hashable {
    /// What happened to the object, in S3's names of events.
    package enum Cause: String, Sendable, Hashable {
        case put = "s3:ObjectCreated:Put"
        case post = "s3:ObjectCreated:Post"
        case copy = "s3:ObjectCreated:Copy"
        case multipart = "s3:ObjectCreated:CompleteMultipartUpload"
        case deletion = "s3:ObjectRemoved:Delete"
        case deletionMarker = "s3:ObjectRemoved:DeleteMarkerCreated"
        case expiry = "s3:LifecycleExpiration:Delete"
        case expiryMarker = "s3:LifecycleExpiration:DeleteMarkerCreated"

        /// What the names of events begin with after which there is an object; inputs of services are triggered by
        /// these alone.
        package static let creationGroup = "s3:ObjectCreated:"

        package var isCreation: Bool { rawValue.hasPrefix(Self.creationGroup) }
    }

    /// Place in the store's sequence of events; grows by at least one with each event, never used twice.
    package var sequence: Int64
    package var cause: Cause
    package var bucket: BucketName
    package var key: ObjectKey
    package var size: ByteCount
    /// Without quotation marks.
    package var eTag: String
    package var contentType: String
    package var userMetadata: [String: String]
    package var time: Instant
    /// The access key that made the request.
    package var principal: String
    /// The address that the request came from; empty for the cluster's own writes.
    package var sourceAddress: String
    /// The `traceparent` of the request, where it had one.
    package var trace: String?

    package init(
        sequence: Int64,
        cause: Cause,
        bucket: BucketName,
        key: ObjectKey,
        size: ByteCount,
        eTag: String,
        contentType: String,
        userMetadata: [String: String],
        time: Instant,
        principal: String,
        sourceAddress: String
    ) {
        self.sequence = sequence
        self.cause = cause
        self.bucket = bucket
        self.key = key
        self.size = size
        self.eTag = eTag
        self.contentType = contentType
        self.userMetadata = userMetadata
        self.time = time
        self.principal = principal
        self.sourceAddress = sourceAddress
    }
}
