import Crypto

/// What a request says of its body in `x-amz-content-sha256`.
package enum PayloadHash: Sendable, Hashable {
    /// The SHA-256 of the body, 64 lower-case hexadecimal digits.
    case sha256(String)
    /// Nothing: the body is not signed.
    case unsigned
    /// The body is aws-chunked and each chunk carries a signature.
    case signedChunks
    /// As `signedChunks`, and a signed trailer follows.
    case signedChunksWithTrailer
    /// The body is aws-chunked without signatures, and a trailer follows.
    case unsignedChunksWithTrailer

    /// The hash of an empty body.
    package static let empty = PayloadHash.of([UInt8]())

    /// The hash of a body that is all there.
    package static func of(_ bytes: some Sequence<UInt8>) -> PayloadHash {
        var hash = SHA256()
        Array(bytes).withUnsafeBytes { hash.update(bufferPointer: $0) }
        return .sha256(Hexadecimal.text(Array(hash.finalize())))
    }

    /// Parses the header; `nil` for what S3 does not know, or Apus does not (the elliptic curve forms of Version 4A).
    package init?(header: some StringProtocol) {
        switch header {
        case "UNSIGNED-PAYLOAD": self = .unsigned
        case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": self = .signedChunks
        case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": self = .signedChunksWithTrailer
        case "STREAMING-UNSIGNED-PAYLOAD-TRAILER": self = .unsignedChunksWithTrailer
        default:
            guard header.utf8.count == 64, Hexadecimal.bytes(header) != nil else { return nil }
            self = .sha256(header.lowercased())
        }
    }

    /// The value of the header.
    package var header: String {
        switch self {
        case .sha256(let digits): digits
        case .unsigned: "UNSIGNED-PAYLOAD"
        case .signedChunks: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
        case .signedChunksWithTrailer: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
        case .unsignedChunksWithTrailer: "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
        }
    }

    /// Whether the body is framed in chunks of its own (`Content-Encoding: aws-chunked`).
    package var isChunked: Bool {
        switch self {
        case .sha256, .unsigned: false
        case .signedChunks, .signedChunksWithTrailer, .unsignedChunksWithTrailer: true
        }
    }
}
