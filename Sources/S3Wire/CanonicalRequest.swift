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

    var text: String {
        let headerLines = headers.map { "\($0.name):\($0.value)\n" }.joined()
        return "\(method)\n\(path)\n\(query)\n\(headerLines)\n\(signedHeaders)\n\(payload)"
    }

    /// - Parameter signingTime: in the form of `x-amz-date`.
    func stringToSign(signingTime: String, scope: CredentialScope) -> String {
        "\(Self.algorithm)\n\(signingTime)\n\(scope.text)\n\(Self.digest(of: text))"
    }

    /// Header fields with lower-case names, those of the same name joined with commas, white space trimmed and
    /// collapsed, sorted by name.
    static func normalised(_ headers: [(name: String, value: String)]) -> [(name: String, value: String)] {
        var values: [String: String] = [:]
        for (name, value) in headers {
            let collapsed = collapsingSpaces(value)
            values[name.lowercased(), default: ""] += values[name.lowercased()] == nil ? collapsed : ",\(collapsed)"
        }
        return values.map { ($0.key, $0.value) }.sorted { $0.name < $1.name }
    }

    /// The SHA-256 of a text, in hexadecimal digits.
    static func digest(of text: String) -> String {
        var hash = SHA256()
        var text = text
        text.withUTF8 { hash.update(bufferPointer: UnsafeRawBufferPointer($0)) }
        return Hexadecimal.text(Array(hash.finalize()))
    }

    private static func collapsingSpaces(_ value: String) -> String {
        value.utf8.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
            .map { String(Substring($0)) }.joined(separator: " ")
    }
}
