/// The address of an issuer, or of what it names: HTTPS, or HTTP on this machine only.
package struct IssuerURL: Sendable, Hashable, CustomStringConvertible {
    /// As written, without a slash at its end.
    package let text: String

    /// `nil` for what is no such URL, and for one with a query, a fragment or a name in it.
    package init?(_ text: String) {
        var trimmed = text[...]
        while trimmed.hasSuffix("/") { trimmed.removeLast() }
        guard trimmed.utf8.count <= 1024, Self.isSafe(trimmed), !trimmed.contains("?") else { return nil }
        self.text = String(trimmed)
    }

    package var description: String { text }

    /// Whether a URL may be asked: nobody on the way can read or change what is said.
    static func isSafe(_ text: some StringProtocol) -> Bool {
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != 0x5C && $0 != 0x23 }) else { return false }
        let isSecure = text.hasPrefix("https://")
        guard isSecure || text.hasPrefix("http://") else { return false }
        let authority = text.dropFirst(isSecure ? 8 : 7).prefix { $0 != "/" && $0 != "?" }
        guard !authority.isEmpty, !authority.contains("@"), !authority.hasPrefix(":") else { return false }
        return isSecure || isLoopback(host: Self.host(String(authority)))
    }

    private static func host(_ authority: String) -> String {
        if authority.hasPrefix("[") { return String(authority.dropFirst().prefix { $0 != "]" }) }
        return String(authority.prefix { $0 != ":" })
    }

    private static func isLoopback(host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
