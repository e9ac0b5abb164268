import S3Wire

extension S3Operation {
    /// What is asked of a bucket beside its objects and who may do what: documents that say how it is to behave.
    enum OfConfiguration: String, CaseIterable {
        case getTagging = "GetBucketTagging"
        case putTagging = "PutBucketTagging"
        case deleteTagging = "DeleteBucketTagging"
        case getNotification = "GetBucketNotificationConfiguration"
        case putNotification = "PutBucketNotificationConfiguration"
        case getLifecycle = "GetBucketLifecycleConfiguration"
        case putLifecycle = "PutBucketLifecycleConfiguration"
        case deleteLifecycle = "DeleteBucketLifecycle"
        case getEncryption = "GetBucketEncryption"
        case putEncryption = "PutBucketEncryption"
        case deleteEncryption = "DeleteBucketEncryption"
        case getAcceleration = "GetBucketAccelerateConfiguration"
        case putAcceleration = "PutBucketAccelerateConfiguration"
        case getRequestPayment = "GetBucketRequestPayment"
        case putRequestPayment = "PutBucketRequestPayment"
        case getLogging = "GetBucketLogging"
        case putLogging = "PutBucketLogging"
        case getWebsite = "GetBucketWebsite"
        case putWebsite = "PutBucketWebsite"
        case deleteWebsite = "DeleteBucketWebsite"
        case getObjectLock = "GetObjectLockConfiguration"
        case putObjectLock = "PutObjectLockConfiguration"
        case getReplication = "GetBucketReplication"
        case putReplication = "PutBucketReplication"
        case deleteReplication = "DeleteBucketReplication"

        /// The method, and the sub-resource that makes the operation of it.
        private var form: (method: String, subresource: String) {
            switch self {
            case .getTagging: ("GET", "tagging")
            case .putTagging: ("PUT", "tagging")
            case .deleteTagging: ("DELETE", "tagging")
            case .getNotification: ("GET", "notification")
            case .putNotification: ("PUT", "notification")
            case .getLifecycle: ("GET", "lifecycle")
            case .putLifecycle: ("PUT", "lifecycle")
            case .deleteLifecycle: ("DELETE", "lifecycle")
            case .getEncryption: ("GET", "encryption")
            case .putEncryption: ("PUT", "encryption")
            case .deleteEncryption: ("DELETE", "encryption")
            case .getAcceleration: ("GET", "accelerate")
            case .putAcceleration: ("PUT", "accelerate")
            case .getRequestPayment: ("GET", "requestPayment")
            case .putRequestPayment: ("PUT", "requestPayment")
            case .getLogging: ("GET", "logging")
            case .putLogging: ("PUT", "logging")
            case .getWebsite: ("GET", "website")
            case .putWebsite: ("PUT", "website")
            case .deleteWebsite: ("DELETE", "website")
            case .getObjectLock: ("GET", "object-lock")
            case .putObjectLock: ("PUT", "object-lock")
            case .getReplication: ("GET", "replication")
            case .putReplication: ("PUT", "replication")
            case .deleteReplication: ("DELETE", "replication")
            }
        }

        private static let bySubresource: [String: [String: OfConfiguration]] = {
            var table: [String: [String: OfConfiguration]] = [:]
            for operation in allCases {
                table[operation.form.subresource, default: [:]][operation.form.method] = operation
            }
            return table
        }()

        /// The operation and its sub-resource; `nil` where the request is for something else.
        static func find(_ request: ReceivedRequest) -> (operation: OfConfiguration, subresource: String)? {
            for item in request.query.items {
                guard let operation = bySubresource[item.name]?[request.method] else { continue }
                return (operation, item.name)
            }
            return nil
        }
    }
}
