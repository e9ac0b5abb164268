import Model
import ObjectEngine
import S3Wire

extension S3Operation {
    /// The operations upon what says who may do what in a bucket, by method and sub-resource.
    private static let accessOperations: [(method: String, subresource: String, operation: OfBucket)] = [
        ("GET", "policy", .getPolicy), ("PUT", "policy", .putPolicy), ("DELETE", "policy", .deletePolicy),
        ("GET", "policyStatus", .getPolicyStatus),
        ("GET", "publicAccessBlock", .getPublicAccessBlock), ("PUT", "publicAccessBlock", .putPublicAccessBlock),
        ("DELETE", "publicAccessBlock", .deletePublicAccessBlock),
        ("GET", "ownershipControls", .getOwnership), ("PUT", "ownershipControls", .putOwnership),
        ("DELETE", "ownershipControls", .deleteOwnership),
        ("GET", "acl", .getAccessControl), ("PUT", "acl", .putAccessControl),
        ("GET", "cors", .getCORS), ("PUT", "cors", .putCORS), ("DELETE", "cors", .deleteCORS),
    ]

    static func accessOperation(_ request: ReceivedRequest) -> (OfBucket, String)? {
        guard !request.query.items.isEmpty else { return nil }
        return accessOperations.first { $0.method == request.method && request.query.contains($0.subresource) }
            .map { ($0.operation, $0.subresource) }
    }

    /// The bucket that it is about; `nil` for the whole store.
    var bucket: BucketName? {
        switch self {
        case .service: nil
        case .bucket(_, let bucket), .configuration(_, let bucket), .object(_, let bucket, _): bucket
        }
    }

    /// Whether it reads another object than the one that it is about.
    var hasSource: Bool {
        switch self {
        case .object(.copy, _, _), .object(.copyPart, _, _): true
        default: false
        }
    }
}

/// What somebody must be allowed to do for an operation to happen.
struct AccessNeed: Sendable, Hashable {
    let action: S3Action
    /// `nil` for the whole store.
    let bucket: BucketName?
    /// `nil` for what is done to the bucket.
    let key: ObjectKey?
    /// `nil` for the latest.
    let version: VersionID?

    init(_ action: S3Action, _ bucket: BucketName?, _ key: ObjectKey? = nil, version: VersionID? = nil) {
        (self.action, self.bucket, self.key, self.version) = (action, bucket, key, version)
    }
}

/// All that an operation needs (S3 user guide, "Required permissions for Amazon S3 API operations").
///
/// Without a `default`, so that a new operation cannot be forgotten.
extension S3Operation {
    /// - Throws: `S3Error` as `CopySource`.
    func needs(_ request: ReceivedRequest) throws(S3Error) -> [AccessNeed] {
        switch self {
        case .service(.listBuckets): return [AccessNeed(.listAllMyBuckets, nil)]
        case .bucket(let operation, let bucket):
            var needs = operation.action.map { [AccessNeed($0, bucket)] } ?? []
            if operation == .create, Self.setsAccessControl(request) { needs.append(AccessNeed(.putBucketAcl, bucket)) }
            return needs
        case .configuration(let operation, let bucket): return [AccessNeed(operation.action, bucket)]
        case .object(let operation, let bucket, let key):
            let version = try request.version()
            var needs = operation.actions(ofVersion: version != nil).map {
                AccessNeed($0, bucket, key, version: version)
            }
            switch operation {
            case .put, .copy, .createUpload: needs += Self.furtherNeeds(request, bucket, key)
            default: break
            }
            if hasSource {
                let source = try CopySource(of: request)
                let action: S3Action = source.version == nil ? .getObject : .getObjectVersion
                needs.append(AccessNeed(action, source.bucket, source.key, version: source.version))
            }
            return needs
        }
    }

    /// What a write needs for what it says in its headers about its object.
    static func furtherNeeds(_ request: ReceivedRequest, _ bucket: BucketName, _ key: ObjectKey) -> [AccessNeed] {
        var needs: [AccessNeed] = []
        if setsAccessControl(request) { needs.append(AccessNeed(.putObjectAcl, bucket, key)) }
        if request.header("x-amz-tagging").map({ !$0.isEmpty }) ?? false {
            needs.append(AccessNeed(.putObjectTagging, bucket, key))
        }
        return needs
    }

