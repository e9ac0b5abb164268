/// What a policy can allow or deny (service authorization reference, "Actions, resources, and condition keys for
/// Amazon S3").
///
/// All that policies of others name, also what Apus does not do: then the statement is without effect, as it
/// should be. Actions upon whole accounts are missing: policies of buckets cannot name them.
package enum S3Action: String, Sendable, Hashable, CaseIterable {
    case abortMultipartUpload = "AbortMultipartUpload"
    case bypassGovernanceRetention = "BypassGovernanceRetention"
    case createBucket = "CreateBucket"
    case deleteBucket = "DeleteBucket"
    case deleteBucketOwnershipControls = "DeleteBucketOwnershipControls"
    case deleteBucketPolicy = "DeleteBucketPolicy"
    case deleteBucketWebsite = "DeleteBucketWebsite"
    case deleteObject = "DeleteObject"
    case deleteObjectTagging = "DeleteObjectTagging"
    case deleteObjectVersion = "DeleteObjectVersion"
    case deleteObjectVersionTagging = "DeleteObjectVersionTagging"
    case getAccelerateConfiguration = "GetAccelerateConfiguration"
    case getAnalyticsConfiguration = "GetAnalyticsConfiguration"
    case getBucketAcl = "GetBucketAcl"
    case getBucketCORS = "GetBucketCORS"
    case getBucketLocation = "GetBucketLocation"
    case getBucketLogging = "GetBucketLogging"
    case getBucketNotification = "GetBucketNotification"
    case getBucketObjectLockConfiguration = "GetBucketObjectLockConfiguration"
    case getBucketOwnershipControls = "GetBucketOwnershipControls"
    case getBucketPolicy = "GetBucketPolicy"
    case getBucketPolicyStatus = "GetBucketPolicyStatus"
    case getBucketPublicAccessBlock = "GetBucketPublicAccessBlock"
    case getBucketRequestPayment = "GetBucketRequestPayment"
    case getBucketTagging = "GetBucketTagging"
    case getBucketVersioning = "GetBucketVersioning"
    case getBucketWebsite = "GetBucketWebsite"
    case getEncryptionConfiguration = "GetEncryptionConfiguration"
    case getIntelligentTieringConfiguration = "GetIntelligentTieringConfiguration"
    case getInventoryConfiguration = "GetInventoryConfiguration"
    case getLifecycleConfiguration = "GetLifecycleConfiguration"
    case getMetricsConfiguration = "GetMetricsConfiguration"
    case getObject = "GetObject"
    case getObjectAcl = "GetObjectAcl"
    case getObjectAttributes = "GetObjectAttributes"
    case getObjectLegalHold = "GetObjectLegalHold"
    case getObjectRetention = "GetObjectRetention"
    case getObjectTagging = "GetObjectTagging"
    case getObjectTorrent = "GetObjectTorrent"
    case getObjectVersion = "GetObjectVersion"
    case getObjectVersionAcl = "GetObjectVersionAcl"
    case getObjectVersionAttributes = "GetObjectVersionAttributes"
    case getObjectVersionForReplication = "GetObjectVersionForReplication"
    case getObjectVersionTagging = "GetObjectVersionTagging"
    case getObjectVersionTorrent = "GetObjectVersionTorrent"
    case getReplicationConfiguration = "GetReplicationConfiguration"
    case listAllMyBuckets = "ListAllMyBuckets"
    case listBucket = "ListBucket"
    case listBucketMultipartUploads = "ListBucketMultipartUploads"
    case listBucketVersions = "ListBucketVersions"
    case listMultipartUploadParts = "ListMultipartUploadParts"
    case objectOwnerOverrideToBucketOwner = "ObjectOwnerOverrideToBucketOwner"
    case putAccelerateConfiguration = "PutAccelerateConfiguration"
    case putAnalyticsConfiguration = "PutAnalyticsConfiguration"
    case putBucketAcl = "PutBucketAcl"
    case putBucketCORS = "PutBucketCORS"
    case putBucketLogging = "PutBucketLogging"
    case putBucketNotification = "PutBucketNotification"
    case putBucketObjectLockConfiguration = "PutBucketObjectLockConfiguration"
    case putBucketOwnershipControls = "PutBucketOwnershipControls"
    case putBucketPolicy = "PutBucketPolicy"
    case putBucketPublicAccessBlock = "PutBucketPublicAccessBlock"
    case putBucketRequestPayment = "PutBucketRequestPayment"
    case putBucketTagging = "PutBucketTagging"
    case putBucketVersioning = "PutBucketVersioning"
    case putBucketWebsite = "PutBucketWebsite"
    case putEncryptionConfiguration = "PutEncryptionConfiguration"
    case putIntelligentTieringConfiguration = "PutIntelligentTieringConfiguration"
    case putInventoryConfiguration = "PutInventoryConfiguration"
    case putLifecycleConfiguration = "PutLifecycleConfiguration"
    case putMetricsConfiguration = "PutMetricsConfiguration"
    case putObject = "PutObject"
    case putObjectAcl = "PutObjectAcl"
    case putObjectLegalHold = "PutObjectLegalHold"
    case putObjectRetention = "PutObjectRetention"
    case putObjectTagging = "PutObjectTagging"
    case putObjectVersionAcl = "PutObjectVersionAcl"
    case putObjectVersionTagging = "PutObjectVersionTagging"
    case putReplicationConfiguration = "PutReplicationConfiguration"
    case replicateDelete = "ReplicateDelete"
    case replicateObject = "ReplicateObject"
    case replicateTags = "ReplicateTags"
    case restoreObject = "RestoreObject"

    /// Whether it is done to an object, not to a bucket.
    package var isOfObject: Bool {
        switch self {
        case .abortMultipartUpload, .bypassGovernanceRetention, .deleteObject, .deleteObjectTagging,
            .deleteObjectVersion, .deleteObjectVersionTagging, .getObject, .getObjectAcl, .getObjectAttributes,
            .getObjectLegalHold, .getObjectRetention, .getObjectTagging, .getObjectTorrent, .getObjectVersion,
            .getObjectVersionAcl, .getObjectVersionAttributes, .getObjectVersionForReplication,
            .getObjectVersionTagging, .getObjectVersionTorrent, .listMultipartUploadParts,
            .objectOwnerOverrideToBucketOwner, .putObject, .putObjectAcl, .putObjectLegalHold, .putObjectRetention,
            .putObjectTagging, .putObjectVersionAcl, .putObjectVersionTagging, .replicateDelete, .replicateObject,
            .replicateTags, .restoreObject:
            true
        default: false
        }
    }

    /// Whether it is about the policy itself, from which no policy can keep the administrator.
    package var isOfPolicy: Bool {
        switch self {
        case .getBucketPolicy, .putBucketPolicy, .deleteBucketPolicy: true
        default: false
        }
    }

    /// Whether it changes the policy: then a policy cannot allow it to others.
    package var changesPolicy: Bool { self == .putBucketPolicy || self == .deleteBucketPolicy }

    /// The actions that a pattern such as `s3:Get*` names; case does not count.
    package static func matching(_ pattern: String) -> Set<S3Action> {
        if pattern == "*" { return Set(allCases) }
        let lowered = pattern.lowercased()
        guard lowered.utf8.starts(with: "s3:".utf8) else { return [] }
        let wanted = WildcardPattern(literalDollars: String(lowered.dropFirst(3)))
        return Set(allCases.filter { wanted.matches($0.rawValue.lowercased(), [:]) })
    }
}
