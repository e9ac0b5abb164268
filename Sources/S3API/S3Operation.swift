import HTTPTypes
import Model
import S3Wire

/// What a request asks for, and of what.
enum S3Operation: Sendable, Hashable {
    enum OfService: String { case listBuckets = "ListBuckets" }

    enum OfBucket: String {
        case create = "CreateBucket"
        case head = "HeadBucket"
        case delete = "DeleteBucket"
        case getLocation = "GetBucketLocation"
        case getVersioning = "GetBucketVersioning"
        case putVersioning = "PutBucketVersioning"
        case listVersions = "ListObjectVersions"
        case listObjects = "ListObjects"
        case listObjectsV2 = "ListObjectsV2"
        case listUploads = "ListMultipartUploads"
        case deleteObjects = "DeleteObjects"
        case getPolicy = "GetBucketPolicy"
        case putPolicy = "PutBucketPolicy"
        case deletePolicy = "DeleteBucketPolicy"
        case getPolicyStatus = "GetBucketPolicyStatus"
        case getPublicAccessBlock = "GetPublicAccessBlock"
        case putPublicAccessBlock = "PutPublicAccessBlock"
        case deletePublicAccessBlock = "DeletePublicAccessBlock"
        case getOwnership = "GetBucketOwnershipControls"
        case putOwnership = "PutBucketOwnershipControls"
        case deleteOwnership = "DeleteBucketOwnershipControls"
        case getAccessControl = "GetBucketAcl"
        case putAccessControl = "PutBucketAcl"
        case getCORS = "GetBucketCors"
        case putCORS = "PutBucketCors"
        case deleteCORS = "DeleteBucketCors"
        case postObject = "PostObject"
    }

    enum OfObject: String {
        case get = "GetObject"
        case head = "HeadObject"
        case put = "PutObject"
        case copy = "CopyObject"
        case delete = "DeleteObject"
        case getAttributes = "GetObjectAttributes"
        case getTagging = "GetObjectTagging"
        case putTagging = "PutObjectTagging"
        case deleteTagging = "DeleteObjectTagging"
        case createUpload = "CreateMultipartUpload"
        case putPart = "UploadPart"
        case copyPart = "UploadPartCopy"
        case listParts = "ListParts"
        case completeUpload = "CompleteMultipartUpload"
        case abortUpload = "AbortMultipartUpload"
        case getAccessControl = "GetObjectAcl"
        case putAccessControl = "PutObjectAcl"
    }

    case service(OfService)
    case bucket(OfBucket, BucketName)
    case configuration(OfConfiguration, BucketName)
    case object(OfObject, BucketName, ObjectKey)

    /// S3's name of the operation.
    var name: String {
        switch self {
        case .service(let operation): operation.rawValue
        case .bucket(let operation, _): operation.rawValue
        case .configuration(let operation, _): operation.rawValue
        case .object(let operation, _, _): operation.rawValue
        }
    }

    /// - Throws: `S3Error` with `notImplemented` and `methodNotAllowed` for what Apus does not do, `invalidURI`,
    ///   `invalidBucketName`, `keyTooLong`, `invalidArgument` for names that cannot be.
    init(of request: ReceivedRequest) throws(S3Error) {
        switch try S3Path(of: request) {
        case .service:
            guard request.method == "GET" else { throw S3Error(.methodNotAllowed) }
            try Subresources.check(request.query)
            self = .service(.listBuckets)
        case .bucket(let name):
            if let (operation, subresource) = OfConfiguration.find(request) {
                try Subresources.check(request.query, allowing: subresource)
                self = .configuration(operation, try Self.bucket(name))
                return
            }
            self = .bucket(try Self.ofBucket(request), try Self.bucket(name))
        case .object(let bucket, let key):
            self = .object(try Self.ofObject(request), try Self.bucket(bucket), try Self.key(key))
        }
    }

    /// - Throws: `S3Error` with `invalidBucketName`.
    static func bucket(_ text: String) throws(S3Error) -> BucketName {
        do throws(NameError) {
            return try BucketName(text)
        } catch {
            throw S3Error(.invalidBucketName, details: [("BucketName", text)], cause: error)
        }
    }

    /// - Throws: `S3Error` with `keyTooLong`, `invalidArgument`.
    static func key(_ text: String) throws(S3Error) -> ObjectKey {
        do throws(NameError) {
            return try ObjectKey(text)
        } catch {
            throw text.utf8.count > ObjectKey.maximumLength
                ? S3Error(
                    .keyTooLong,
                    details: [
                        ("Size", String(text.utf8.count)), ("MaxSizeAllowed", String(ObjectKey.maximumLength)),
                    ],
                    cause: error
                ) : S3Error(.invalidArgument, error.message, cause: error)
        }
    }