    private static func setsAccessControl(_ request: ReceivedRequest) -> Bool {
        request.headers.contains { $0.name == "x-amz-acl" || $0.name.hasPrefix("x-amz-grant-") }
    }
}

extension S3Operation.OfBucket {
    /// The action that it is; `nil` for those that are judged when their bodies have said what they want.
    var action: S3Action? {
        switch self {
        case .create: .createBucket
        case .head, .listObjects, .listObjectsV2: .listBucket
        case .delete: .deleteBucket
        case .getLocation: .getBucketLocation
        case .getVersioning: .getBucketVersioning
        case .putVersioning: .putBucketVersioning
        case .listVersions: .listBucketVersions
        case .listUploads: .listBucketMultipartUploads
        case .deleteObjects, .postObject: nil
        case .getPolicy: .getBucketPolicy
        case .putPolicy: .putBucketPolicy
        case .deletePolicy: .deleteBucketPolicy
        case .getPolicyStatus: .getBucketPolicyStatus
        case .getPublicAccessBlock: .getBucketPublicAccessBlock
        case .putPublicAccessBlock, .deletePublicAccessBlock: .putBucketPublicAccessBlock
        case .getOwnership: .getBucketOwnershipControls
        case .putOwnership, .deleteOwnership: .putBucketOwnershipControls
        case .getAccessControl: .getBucketAcl
        case .putAccessControl: .putBucketAcl
        case .getCORS: .getBucketCORS
        case .putCORS, .deleteCORS: .putBucketCORS
        }
    }
}

extension S3Operation.OfConfiguration {
    var action: S3Action {
        switch self {
        case .getTagging: .getBucketTagging
        case .putTagging, .deleteTagging: .putBucketTagging
        case .getNotification: .getBucketNotification
        case .putNotification: .putBucketNotification
        case .getLifecycle: .getLifecycleConfiguration
        case .putLifecycle, .deleteLifecycle: .putLifecycleConfiguration
        case .getEncryption: .getEncryptionConfiguration
        case .putEncryption, .deleteEncryption: .putEncryptionConfiguration
        case .getAcceleration: .getAccelerateConfiguration
        case .putAcceleration: .putAccelerateConfiguration
        case .getRequestPayment: .getBucketRequestPayment
        case .putRequestPayment: .putBucketRequestPayment
        case .getLogging: .getBucketLogging
        case .putLogging: .putBucketLogging
        case .getWebsite: .getBucketWebsite
        case .putWebsite: .putBucketWebsite
        case .deleteWebsite: .deleteBucketWebsite
        case .getObjectLock: .getBucketObjectLockConfiguration
        case .putObjectLock: .putBucketObjectLockConfiguration
        case .getReplication: .getReplicationConfiguration
        case .putReplication, .deleteReplication: .putReplicationConfiguration
        }
    }
}

extension S3Operation.OfObject {
    func actions(ofVersion: Bool) -> [S3Action] {
        switch self {
        case .get, .head: [ofVersion ? .getObjectVersion : .getObject]
        case .put, .copy, .createUpload, .putPart, .copyPart, .completeUpload: [.putObject]
        case .delete: [ofVersion ? .deleteObjectVersion : .deleteObject]
        case .getTagging: [ofVersion ? .getObjectVersionTagging : .getObjectTagging]
        case .putTagging: [ofVersion ? .putObjectVersionTagging : .putObjectTagging]
        case .deleteTagging: [ofVersion ? .deleteObjectVersionTagging : .deleteObjectTagging]
        case .getAttributes:
            ofVersion ? [.getObjectVersion, .getObjectVersionAttributes] : [.getObject, .getObjectAttributes]
        case .listParts: [.listMultipartUploadParts]
        case .abortUpload: [.abortMultipartUpload]
        case .getAccessControl: [ofVersion ? .getObjectVersionAcl : .getObjectAcl]
        case .putAccessControl: [ofVersion ? .putObjectVersionAcl : .putObjectAcl]
        }
    }
}
