/// A fact about a request that conditions and variables of policies can name (service authorization reference,
/// "Condition keys for Amazon S3"; IAM user guide, "AWS global condition context keys").
package enum PolicyKey: String, Sendable, Hashable, CaseIterable {
    case currentTime = "aws:CurrentTime"
    case epochTime = "aws:EpochTime"
    case principalType = "aws:PrincipalType"
    case referer = "aws:Referer"
    case secureTransport = "aws:SecureTransport"
    case sourceAddress = "aws:SourceIp"
    case userAgent = "aws:UserAgent"
    case userID = "aws:userid"
    case userName = "aws:username"
    case accessControl = "s3:x-amz-acl"
    case authenticationType = "s3:authType"
    case contentDigest = "s3:x-amz-content-sha256"
    case copySource = "s3:x-amz-copy-source"
    case delimiter = "s3:delimiter"
    case encryption = "s3:x-amz-server-side-encryption"
    case maximumKeys = "s3:max-keys"
    case metadataDirective = "s3:x-amz-metadata-directive"
    case prefix = "s3:prefix"
    case signatureVersion = "s3:signatureversion"
    case storageClass = "s3:x-amz-storage-class"
    case versionID = "s3:VersionId"

    /// The key of that name, in which case does not count.
    package init?(name: String) {
        let wanted = name.lowercased()
        guard let key = Self.allCases.first(where: { $0.rawValue.lowercased() == wanted }) else { return nil }
        self = key
    }
}
