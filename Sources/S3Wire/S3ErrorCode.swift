/// The error codes of S3 that Apus answers with (S3 API reference, "List of error codes").
package enum S3ErrorCode: String, Sendable, Hashable, CaseIterable {
    case accessControlListNotSupported = "AccessControlListNotSupported"
    case accessDenied = "AccessDenied"
    case accessForbidden = "AccessForbidden"
    case authorizationHeaderMalformed = "AuthorizationHeaderMalformed"
    case authorizationQueryParametersError = "AuthorizationQueryParametersError"
    case badDigest = "BadDigest"
    case badRequest = "BadRequest"
    case bucketAlreadyExists = "BucketAlreadyExists"
    case bucketAlreadyOwnedByYou = "BucketAlreadyOwnedByYou"
    case bucketNotEmpty = "BucketNotEmpty"
    case contentSHA256Mismatch = "XAmzContentSHA256Mismatch"
    case entityTooLarge = "EntityTooLarge"
    case entityTooSmall = "EntityTooSmall"
    case illegalVersioningConfiguration = "IllegalVersioningConfigurationException"
    case incompleteBody = "IncompleteBody"
    case incorrectNumberOfFilesInPostRequest = "IncorrectNumberOfFilesInPostRequest"
    case internalError = "InternalError"
    case invalidAccessKeyId = "InvalidAccessKeyId"
    case invalidBucketAclWithObjectOwnership = "InvalidBucketAclWithObjectOwnership"
    case invalidArgument = "InvalidArgument"
    case invalidBucketName = "InvalidBucketName"
    case invalidDigest = "InvalidDigest"
    case invalidLocationConstraint = "InvalidLocationConstraint"
    case invalidPart = "InvalidPart"
    case invalidPartNumber = "InvalidPartNumber"
    case invalidPartOrder = "InvalidPartOrder"
    case invalidPolicyDocument = "InvalidPolicyDocument"
    case invalidRange = "InvalidRange"
    case invalidRedirectLocation = "InvalidRedirectLocation"
    case invalidRequest = "InvalidRequest"
    case invalidStorageClass = "InvalidStorageClass"
    case invalidTag = "InvalidTag"
    case invalidURI = "InvalidURI"
    case keyTooLong = "KeyTooLongError"
    case malformedACL = "MalformedACLError"
    case malformedPolicy = "MalformedPolicy"
    case malformedPOSTRequest = "MalformedPOSTRequest"
    case malformedXML = "MalformedXML"
    case maximumPostPreDataLengthExceeded = "MaxPostPreDataLengthExceededError"
    case metadataTooLarge = "MetadataTooLarge"
    case methodNotAllowed = "MethodNotAllowed"
    case missingContentLength = "MissingContentLength"
    case missingRequestBody = "MissingRequestBodyError"
    case noSuchBucket = "NoSuchBucket"
    case noSuchBucketPolicy = "NoSuchBucketPolicy"
    case noSuchCORSConfiguration = "NoSuchCORSConfiguration"
    case noSuchKey = "NoSuchKey"
    case noSuchPublicAccessBlockConfiguration = "NoSuchPublicAccessBlockConfiguration"
    case noSuchUpload = "NoSuchUpload"
    case noSuchVersion = "NoSuchVersion"
    case notImplemented = "NotImplemented"
    case ownershipControlsNotFound = "OwnershipControlsNotFoundError"
    case preconditionFailed = "PreconditionFailed"
    /// As Ceph's object gateway says it; S3 itself has no quotas of bytes.
    case quotaExceeded = "QuotaExceeded"
    case requestTimeTooSkewed = "RequestTimeTooSkewed"
    case noSuchLifecycleConfiguration = "NoSuchLifecycleConfiguration"
    case noSuchTagSet = "NoSuchTagSet"
    case noSuchWebsiteConfiguration = "NoSuchWebsiteConfiguration"
    case objectLockNotConfigured = "ObjectLockConfigurationNotFoundError"
    case replicationNotConfigured = "ReplicationConfigurationNotFoundError"
    case encryptionNotConfigured = "ServerSideEncryptionConfigurationNotFoundError"
    case serviceUnavailable = "ServiceUnavailable"
    case signatureDoesNotMatch = "SignatureDoesNotMatch"
    case slowDown = "SlowDown"
    case storageFull = "XMinioStorageFull"
    case tooManyBuckets = "TooManyBuckets"
    case unexpectedContent = "UnexpectedContent"
    case userKeyMustBeSpecified = "UserKeyMustBeSpecified"

    /// The HTTP status that goes with the code.
    package var status: Int {
        switch self {
        case .authorizationHeaderMalformed, .authorizationQueryParametersError, .badDigest, .contentSHA256Mismatch,
            .entityTooLarge, .entityTooSmall, .incompleteBody, .invalidArgument, .invalidBucketName, .invalidDigest,
            .invalidPart, .invalidPartOrder, .invalidRequest, .invalidURI, .keyTooLong, .malformedXML,
            .metadataTooLarge, .missingRequestBody, .accessControlListNotSupported, .badRequest,
            .illegalVersioningConfiguration, .incorrectNumberOfFilesInPostRequest, .invalidLocationConstraint,
            .invalidPolicyDocument, .invalidRedirectLocation, .invalidStorageClass, .invalidTag, .malformedACL,
            .malformedPolicy, .malformedPOSTRequest, .maximumPostPreDataLengthExceeded, .userKeyMustBeSpecified,
            .invalidBucketAclWithObjectOwnership, .tooManyBuckets, .unexpectedContent:
            400
        case .accessDenied, .accessForbidden, .invalidAccessKeyId, .quotaExceeded, .requestTimeTooSkewed,
            .signatureDoesNotMatch:
            403
        case .noSuchBucket, .noSuchKey, .noSuchUpload, .noSuchVersion, .noSuchBucketPolicy, .noSuchCORSConfiguration,
            .noSuchPublicAccessBlockConfiguration, .ownershipControlsNotFound, .encryptionNotConfigured,
            .noSuchLifecycleConfiguration, .noSuchTagSet, .noSuchWebsiteConfiguration, .objectLockNotConfigured,
            .replicationNotConfigured:
            404
        case .methodNotAllowed: 405
        case .bucketAlreadyExists, .bucketAlreadyOwnedByYou, .bucketNotEmpty: 409
        case .missingContentLength: 411
        case .preconditionFailed: 412
        case .invalidPartNumber, .invalidRange: 416
        case .internalError: 500
        case .notImplemented: 501
        case .serviceUnavailable, .slowDown: 503
        case .storageFull: 507
        }
    }

    /// What S3 says where there is nothing more exact to say.
    package var defaultMessage: String {
        switch self {
        case .accessDenied: "Access Denied."
        case .accessControlListNotSupported: "The bucket does not allow ACLs"
        case .accessForbidden:
            "CORSResponse: This CORS request is not allowed. This is usually because the "
                + "evaluation of Origin, request method / Access-Control-Request-Method or "
                + "Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
        case .badRequest: "Insufficient information."
        case .incorrectNumberOfFilesInPostRequest: "POST requires exactly one file upload per request."
        case .invalidPolicyDocument:
            "The content of the form does not meet the conditions specified in the policy "
                + "document."
        case .malformedACL:
            "The XML that you provided was not well formed or did not validate against our "
                + "published schema."
        case .malformedPolicy: "This policy contains invalid JSON"
        case .malformedPOSTRequest: "The body of your POST request is not well-formed multipart/form-data."
        case .maximumPostPreDataLengthExceeded: "Your POST request fields preceding the upload file were too large."
        case .noSuchBucketPolicy: "The bucket policy does not exist"
        case .noSuchCORSConfiguration: "The CORS configuration does not exist"
        case .noSuchPublicAccessBlockConfiguration: "The public access block configuration was not found"
        case .ownershipControlsNotFound: "The bucket ownership controls were not found"
        case .userKeyMustBeSpecified:
            "The bucket POST must contain the specified field name. If it is specified, check the "
                + "order of the fields."
        case .authorizationHeaderMalformed: "The authorization header that you provided is not valid."
        case .authorizationQueryParametersError: "The authorization parameters in the query are not valid."
        case .badDigest: "The checksum you specified did not match what we received."
        case .bucketAlreadyExists: "The requested bucket name is not available. Select a different name and try again."
        case .bucketAlreadyOwnedByYou: "The bucket that you tried to create already exists, and you own it."
        case .bucketNotEmpty: "The bucket that you tried to delete is not empty."
        case .contentSHA256Mismatch: "The provided 'x-amz-content-sha256' header does not match what was computed."
        case .encryptionNotConfigured: "The server side encryption configuration was not found."
        case .entityTooLarge: "Your proposed upload exceeds the maximum allowed object size."
        case .entityTooSmall: "Your proposed upload is smaller than the minimum allowed object size."
        case .illegalVersioningConfiguration: "The Versioning element must be specified"
        case .incompleteBody: "You did not provide the number of bytes specified by the Content-Length HTTP header."
        case .internalError: "An internal error occurred. Try again."
        case .invalidAccessKeyId: "The AWS access key ID that you provided does not exist in our records."
        case .invalidBucketAclWithObjectOwnership: "Bucket cannot have ACLs set with BucketOwnerEnforced"
        case .unexpectedContent: "This request does not support content."
        case .invalidArgument: "Invalid Argument"
        case .invalidBucketName: "The specified bucket is not valid."
        case .invalidDigest: "The Content-MD5 or checksum value that you specified is not valid."
        case .invalidLocationConstraint: "The specified location constraint is not valid."
        case .invalidPart: "One or more of the specified parts could not be found, or its ETag does not match."
        case .invalidPartNumber: "The requested partnumber is not satisfiable"
        case .invalidPartOrder: "The list of parts was not in ascending order."
        case .invalidRange: "The requested range is not satisfiable."
        case .invalidRedirectLocation:
            "The website redirect location must have a prefix of 'http://' or 'https://' or '/'."
        case .invalidRequest: "The request is not valid."
        case .invalidStorageClass: "The storage class you specified is not valid"
        case .invalidTag: "The tag provided was not a valid tag."
        case .invalidURI: "The specified URI couldn't be parsed."
        case .keyTooLong: "Your key is too long."
        case .malformedXML: "The XML that you provided was not well formed or did not validate against our schema."
        case .metadataTooLarge: "Your metadata headers exceed the maximum allowed metadata size."
        case .methodNotAllowed: "The specified method is not allowed against this resource."
        case .missingContentLength: "You must provide the Content-Length HTTP header."
        case .missingRequestBody: "Request body is empty."
        case .noSuchBucket: "The specified bucket does not exist."
        case .noSuchKey: "The specified key does not exist."
        case .noSuchLifecycleConfiguration: "The lifecycle configuration does not exist."
        case .noSuchTagSet: "The TagSet does not exist."
        case .noSuchUpload: "The specified multipart upload does not exist."
        case .noSuchVersion: "The specified version does not exist."
        case .noSuchWebsiteConfiguration: "The specified bucket does not have a website configuration."
        case .notImplemented: "A header or query that you provided implies functionality that is not implemented."
        case .objectLockNotConfigured: "Object Lock configuration does not exist for this bucket."
        case .preconditionFailed: "At least one of the preconditions that you specified did not hold."
        case .replicationNotConfigured: "The replication configuration was not found."
        case .quotaExceeded: "The quota of the bucket's owner does not allow that much."
        case .requestTimeTooSkewed: "The difference between the request time and the server's time is too large."
        case .serviceUnavailable: "Service is unable to handle the request."
        case .signatureDoesNotMatch:
            "The request signature that the server calculated does not match the signature that you provided."
        case .slowDown: "Please reduce your request rate."
        case .tooManyBuckets: "You have attempted to create more buckets than allowed."
        case .storageFull: "The storage is full. Delete objects or add space and try again."
        }
    }
}
