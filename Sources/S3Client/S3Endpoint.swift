/// Where an S3 store listens: scheme, host, port, and a path before the buckets where a proxy adds one.
package struct S3Endpoint: Sendable, Hashable {
    package let isSecure: Bool
    /// As in the `Host` header: an IPv6 address in brackets, the port only where it is not the scheme's own.
    package let authority: String
    /// Empty, or begins with a slash and does not end with one.
    package let basePath: String

    /// - Throws: `S3ClientError` with `invalid` for anything but `http://host[:port][/path]` and `https://…`.
    package init(_ text: String) throws(S3ClientError) {
        func invalid(_ why: String) -> S3ClientError {
            S3ClientError(
                .invalid, "\"\(text)\" is not the address of an S3 store: \(why). Write it as http://host:port")
        }
        let rest: Substring
        if text.hasPrefix("https://") {
            (isSecure, rest) = (true, text.dropFirst(8))
        } else if text.hasPrefix("http://") {
            (isSecure, rest) = (false, text.dropFirst(7))
        } else {
            throw invalid("it must begin with http:// or https://")
        }
        let host = rest.prefix { $0 != "/" }
        var path = rest.dropFirst(host.count)
        while path.hasSuffix("/") { path.removeLast() }
        guard !host.isEmpty, host.utf8.allSatisfy(Self.isAllowedInAuthority) else {
            throw invalid("it has no valid host")
        }
        guard path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") })
        else { throw invalid("its path must not have spaces, \"?\" or \"#\"") }
        authority = try Self.authority(host, isSecure: isSecure, invalid)
        basePath = String(path)
    }

    /// The endpoint as a URL without a final slash.
    package var text: String { (isSecure ? "https://" : "http://") + authority + basePath }

    private static func isAllowedInAuthority(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "["),
            UInt8(ascii: "]"):
            true
        default: false
        }
    }

    private static func authority(
        _ text: Substring,
        isSecure: Bool,
        _ invalid: (String) -> S3ClientError
    ) throws(S3ClientError) -> String {
        var host = text
        if text.hasPrefix("[") {
            guard let close = text.firstIndex(of: "]") else { throw invalid("the bracket of its host is not closed") }
            host = text[...close]
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
        }
        let rest = text[host.endIndex...]
        guard !host.isEmpty else { throw invalid("it has no host") }
        if rest.isEmpty { return host.lowercased() }
        guard rest.hasPrefix(":"), let port = UInt16(rest.dropFirst()), port > 0 else {
            throw invalid("its port must be 1 to 65535")
        }
        return port == (isSecure ? 443 : 80) ? host.lowercased() : "\(host.lowercased()):\(port)"
    }
}
