import Model
import ObjectEngine
import S3Wire

extension S3Error {
    /// With what the request tells about the error, in the elements that S3 has for it.
    ///
    /// - Parameters:
    ///   - request: `nil` where it could not be read.
    ///   - bucket: that it is about, if any.
    func completed(by request: ReceivedRequest?, bucket: BucketName?) -> S3Error {
        let further: [(name: String, value: String?)] =
            switch code {
            case .noSuchBucket: [("BucketName", bucket?.text)]
            case .preconditionFailed: [("Condition", request.flatMap(Self.condition))]
            case .invalidRange: [("RangeRequested", request?.header("range"))]
            default: []
            }
        let missing = further.compactMap { name, value -> (name: String, value: String)? in
            guard let value, !details.contains(where: { $0.name == name }) else { return nil }
            return (name, value)
        }
        guard !missing.isEmpty else { return self }
        return S3Error(code, message, details: details + missing, headers: headers, cause: cause)
    }

    /// The header whose condition did not hold: of two that go together the one that counts (RFC 9110, 13.2.2).
    private static func condition(of request: ReceivedRequest) -> String? {
        [
            "x-amz-copy-source-If-Match", "x-amz-copy-source-If-Unmodified-Since", "x-amz-copy-source-If-None-Match",
            "x-amz-copy-source-If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-None-Match",
        ].first { request.header($0.lowercased()) != nil }
    }
}
