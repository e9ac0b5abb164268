/// The domains below which each bucket has a host name of its own: `bucket.s3.example.org` (S3 user guide,
/// "Virtual hosting of general purpose buckets").
package struct VirtualHosts: Sendable, Hashable {
    /// The longest host name (RFC 1035, section 2.3.4).
    private static let maximumLength = 253

    /// The longest first, so that `s3.example.org` is not taken for a bucket of `example.org`.
    private let domains: [String]

    /// - Parameter domains: host names; case does not count.
    package init(_ domains: [String] = []) {
        self.domains = domains.map { $0.lowercased() }.sorted { $0.utf8.count > $1.utf8.count }
    }

    /// The bucket that the `Host` of a request names; `nil` where it names none and the path does.
    ///
    /// Whether the name can be one of a bucket is not checked.
    package func bucket(inHost host: String) -> String? {
        guard !domains.isEmpty, let name = Self.name(ofHost: host) else { return nil }
        for domain in domains where name.hasSuffix(domain) {
            if name.utf8.count == domain.utf8.count { return nil }
            let bucket = name.utf8.dropLast(domain.utf8.count)
            if bucket.last == UInt8(ascii: "."), bucket.count > 1 { return String(Substring(bucket.dropLast())) }
        }
        return nil
    }

    /// The host without its port, in lower case; `nil` for addresses in brackets and for what is no host name.
    private static func name(ofHost host: String) -> String? {
        var bytes = host.utf8[...]
        if let colon = bytes.lastIndex(of: UInt8(ascii: ":")) {
            guard bytes[bytes.index(after: colon)...].allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            bytes = bytes[..<colon]
        }
        if bytes.last == UInt8(ascii: ".") { bytes = bytes.dropLast() }
        let isName = bytes.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
            default: false
            }
        }
        guard isName, (1...Self.maximumLength).contains(bytes.count) else { return nil }
        return Substring(bytes).lowercased()
    }
}
