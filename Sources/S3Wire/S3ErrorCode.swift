/// The error codes of S3 that Apus answers with (S3 API reference, "List of error codes").
package enum S3ErrorCode: String, Sendable, Hashable, CaseIterable {
    case accessDenied = "AccessDenied"
    case authorizationHeaderMalformed = "AuthorizationHeaderMalformed"
    case authorizationQueryParametersError = "AuthorizationQueryParametersError"
    case badDigest = "BadDigest"
    case badRequest = "BadRequest"
    case bucketAlreadyExists = "BucketAlreadyExists"
    case bucketAlreadyOwnedByYou = "BucketAlreadyOwnedByYou"
    case bucketNotEmpty = "BucketNotEmpty"
    case entityTooLarge = "EntityTooLarge"
    case entityTooSmall = "EntityTooSmall"
    case illegalVersioningConfiguration = "IllegalVersioningConfigurationException"
    case incompleteBody = "IncompleteBody"
    case internalError = "InternalError"
    case invalidAccessKeyId = "InvalidAccessKeyId"
    case invalidArgument = "InvalidArgument"
    case invalidBucketName = "InvalidBucketName"
    case invalidDigest = "InvalidDigest"
    case invalidPart = "InvalidPart"
    case invalidPartNumber = "InvalidPartNumber"
    case invalidPartOrder = "InvalidPartOrder"
    case invalidRange = "InvalidRange"
    case invalidRedirectLocation = "InvalidRedirectLocation"
    case invalidRequest = "InvalidRequest"
    case invalidStorageClass = "InvalidStorageClass"
    case invalidTag = "InvalidTag"
    case invalidURI = "InvalidURI"
    case keyTooLong = "KeyTooLongError"
    case malformedXML = "MalformedXML"
    case metadataTooLarge = "MetadataTooLarge"
    case methodNotAllowed = "MethodNotAllowed"
    case missingContentLength = "MissingContentLength"
    case missingRequestBody = "MissingRequestBodyError"
    case noSuchBucket = "NoSuchBucket"
    case noSuchKey = "NoSuchKey"
    case noSuchUpload = "NoSuchUpload"
    case noSuchVersion = "NoSuchVersion"
    case notImplemented = "NotImplemented"
    case preconditionFailed = "PreconditionFailed"
    case requestTimeTooSkewed = "RequestTimeTooSkewed"
    case requestTimeout = "RequestTimeout"
    case serviceUnavailable = "ServiceUnavailable"
    case signatureDoesNotMatch = "SignatureDoesNotMatch"
    case slowDown = "SlowDown"
    case storageFull = "XMinioStorageFull"
    case contentSHA256Mismatch = "XAmzContentSHA256Mismatch"

    /// The HTTP status that goes with the code.
    package var status: Int {
        switch self {
        case .authorizationHeaderMalformed, .authorizationQueryParametersError, .badDigest, .contentSHA256Mismatch,
            .entityTooLarge, .entityTooSmall, .incompleteBody, .invalidArgument, .invalidBucketName, .invalidDigest,
            .invalidPart, .invalidPartOrder, .invalidRequest, .invalidURI, .keyTooLong, .malformedXML,
            .metadataTooLarge, .missingRequestBody, .requestTimeout, .badRequest, .illegalVersioningConfiguration,
            .invalidRedirectLocation, .invalidStorageClass, .invalidTag:
            400
        case .accessDenied, .invalidAccessKeyId, .requestTimeTooSkewed, .signatureDoesNotMatch: 403
        case .noSuchBucket, .noSuchKey, .noSuchUpload, .noSuchVersion: 404
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
        case .authorizationHeaderMalformed: "The authorization header that you provided is not valid."
        case .authorizationQueryParametersError: "The authorization parameters in the query are not valid."
        case .badDigest: "The checksum you specified did not match what we received."
        case .badRequest: "Bad Request"
        case .bucketAlreadyExists: "The requested bucket name is not available. Select a different name and try again."
        case .bucketAlreadyOwnedByYou: "The bucket that you tried to create already exists, and you own it."
        case .bucketNotEmpty: "The bucket that you tried to delete is not empty."
        case .contentSHA256Mismatch: "The provided 'x-amz-content-sha256' header does not match what was computed."
        case .entityTooLarge: "Your proposed upload exceeds the maximum allowed object size."
        case .entityTooSmall: "Your proposed upload is smaller than the minimum allowed object size."
        case .illegalVersioningConfiguration: "The Versioning element must be specified"
        case .incompleteBody: "You did not provide the number of bytes specified by the Content-Length HTTP header."
        case .internalError: "An internal error occurred. Try again."
        case .invalidAccessKeyId: "The AWS access key ID that you provided does not exist in our records."
        case .invalidArgument: "Invalid Argument"
        case .invalidBucketName: "The specified bucket is not valid."
        case .invalidDigest: "The Content-MD5 or checksum value that you specified is not valid."
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
        case .noSuchUpload: "The specified multipart upload does not exist."
        case .noSuchVersion: "The specified version does not exist."
        case .notImplemented: "A header or query that you provided implies functionality that is not implemented."
        case .preconditionFailed: "At least one of the preconditions that you specified did not hold."
        case .requestTimeTooSkewed: "The difference between the request time and the server's time is too large."
        case .requestTimeout: "Your socket connection to the server was not read from or written to in time."
        case .serviceUnavailable: "Service is unable to handle the request."
        case .signatureDoesNotMatch:
            "The request signature that the server calculated does not match the signature that you provided."
        case .slowDown: "Please reduce your request rate."
        case .storageFull: "The storage is full. Delete objects or add space and try again."
        }
    }
}
