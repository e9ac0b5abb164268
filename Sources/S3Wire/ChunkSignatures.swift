import Crypto

/// The chain of signatures over a body that comes in signed chunks: each signs its chunk and the signature before it
/// (S3 API reference, "Transferring payload in multiple chunks").
package struct ChunkSignatures: Sendable {
    private let key: SigningKey
    private let signingTime: String
    private var previous: String
    private static let emptyDigest = CanonicalRequest.digest(of: [])

    /// - Parameters:
    ///   - seed: the signature of the request's head, in hexadecimal digits.
    ///   - signingTime: of the request, in the form of `x-amz-date`.
    package init(seed: String, key: SigningKey, signingTime: String) {
        self.key = key
        self.signingTime = signingTime
        previous = seed
    }

    /// The signature of the next chunk, in hexadecimal digits.
    ///
    /// - Parameter digest: the SHA-256 of the chunk's data, in hexadecimal digits.
    package mutating func next(digest: String) -> String {
        sign("AWS4-HMAC-SHA256-PAYLOAD", [Self.emptyDigest, digest])
    }

    /// The signature of the next chunk, whose data is all there.
    package mutating func next(chunk: [UInt8]) -> String {
        var hash = SHA256()
        chunk.withUnsafeBytes { hash.update(bufferPointer: $0) }
        return next(digest: Hexadecimal.text(Array(hash.finalize())))
    }

    /// The signature of the trailer, which ends the chain.
    package mutating func trailer(_ fields: [(name: String, value: String)]) -> String {
        let text = fields.map { "\($0.name):\($0.value)\n" }.joined()
        return sign("AWS4-HMAC-SHA256-TRAILER", [CanonicalRequest.digest(of: text.utf8)])
    }

    private mutating func sign(_ kind: String, _ digests: [String]) -> String {
        let lines = [kind, signingTime, key.scope.text, previous] + digests
        previous = Hexadecimal.text(key.signature(of: lines.joined(separator: "\n")))
        return previous
    }
}
