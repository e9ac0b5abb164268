import Model
import ObjectEngine
import S3Wire

/// What `x-amz-copy-source` names.
struct CopySource: Sendable {
    let bucket: BucketName
    let key: ObjectKey
    /// `nil` for the latest.
    let version: VersionID?
    private let conditions: RequestConditions

    /// - Throws: `S3Error` with `invalidArgument`, `invalidBucketName`, `keyTooLong`.
    init(of request: ReceivedRequest) throws(S3Error) {
        var text = (request.header("x-amz-copy-source") ?? "")[...]
        var version: VersionID?
        if let start = text.lastRange(ofASCII: "?versionId=") {
            version = try VersionID(parsing: String(text[start.upperBound...]))
            text = text[..<start.lowerBound]
        }
        self.version = version
        // Some clients encode the slash behind the bucket too.
        let decoded = PercentEncoding.decoded(text).map {
            $0.utf8.first == UInt8(ascii: "/") ? $0.dropFirst() : $0[...]
        }
        guard let decoded, let slash = decoded.utf8.firstIndex(of: UInt8(ascii: "/")), slash > decoded.startIndex,
            decoded.utf8.index(after: slash) < decoded.endIndex
        else {
            throw S3Error(
                .invalidArgument, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
        }
        let (bucket, key) = (String(decoded[..<slash]), String(decoded[decoded.utf8.index(after: slash)...]))
        self.bucket = try S3Operation.bucket(bucket)
        self.key = try S3Operation.key(key)
        conditions = RequestConditions(prefix: "x-amz-copy-source-", header: request.header)
    }

    /// - Throws: `S3Error` with `noSuchKey`, `noSuchVersion`, and `invalidRequest` where a delete marker is named.
    func object(_ found: FoundVersion) throws(S3Error) -> ObjectRecord {
        if case .marker = found, version != nil {
            throw S3Error(
                .invalidRequest,
                "The source of a copy request may not specifically refer to a delete marker by version id."
            )
        }
        return try found.object(key, version: version)
    }

    /// - Throws: `S3Error` with `preconditionFailed`.
    func check(_ record: ObjectRecord) throws(S3Error) {
        guard conditions.evaluate(eTag: record.eTag, lastModified: record.lastModified) == .proceed else {
            throw S3Error(.preconditionFailed)
        }
    }
}

/// What a copy takes from its source, and what from its request.
struct CopyDirectives: Sendable {
    let replacesMetadata: Bool
    let replacesTags: Bool
    /// Whether the copy differs from its source in what S3 counts as a change.
    let changesSomething: Bool

    /// - Throws: `S3Error` with `invalidArgument`.
    init(of request: ReceivedRequest) throws(S3Error) {
        replacesMetadata = try Self.replaces(request.header("x-amz-metadata-directive"), "metadata")
        replacesTags = try Self.replaces(request.header("x-amz-tagging-directive"), "tagging")
        let names = ["x-amz-storage-class", "x-amz-website-redirect-location"]
        changesSomething = replacesMetadata || names.contains { request.header($0) != nil }
    }

    private static func replaces(_ directive: String?, _ name: String) throws(S3Error) -> Bool {
        switch directive?.uppercased() {
        case nil, "COPY": return false
        case "REPLACE": return true
        default: throw S3Error(.invalidArgument, "Unknown \(name) directive.")
        }
    }
}

extension Substring {
    /// Where that text of ASCII characters stands last.
    fileprivate func lastRange(ofASCII text: StaticString) -> Range<Index>? {
        let wanted = text.withUTF8Buffer { Array($0) }
        var end = utf8.endIndex
        while let start = utf8.index(end, offsetBy: -wanted.count, limitedBy: utf8.startIndex) {
            if utf8[start..<end].elementsEqual(wanted) { return start..<end }
            end = utf8.index(before: end)
        }
        return nil
    }
}
