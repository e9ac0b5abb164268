import Model
import S3Wire

/// What a client says of the content that it sends, to be compared with what came.
struct ExpectedDigests: Sendable {
    /// 32 bytes; `nil` where the signature does not cover the content as a whole.
    private var sha256: [UInt8]?
    private var md5: [UInt8]?
    /// The algorithm of the client's checksum.
    private(set) var algorithm: ChecksumAlgorithm?
    /// `nil` where it comes in the trailer.
    private var checksum: String?

    /// What is to be reckoned beside MD5.
    var algorithms: Set<ChecksumAlgorithm> {
        var algorithms = Set([algorithm].compactMap { $0 })
        if sha256 != nil { algorithms.insert(.sha256) }
        return algorithms
    }

    /// - Parameter checksumIsOfBody: false where the checksum in the headers is of something else.
    /// - Throws: `S3Error` with `invalidDigest` and `invalidRequest` for values that cannot be, or too many of them.
    init(of request: ReceivedRequest, payload: PayloadHash, checksumIsOfBody: Bool = true) throws(S3Error) {
        if case .sha256(let digits) = payload { sha256 = Hexadecimal.bytes(digits) }
        if let text = request.header("content-md5") {
            guard let value = Base64.decode(text), value.count == 16 else { throw S3Error(.invalidDigest) }
            md5 = value
        }
        if checksumIsOfBody { try readChecksum(of: request, payload: payload) }
    }

    private mutating func readChecksum(of request: ReceivedRequest, payload: PayloadHash) throws(S3Error) {
        let given = request.headers.compactMap { header in
            ChecksumAlgorithm(headerName: header.name).map { ($0, header.value) }
        }
        guard given.count <= 1 else { throw S3Error(.invalidRequest, "Expecting a single x-amz-checksum- header.") }
        if let (algorithm, value) = given.first {
            guard Base64.decode(value)?.count == algorithm.length else {
                throw S3Error(.invalidRequest, "Value for \(algorithm.headerName) header is invalid.")
            }
            (self.algorithm, checksum) = (algorithm, value)
        } else if let trailer = request.header("x-amz-trailer"), payload.isChunked {
            guard let algorithm = ChecksumAlgorithm(headerName: trailer) else {
                throw S3Error(.invalidRequest, "The value specified in the x-amz-trailer header is not supported.")
            }
            self.algorithm = algorithm
        } else if request.header("x-amz-sdk-checksum-algorithm") != nil, md5 == nil {
            throw S3Error(
                .invalidRequest,
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers "
                    + "were found."
            )
        }
    }

    /// Compares with what came.
    ///
    /// - Parameter checksums: of all `algorithms`.
    /// - Returns: the checksum that the object keeps, in base64.
    /// - Throws: `S3Error` with `contentSHA256Mismatch`, `badDigest`, `invalidRequest` where the trailer lacks the
    ///   checksum that was announced.
    func verify(
        md5 actual: [UInt8],
        checksums: [ChecksumAlgorithm: [UInt8]],
        trailer: [(name: String, value: String)]
    ) throws(S3Error) -> [ChecksumAlgorithm: String] {
        if let sha256, checksums[.sha256] != sha256 { throw S3Error(.contentSHA256Mismatch) }
        if let md5, md5 != actual {
            throw S3Error(.badDigest, "The Content-MD5 you specified did not match what we received.")
        }
        guard let algorithm else { return [:] }
        let value = checksum ?? trailer.first { $0.name == algorithm.headerName }?.value
        guard let value else {
            throw S3Error(.invalidRequest, "The trailer lacks the field \(algorithm.headerName), which was announced.")
        }
        let decoded = Base64.decode(value)
        guard decoded?.count == algorithm.length else {
            throw S3Error(.invalidRequest, "Value for \(algorithm.headerName) trailing header is invalid.")
        }
        guard decoded == checksums[algorithm] else {
            throw S3Error(.badDigest, "The \(algorithm.rawValue) you specified did not match the calculated checksum.")
        }
        return [algorithm: value]
    }
}