    private static func ofBucket(_ request: ReceivedRequest) throws(S3Error) -> OfBucket {
        let query = request.query
        if let (operation, subresource) = accessOperation(request) {
            try Subresources.check(query, allowing: subresource)
            return operation
        }
        let (operation, subresource): (OfBucket, String?) =
            switch request.method {
            case "GET" where query.contains("location"): (.getLocation, "location")
            case "GET" where query.contains("versioning"): (.getVersioning, "versioning")
            case "GET" where query.contains("versions"): (.listVersions, "versions")
            case "GET" where query.contains("uploads"): (.listUploads, "uploads")
            case "GET" where query["list-type"] == "2": (.listObjectsV2, nil)
            case "GET": (.listObjects, nil)
            case "PUT" where query.contains("versioning"): (.putVersioning, "versioning")
            case "PUT": (.create, nil)
            case "HEAD": (.head, nil)
            case "DELETE": (.delete, nil)
            case "POST" where query.contains("delete"): (.deleteObjects, "delete")
            case "POST": (.postObject, nil)
            default: throw S3Error(.methodNotAllowed)
            }
        try Subresources.check(query, allowing: subresource)
        if operation == .listObjects, let version = query["list-type"] {
            throw S3Error(.invalidArgument, "The list-type \"\(version)\" is not known; use 2.")
        }
        return operation
    }

    private static func ofObject(_ request: ReceivedRequest) throws(S3Error) -> OfObject {
        let query = request.query
        let (operation, subresource): (OfObject, String?) =
            switch request.method {
            case "GET" where query.contains("uploadId"): (.listParts, "uploadId")
            case "GET" where query.contains("tagging"): (.getTagging, "tagging")
            case "GET" where query.contains("attributes"): (.getAttributes, "attributes")
            case "GET" where query.contains("acl"): (.getAccessControl, "acl")
            case "GET": (.get, "partNumber")
            case "HEAD": (.head, "partNumber")
            case "PUT" where query.contains("uploadId"): (isCopy(request) ? .copyPart : .putPart, "uploadId")
            case "PUT" where query.contains("tagging"): (.putTagging, "tagging")
            case "PUT" where query.contains("acl"): (.putAccessControl, "acl")
            case "PUT": (isCopy(request) ? .copy : .put, nil)
            case "POST" where query.contains("uploads"): (.createUpload, "uploads")
            case "POST" where query.contains("uploadId"): (.completeUpload, "uploadId")
            case "POST": throw S3Error(.notImplemented)
            case "DELETE" where query.contains("uploadId"): (.abortUpload, "uploadId")
            case "DELETE" where query.contains("tagging"): (.deleteTagging, "tagging")
            case "DELETE": (.delete, nil)
            default: throw S3Error(.methodNotAllowed)
            }
        try Subresources.check(query, allowing: subresource, and: operation.furtherSubresource)
        return operation
    }

    private static func isCopy(_ request: ReceivedRequest) -> Bool { request.header("x-amz-copy-source") != nil }
}

extension S3Operation.OfObject {
    /// What may stand beside the sub-resource that makes the operation.
    fileprivate var furtherSubresource: String? {
        switch self {
        case .get, .head, .delete, .getAttributes, .getTagging, .putTagging, .deleteTagging, .getAccessControl,
            .putAccessControl:
            "versionId"
        case .putPart, .copyPart: "partNumber"
        case .put, .copy, .createUpload, .listParts, .completeUpload, .abortUpload: nil
        }
    }
}

/// The parameters that make another operation of a request: never ignored, or a client would believe in an effect
/// that there was not.
private enum Subresources {
    private static let known: Set<String> = [
        "accelerate", "acl", "analytics", "append", "attributes", "cors", "delete", "encryption", "events",
        "intelligent-tiering", "inventory", "legal-hold", "lifecycle", "location", "logging", "metadataTable",
        "metrics",
        "notification", "object-lock", "ownershipControls", "partNumber", "policy", "policyStatus", "publicAccessBlock",
        "renameObject", "replication", "requestPayment", "restore", "retention", "select", "session", "tagging",
        "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website",
    ]
    /// What may be given without a value and is no sub-resource.
    private static let parameters: Set<String> = [
        "continuation-token", "delimiter", "encoding-type", "fetch-owner", "key-marker", "list-type", "marker",
        "max-keys",
        "max-buckets", "max-parts", "max-uploads", "part-number-marker", "prefix", "start-after", "upload-id-marker",
        "version-id-marker",
    ]

    static func check(
        _ query: QueryItems,
        allowing allowed: String? = nil,
        and further: String? = nil
    ) throws(S3Error) {
        for item in query.items where item.name != allowed && item.name != further {
            let name = item.name.lowercased()
            let isHarmless =
                parameters.contains(name) || name.hasPrefix("x-amz-") || name.hasPrefix("response-") || name == "x-id"
            guard !isHarmless, known.contains(item.name) || item.value.isEmpty else { continue }
            throw S3Error(.notImplemented, "The sub-resource \"\(item.name)\" is not implemented.")
        }
    }
}
