/// The domains below which each bucket has a host name of its own: `bucket.s3.example.org` (S3 user guide,
/// "Virtual hosting of general purpose buckets").
package struct VirtualHosts: Sendable, Hashable {
    /// The longest host name (RFC 1035, section 2.3.4).
    private static let maximumLength = 253

    /// In lower case; the longest first, so that `s3.example.org` is not taken for a bucket of `example.org`.
    private let domains: [[UInt8]]

    /// - Parameter domains: host names; case does not count.
    package init(_ domains: [String] = []) {
        self.domains = domains.map { Array($0.lowercased().utf8) }.sorted { $0.count > $1.count }
    }

    /// The bucket that the `Host` of a request names; `nil` where it names none and the path does.
    ///
    /// Whether the name can be one of a bucket is not checked. Works on bytes: this stands in the way of every request.
    package func bucket(inHost host: String) -> String? {
        var name = host.utf8[...]
        if let colon = name.lastIndex(of: UInt8(ascii: ":")) {
            guard name[name.index(after: colon)...].allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            name = name[..<colon]
        }
        if name.last == UInt8(ascii: ".") { name = name.dropLast() }
        for domain in domains where Self.ends(name, with: domain) {
            let bucket = name.dropLast(domain.count)
            // The domain itself names none.
            if bucket.isEmpty { return nil }
            guard bucket.last == UInt8(ascii: "."), bucket.count > 1 else { continue }
            guard name.count <= Self.maximumLength, bucket.allSatisfy(Self.isNameByte) else { return nil }
            return String(Substring(bucket.dropLast())).lowercasedIfNeeded()
        }
        return nil
    }

    private static func ends(_ name: Substring.UTF8View, with domain: [UInt8]) -> Bool {
        guard name.count >= domain.count else { return false }
        return zip(name.reversed(), domain.reversed()).allSatisfy { byte, wanted in
            byte == wanted || (0x41...0x5A).contains(byte) && byte | 0x20 == wanted
        }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
        default: false
        }
    }
}
