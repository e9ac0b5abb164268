import Model
package import S3Wire

/// What the store found out about bytes while it took them in.
package struct ContentSummary: Sendable, Hashable {
    /// In bytes.
    package let size: Int64
    /// 16 bytes.
    package let md5: [UInt8]
    /// Those that were asked for.
    package let checksums: [ChecksumAlgorithm: [UInt8]]
    /// What later reads are verified against.
    let check: UInt64

    /// The ETag of an object with this content: MD5 in hexadecimal, without quotation marks.
    package var eTag: String { Hexadecimal.text(md5) }

    /// The checksums in base64, as objects and parts keep them.
    package var checksumTexts: [ChecksumAlgorithm: String] { checksums.mapValues { Base64.encode($0) } }
}
