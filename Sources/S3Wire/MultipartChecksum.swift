import Model

/// The checksum of a multipart object, from those of its parts.
package enum MultipartChecksum {
    /// The text of a composite checksum: base64 of the checksum of the parts' checksums, `-`, the number of parts.
    ///
    /// - Parameter parts: the checksum of each part, in order.
    package static func composite(_ algorithm: ChecksumAlgorithm, parts: [[UInt8]]) -> String {
        var checksum = Checksum(algorithm)
        for part in parts { checksum.update(part) }
        return "\(Base64.encode(checksum.value))-\(parts.count)"
    }

    /// The checksum of the whole content; `nil` for algorithms that cannot be combined and for values of a wrong
    /// length.
    ///
    /// - Parameter parts: the checksum and the length in bytes of each part, in order.
    package static func fullObject(
        _ algorithm: ChecksumAlgorithm,
        parts: [(checksum: [UInt8], length: Int64)]
    ) -> [UInt8]? {
        guard parts.allSatisfy({ $0.checksum.count == algorithm.length && $0.length >= 0 }) else { return nil }
        return switch algorithm {
        case .crc32: combined(parts, CRCTables.crc32)
        case .crc32c: combined(parts, CRCTables.crc32c)
        case .crc64nvme: combined(parts, CRCTables.crc64nvme)
        case .sha1, .sha256: nil
        }
    }

    /// The ETag of a multipart object, without quotation marks: MD5 of the parts' MD5 digests, `-`, the number of
    /// parts.
    package static func eTag(partDigests: [[UInt8]]) -> String {
        var digest = MD5Digest()
        for part in partDigests { digest.update(part) }
        return "\(Hexadecimal.text(digest.value))-\(partDigests.count)"
    }

    private static func combined<Word>(
        _ parts: [(checksum: [UInt8], length: Int64)],
        _ table: CRCTable<Word>
    ) -> [UInt8] {
        let whole = parts.reduce(Word(0)) { whole, part in
            table.combined(whole, CRCTable<Word>.word(part.checksum), secondLength: part.length)
        }
        return CRCTable<Word>.bytes(whole)
    }
}
