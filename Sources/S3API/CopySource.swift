import Model
import ObjectEngine
import S3Wire

/// What `x-amz-copy-source` names.
struct CopySource: Sendable {
    let bucket: BucketName
    let key: ObjectKey
    private let conditions: RequestConditions

    /// - Throws: `S3Error` with `invalidArgument`, `notImplemented` for a version, `invalidBucketName`, `keyTooLong`.
    init(of request: ReceivedRequest) throws(S3Error) {
        var text = (request.header("x-amz-copy-source") ?? "")[...]
        if let start = text.lastRange(ofASCII: "?versionId=") {
            guard text[start.upperBound...] == "null" else {
                throw S3Error(.notImplemented, "Versions are not kept; leave versionId out.")
            }
            text = text[..<start.lowerBound]
        }
        guard case .object(let bucket, let key) = try S3Path(parsing: text.first == "/" ? text : "/\(text)") else {
            throw S3Error(
                .invalidArgument, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
        }
        self.bucket = try S3Operation.bucket(bucket)
        self.key = try S3Operation.key(key)
        conditions = RequestConditions(prefix: "x-amz-copy-source-", header: request.header)
    }

    /// - Throws: `S3Error` with `preconditionFailed`.
    func check(_ record: ObjectRecord) throws(S3Error) {
        guard conditions.evaluate(eTag: record.eTag, lastModified: record.lastModified) == .proceed else {
            throw S3Error(.preconditionFailed)
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
