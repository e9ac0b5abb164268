import S3Wire

/// Where a WebDAV server answers: what FDL calls `hostname`.
struct WebDAVEndpoint: Sendable, Hashable {
    /// `http` or `https`.
    let scheme: String
    /// Host and, where one is given, port, in lower case.
    let authority: String
    /// The path before all others, encoded, with a slash before and none after; empty where there is none.
    let basePath: String

    /// Scheme, host and port, the default port left out: what credentials belong to (RFC 6454).
    var origin: String {
        let standard = scheme == "https" ? ":443" : ":80"
        let host = authority.hasSuffix(standard) ? String(authority.dropLast(standard.count)) : authority
        return "\(scheme)://\(host)"
    }

    /// Reads `host`, `host:port`, and the same with `https://` or, where somebody wants no encryption,
    /// `http://` before and a path after.
    ///
    /// - Throws: `ProviderError` with `invalidConfiguration`.
    init(_ hostname: String) throws(ProviderError) {
        func invalid(_ reason: String) -> ProviderError {
            ProviderError(.invalidConfiguration, "the WebDAV hostname \"\(hostname.prefix(200))\" \(reason)")
        }
        var rest = Substring(hostname)
        var scheme = "https"
        if let separator = hostname.firstRange(of: "://") {
            scheme = hostname[..<separator.lowerBound].lowercased()
            rest = hostname[separator.upperBound...]
        }
        guard scheme == "http" || scheme == "https" else {
            throw invalid("must begin with https:// or http://")
        }
        let authority = rest.prefix { $0 != "/" }.lowercased()
        let isPlain = rest.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"?#\\\"<>^`{|}".utf8.contains($0) }
        guard isPlain else { throw invalid("may have only a host, a port and a path (percent-encoded)") }
        guard !authority.contains("@") else {
            throw invalid("must not hold credentials: use login and password")
        }
        guard Self.isAuthority(authority) else { throw invalid("has no valid host and port") }
        let parts = rest.dropFirst(authority.utf8.count).split(separator: "/")
        guard !parts.contains("."), !parts.contains("..") else {
            throw invalid("must not have \".\" or \"..\"")
        }
        self.scheme = scheme
        self.authority = authority
        basePath = parts.map { "/\($0)" }.joined()
    }

    /// The URL of the thing that those parts lead to; folders end with a slash.
    func url(_ parts: some Sequence<String>, isFolder: Bool = false) -> String {
        let path = basePath + parts.map { "/" + PercentEncoding.encoded($0) }.joined()
        return "\(scheme)://\(authority)\(path)\(isFolder || path.isEmpty ? "/" : "")"
    }

    private static func isAuthority(_ text: String) -> Bool {
        let host: Substring
        let port: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return false }
            host = text[text.index(after: text.startIndex)..<end]
            guard host.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else { return false }
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { return false }
            port = rest.isEmpty ? nil : rest.dropFirst()
        } else {
            let halves = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            host = halves[0]
            port = halves.count == 2 ? halves[1] : nil
            let isName = host.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x2E
                    || byte == 0x5F
            }
            guard isName else { return false }
        }
        guard !host.isEmpty, host.utf8.count <= 253 else { return false }
        return port.map { (UInt16($0) ?? 0) > 0 } ?? true
    }
}
