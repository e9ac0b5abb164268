package import Model

extension S3Action {
    /// What it is in the one table of who may do what; `nil` for what only policies can give, and for what is done to no
    /// bucket in particular.
    package var inTable: Action.OfBucket? {
        switch self {
        case .listBucket, .listBucketVersions, .listBucketMultipartUploads, .getBucketLocation, .getBucketVersioning:
            .list
        case .getObject, .getObjectVersion, .getObjectAttributes, .getObjectVersionAttributes, .getObjectTagging,
            .getObjectVersionTagging:
            .readObject
        case .putObject, .abortMultipartUpload, .listMultipartUploadParts, .putObjectTagging, .deleteObjectTagging:
            .writeObject
        case .deleteObject: .deleteObject
        case .deleteObjectVersion: .deleteVersion
        case .deleteBucket: .delete
        case .createBucket, .listAllMyBuckets, .bypassGovernanceRetention, .objectOwnerOverrideToBucketOwner,
            .replicateDelete, .replicateObject, .replicateTags:
            nil
        default: isReading ? .readSettings : .changeSettings
        }
    }

    /// Whether it changes nothing.
    private var isReading: Bool { rawValue.hasPrefix("Get") }
}

extension AccessRules {
    /// Reads the documents that a bucket has.
    ///
    /// - Throws: `S3Error` with `internalError` where one cannot be read: then nobody is let in by mistake.
    package init(
        of bucket: BucketName,
        sharing: Sharing,
        policy: String?,
        publicAccessBlock: String?,
        ownership: String?,
        accessControl: String?
    ) throws(S3Error) {
        func read<T>(_ text: String?, _ parse: ([UInt8]) throws(S3Error) -> T) throws(S3Error) -> T? {
            guard let text else { return nil }
            do throws(S3Error) { return try parse(Array(text.utf8)) } catch {
                throw S3Error(.internalError, cause: error)
            }
        }
        self.init()
        self.sharing = sharing
        self.policy = try read(policy) { (bytes) throws(S3Error) in
            try BucketPolicy(parsing: bytes, bucket: bucket.text)
        }
        publicAccess = try read(publicAccessBlock, PublicAccessBlock.init(parsing:)) ?? PublicAccessBlock()
        self.ownership = try read(ownership, ObjectOwnership.init(parsing:))
        self.accessControl = accessControl.flatMap(CannedAccessControl.init(rawValue:)) ?? .private
    }
}
