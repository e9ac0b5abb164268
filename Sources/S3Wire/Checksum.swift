import Crypto

/// A checksum of bytes that come piece by piece.
package struct Checksum: Sendable {
    private enum State: Sendable {
        case crc32(CyclicRedundancyCheck<UInt32>)
        case crc64(CyclicRedundancyCheck<UInt64>)
        case sha1(Insecure.SHA1)
        case sha256(SHA256)
    }

    /// Which checksum this is.
    package let algorithm: ChecksumAlgorithm
    private var state: State

    package init(_ algorithm: ChecksumAlgorithm) {
        self.algorithm = algorithm
        state =
            switch algorithm {
            case .crc32: .crc32(CyclicRedundancyCheck(table: CRCTables.crc32))
            case .crc32c: .crc32(CyclicRedundancyCheck(table: CRCTables.crc32c))
            case .crc64nvme: .crc64(CyclicRedundancyCheck(table: CRCTables.crc64nvme))
            case .sha1: .sha1(Insecure.SHA1())
            case .sha256: .sha256(SHA256())
            }
    }

    /// Takes in the next bytes.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        switch state {
        case .crc32(var crc):
            crc.update(bytes)
            state = .crc32(crc)
        case .crc64(var crc):
            crc.update(bytes)
            state = .crc64(crc)
        case .sha1(var hash):
            state = .crc64(CyclicRedundancyCheck(table: CRCTables.crc64nvme))
            hash.update(bufferPointer: bytes)
            state = .sha1(hash)
        case .sha256(var hash):
            state = .crc64(CyclicRedundancyCheck(table: CRCTables.crc64nvme))
            hash.update(bufferPointer: bytes)
            state = .sha256(hash)
        }
    }

    /// Takes in the next bytes.
    package mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    /// The checksum of all bytes so far, most significant byte first.
    package var value: [UInt8] {
        switch state {
        case .crc32(let crc): crc.bytes
        case .crc64(let crc): crc.bytes
        case .sha1(let hash): Array(hash.finalize())
        case .sha256(let hash): Array(hash.finalize())
        }
    }

    /// The checksum of bytes that are all there.
    package static func of(_ bytes: [UInt8], _ algorithm: ChecksumAlgorithm) -> [UInt8] {
        var checksum = Checksum(algorithm)
        checksum.update(bytes)
        return checksum.value
    }
}

/// The MD5 digest (RFC 1321) of bytes that come piece by piece: S3's ETag and `Content-MD5`, no protection against
/// malice.
package struct MD5Digest: Sendable {
    private var hash = Insecure.MD5()

    package init() {}

    /// Takes in the next bytes.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) { hash.update(bufferPointer: bytes) }

    /// Takes in the next bytes.
    package mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    /// The 16 bytes of the digest of all bytes so far.
    package var value: [UInt8] { Array(hash.finalize()) }

    /// The 16 bytes of the digest of bytes that are all there.
    package static func of(_ bytes: [UInt8]) -> [UInt8] {
        var digest = MD5Digest()
        digest.update(bytes)
        return digest.value
    }
}
