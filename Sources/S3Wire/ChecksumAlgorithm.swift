/// A checksum that S3 keeps with an object (S3 user guide, "Checking object integrity").
package enum ChecksumAlgorithm: String, Sendable, Hashable, CaseIterable {
    case crc32 = "CRC32"
    case crc32c = "CRC32C"
    case crc64nvme = "CRC64NVME"
    case sha1 = "SHA1"
    case sha256 = "SHA256"

    /// The name of the header and trailer that carries it, in lower case.
    package var headerName: String { "x-amz-checksum-\(rawValue.lowercased())" }

    /// The name of its element in XML documents.
    package var elementName: String { "Checksum\(rawValue)" }

    /// The length of its value in bytes, before base64.
    package var length: Int {
        switch self {
        case .crc32, .crc32c: 4
        case .crc64nvme: 8
        case .sha1: 20
        case .sha256: 32
        }
    }

    /// Whether the checksum of a whole can be reckoned from those of its parts.
    package var isCombinable: Bool {
        switch self {
        case .crc32, .crc32c, .crc64nvme: true
        case .sha1, .sha256: false
        }
    }

    /// How the checksum of a multipart upload is made when the client does not say.
    package var defaultType: ChecksumType { self == .crc64nvme ? .fullObject : .composite }

    /// The algorithm of that name, in any case (`x-amz-checksum-algorithm`, `x-amz-sdk-checksum-algorithm`).
    package init?(name: some StringProtocol) { self.init(rawValue: name.uppercased()) }

    /// The algorithm whose header that is; the name in any case.
    package init?(headerName: some StringProtocol) {
        let prefix = "x-amz-checksum-"
        let name = headerName.lowercased()
        guard name.hasPrefix(prefix) else { return nil }
        self.init(name: name.dropFirst(prefix.utf8.count))
    }
}

/// What the checksum of a multipart object covers.
package enum ChecksumType: String, Sendable, Hashable {
    /// The checksum of the parts' checksums, written with the number of parts: `…-3`.
    case composite = "COMPOSITE"
    /// The checksum of the content, as if it had come in one piece.
    case fullObject = "FULL_OBJECT"
}
