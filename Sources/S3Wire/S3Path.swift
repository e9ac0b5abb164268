package import Model

/// What a path names in path-style addressing: the service, a bucket, or an object.
package enum S3Path: Sendable, Hashable {
    case service
    case bucket(String)
    case object(bucket: String, key: String)

    /// The bucket that it names, or that the object is in.
    package var bucket: String? {
        switch self {
        case .service: nil
        case .bucket(let bucket), .object(let bucket, _): bucket
        }
    }

    /// Parses the raw path of a request.
    ///
    /// The parts are decoded but not yet checked against the rules for names; `.` and `..` mean nothing special,
    /// and slashes within keys count, also doubled ones.
    ///
    /// - Throws: `S3Error` with `invalidURI` for broken percent-encoding, bytes that are not UTF-8, and a path that
    ///   does not begin with a slash.
    package init(parsing path: some StringProtocol) throws(S3Error) {
        guard path.utf8.first == UInt8(ascii: "/") else {
            throw S3Error(.invalidURI, "The path must begin with a slash.")
        }
        let rest = Substring(path).utf8.dropFirst()
        let bucketPart = rest.prefix { $0 != UInt8(ascii: "/") }
        guard let bucket = PercentEncoding.decoded(Substring(bucketPart)),
            let key = PercentEncoding.decoded(Substring(rest.dropFirst(bucketPart.count + 1)))
        else { throw S3Error(.invalidURI, "The path is not percent-encoded UTF-8.") }
        self =
            switch (bucket.isEmpty, key.isEmpty) {
            case (true, true): .service
            case (false, true): .bucket(bucket)
            case (_, false): .object(bucket: bucket, key: key)
            }
    }

    /// What a request names: by its path alone, or by its host and its path.
    ///
    /// - Throws: `S3Error` with `invalidURI`.
    package init(of request: ReceivedRequest) throws(S3Error) {
        guard let bucket = request.virtualBucket else {
            try self.init(parsing: request.path)
            return
        }
        guard request.path.utf8.first == UInt8(ascii: "/"),
            let key = PercentEncoding.decoded(Substring(request.path.utf8.dropFirst()))
        else { throw S3Error(.invalidURI, "The path is not percent-encoded UTF-8 that begins with a slash.") }
        self = key.isEmpty ? .bucket(bucket) : .object(bucket: bucket, key: key)
    }

    /// The path to send and to sign for that object, or for the bucket where there is no key.
    package static func encoded(bucket: BucketName, key: ObjectKey? = nil) -> String {
        guard let key else { return "/\(bucket.text)" }
        return "/\(bucket.text)/\(PercentEncoding.encoded(key.text, keepingSlashes: true))"
    }
}
