import Model
import NIOCore
import NIOHTTP1
import ObjectEngine
import S3Wire

extension S3Error {
    /// What a client is told of any error.
    init(_ error: any Error) {
        switch error {
        case let error as S3Error: self = error
        case let error as ObjectStoreError: self.init(store: error)
        case is CancellationError: self.init(.serviceUnavailable, cause: error)
        // The client has gone in the middle of its request.
        case is HTTPParserError, is ChannelError, is IOError: self.init(.incompleteBody, cause: error)
        default: self.init(.internalError, cause: error)
        }
    }

    private init(store error: ObjectStoreError) {
        let code: S3ErrorCode =
            switch error.code {
            case .noSuchBucket: .noSuchBucket
            case .bucketNotEmpty: .bucketNotEmpty
            case .noSuchKey: .noSuchKey
            case .noSuchUpload: .noSuchUpload
            case .invalidPart: .invalidPart
            case .invalidPartOrder: .invalidPartOrder
            case .entityTooSmall: .entityTooSmall
            case .invalidPartNumber: .invalidArgument
            case .invalidRange: .invalidRange
            case .checksumMismatch: .badDigest
            case .sizeMismatch: .invalidRequest
            case .preconditionFailed: .preconditionFailed
            case .contentReplaced: .slowDown
            case .quotaExceeded: .quotaExceeded
            case .tooManyBuckets: .tooManyBuckets
            case .storageFull: .storageFull
            case .closed: .serviceUnavailable
            case .damaged, .io, .notAFile, .newerVersion, .olderVersion, .noStore, .inUse,
                .invalidArchive, .misuse:
                .internalError
            }
        // The messages of the store name no paths; those of its own failures are for the log only.
        let message: String? =
            switch error.code {
            case .invalidPart, .invalidPartOrder, .entityTooSmall, .invalidPartNumber, .checksumMismatch,
                .sizeMismatch, .quotaExceeded, .tooManyBuckets:
                error.message
            default: nil
            }
        var details: [(name: String, value: String)] = []
        if let small = error.cause as? SmallPart {
            details = [
                ("ProposedSize", String(small.part.size.bytes)),
                ("MinSizeAllowed", String(ObjectStore.minimumPartSize.bytes)),
                ("PartNumber", String(small.part.number)), ("ETag", small.part.eTag),
            ]
        }
        self.init(code, message, details: details, cause: error)
    }
}
