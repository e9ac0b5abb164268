/// The storage classes of S3 (S3 API reference, `PutObject`, `x-amz-storage-class`).
///
/// A label that comes back with the object: here all objects are stored alike and can be read at once.
package enum StorageClass: String, Sendable, Hashable, CaseIterable {
    case standard = "STANDARD"
    case reducedRedundancy = "REDUCED_REDUNDANCY"
    case standardInfrequentAccess = "STANDARD_IA"
    case oneZoneInfrequentAccess = "ONEZONE_IA"
    case intelligentTiering = "INTELLIGENT_TIERING"
    case glacier = "GLACIER"
    case glacierInstantRetrieval = "GLACIER_IR"
    case deepArchive = "DEEP_ARCHIVE"
    case outposts = "OUTPOSTS"
    case snow = "SNOW"
    case expressOneZone = "EXPRESS_ONEZONE"

    /// - Throws: `S3Error` with `invalidStorageClass`.
    package init(parsing text: String) throws(S3Error) {
        guard let known = StorageClass(rawValue: text) else { throw S3Error(.invalidStorageClass) }
        self = known
    }
}
