/// Where a request goes, in the course of redirects.
struct WebDAVLocation: Sendable, Hashable {
    let url: String
    /// Scheme, host and port.
    let origin: String

    init(url: String, origin: String) {
        self.url = url
        self.origin = origin
    }

    /// The place that a `Location` header names: a URL, or a path on the same server (RFC 9110 section
    /// 10.2.2).
    ///
    /// - Throws: `ProviderError` with `refused` for anything else, and where encryption would be lost.
    func following(_ location: String, provider: String) throws(ProviderError) -> WebDAVLocation {
        if location.hasPrefix("/"), !location.hasPrefix("//") {
            let authority = url.prefix { $0 != "?" }.split(separator: "/", maxSplits: 2).prefix(2).joined(
                separator: "//"
            )
            return WebDAVLocation(url: authority + location, origin: origin)
        }
        let address = location.prefix { $0 != "?" && $0 != "#" }
        guard let separator = address.firstRange(of: "://"),
            let slash = address[separator.upperBound...].firstIndex(of: "/")
        else {
            throw ProviderError(
                .refused,
                "\(provider): the server redirects to \"\(location.prefix(200))\", which is no URL"
            )
        }
        let target: WebDAVEndpoint
        do {
            target = try WebDAVEndpoint(String(address[..<slash]))
        } catch {
            throw ProviderError(
                .refused,
                "\(provider): the server redirects to a bad address: \(error.message)",
                cause: error
            )
        }
        guard target.scheme == "https" || origin.hasPrefix("http://") else {
            throw ProviderError(
                .refused,
                "\(provider): the server redirects from https to \(target.origin), where the file would go "
                    + "unencrypted: let the server redirect to https, or write http:// before its hostname"
            )
        }
        return WebDAVLocation(url: location, origin: target.origin)
    }
}
