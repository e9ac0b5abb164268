import Crypto

/// A request in the one form that both sides sign (AWS general reference, "Create a signed AWS API request").
struct CanonicalRequest {
    static let algorithm = "AWS4-HMAC-SHA256"

    let method: String
    /// Percent-encoded once, not normalised: S3 differs from other services in both.
    let path: String
    let query: String
    /// Lower-case names with their values, sorted by name.
    let headers: [(name: String, value: String)]
    let payload: String

    var signedHeaders: String { headers.map(\.name).joined(separator: ";") }

    var text: String { String(decoding: bytes, as: UTF8.self) }

    private var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(
            headers.reduce(256 + path.utf8.count + query.utf8.count) {
                $0 + 2 * $1.name.utf8.count + $1.value.utf8.count
            }
        )
        let newline = UInt8(ascii: "\n")
        for line in [method, path, query] {
            bytes.append(contentsOf: line.utf8)
            bytes.append(newline)
        }
        for header in headers {
            bytes.append(contentsOf: header.name.utf8)
            bytes.append(UInt8(ascii: ":"))
            bytes.append(contentsOf: header.value.utf8)
            bytes.append(newline)
        }
        bytes.append(newline)
        for (index, header) in headers.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ";")) }
            bytes.append(contentsOf: header.name.utf8)
        }
        bytes.append(newline)
        bytes.append(contentsOf: payload.utf8)
        return bytes
    }

    /// - Parameter signingTime: in the form of `x-amz-date`.
    func stringToSign(signingTime: String, scope: CredentialScope) -> String {
        "\(Self.algorithm)\n\(signingTime)\n\(scope.text)\n\(Self.digest(of: bytes))"
    }

    /// Header fields with lower-case names, those of the same name joined with commas, white space trimmed and
    /// collapsed, sorted by name.
    static func normalised(_ headers: [(name: String, value: String)]) -> [(name: String, value: String)] {
        var normal = headers.enumerated().map { index, header in
            (name: header.name.lowercasedIfNeeded(), value: collapsingSpaces(header.value), index: index)
        }
        normal.sort { ($0.name, $0.index) < ($1.name, $1.index) }
        var joined: [(name: String, value: String)] = []
        joined.reserveCapacity(normal.count)
        for header in normal {
            if let last = joined.indices.last, joined[last].name == header.name {
                joined[last].value += ",\(header.value)"
            } else {
                joined.append((header.name, header.value))
            }
        }
        return joined
    }

    /// The SHA-256 of bytes, in hexadecimal digits.
    static func digest(of bytes: some Sequence<UInt8>) -> String {
        let bytes = Array(bytes)
        var hash = SHA256()
        bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
        return Hexadecimal.text(Array(hash.finalize()))
    }

    private static func collapsingSpaces(_ value: String) -> String {
        func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        // As most values are: no tab, no two spaces in a row, none at an end.
        var wasSpace = true
        let isCollapsed = value.utf8.allSatisfy { byte in
            defer { wasSpace = isSpace(byte) }
            return byte != UInt8(ascii: "\t") && !(wasSpace && isSpace(byte))
        }
        if isCollapsed, !wasSpace || value.isEmpty { return value }
        return value.utf8.split(whereSeparator: isSpace).map { String(Substring($0)) }.joined(separator: " ")
    }
}

extension String {
    /// As `lowercased()`, without a new string where nothing changes.
    func lowercasedIfNeeded() -> String {
        utf8.contains { (0x41...0x5A).contains($0) || $0 >= 0x80 } ? lowercased() : self
    }
}
