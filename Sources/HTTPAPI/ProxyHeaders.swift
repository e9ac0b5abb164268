import Model
import NIOHTTP1

/// What becomes of headers on their way to a program and back (RFC 9110, section 7.6).
enum ProxyHeaders {
    private static let via = "1.1 apus"

    /// What cannot be passed on.
    struct Malformed: Error {}

    // MARK: To the program

    /// The headers of the request that the program gets.
    ///
    /// - Parameters:
    ///   - address: the client's.
    ///   - upgrade: the protocols that the client asks for, where that is to be passed on.
    /// - Throws: `Malformed` where a value has control characters, or the body a coding other than chunks.
    static func request(
        _ head: HTTPRequestHead,
        for target: ProxyTarget,
        address: String,
        upgrade: String?
    ) throws(Malformed) -> HTTPHeaders {
        let named = namedByConnection(head.headers)
        var headers = HTTPHeaders()
        headers.reserveCapacity(head.headers.count + 6)
        headers.add(name: "host", value: host(of: head))
        for (name, value) in head.headers {
            if isHopByHop(name) || isOurs(name) || named.contains(name.lowercased()) { continue }
            if target.hidesAuthorization, isSame(name, "authorization") { continue }
            guard isClean(value) else { throw Malformed() }
            headers.add(name: name, value: value)
        }
        try addFraming(of: head, to: &headers)
        addOrigin(of: head, target, address, to: &headers)
        if let upgrade {
            headers.add(name: "connection", value: "upgrade")
            headers.add(name: "upgrade", value: upgrade)
        }
        return headers
    }

    /// That of a target in absolute form counts more than the header (RFC 9112, section 3.2.2).
    private static func host(of head: HTTPRequestHead) -> String {
        if head.uri.utf8.first != UInt8(ascii: "/"), let slashes = head.uri.firstRange(of: "://") {
            return String(head.uri[slashes.upperBound...].prefix { $0 != "/" && $0 != "?" })
        }
        return head.headers.first(name: "host").flatMap { isClean($0) ? $0 : nil } ?? "localhost"
    }

    /// The length is said anew, from what the parser took for it: nobody after us can take it for another.
    private static func addFraming(of head: HTTPRequestHead, to headers: inout HTTPHeaders) throws(Malformed) {
        let coding = head.headers[canonicalForm: "transfer-encoding"]
        if let first = coding.first {
            guard coding.count == 1, isSame(first, "chunked"), !head.headers.contains(name: "content-length") else {
                throw Malformed()
            }
            headers.add(name: "transfer-encoding", value: "chunked")
        } else if let length = head.headers.first(name: "content-length") {
            headers.add(name: "content-length", value: length)
        } else if head.method == .POST || head.method == .PUT || head.method == .PATCH {
            headers.add(name: "content-length", value: "0")
        }
    }

    /// Who asks, and where: what proxies before us said of the scheme and the host is kept.
    private static func addOrigin(
        of head: HTTPRequestHead,
        _ target: ProxyTarget,
        _ address: String,
        to headers: inout HTTPHeaders
    ) {
        func given(_ name: String) -> String? {
            let values = head.headers[name].filter(isClean)
            return values.isEmpty ? nil : values.joined(separator: ", ")
        }
        headers.add(name: "x-forwarded-for", value: given("x-forwarded-for").map { "\($0), \(address)" } ?? address)
        headers.add(name: "x-forwarded-proto", value: given("x-forwarded-proto") ?? target.scheme)
        headers.add(name: "x-forwarded-host", value: given("x-forwarded-host") ?? host(of: head))
        if !target.prefix.isEmpty {
            // What a proxy before us took away comes before what we take away.
            let before = given("x-forwarded-prefix").flatMap { isPath($0) ? $0 : nil } ?? ""
            headers.add(name: "x-forwarded-prefix", value: before + target.prefix)
        }
        headers.add(name: "via", value: given("via").map { "\($0), \(via)" } ?? via)
    }

    /// Whether a text can be put before a path without leading to another host.
    private static func isPath(_ text: String) -> Bool {
        text.utf8.first == UInt8(ascii: "/") && text.utf8.last != UInt8(ascii: "/") && !text.contains("//")
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\\") }
    }

    // MARK: To the client

    /// The headers of the answer that the client gets, without those that say how long it is.
    ///
    /// - Throws: `Malformed` where a value has control characters.
    static func response(_ head: HTTPResponseHead, for target: ProxyTarget) throws(Malformed) -> HTTPHeaders {
        let named = namedByConnection(head.headers)
        var headers = HTTPHeaders()
        headers.reserveCapacity(head.headers.count + 6)
        for (name, value) in head.headers {
            if isHopByHop(name) || isSame(name, "content-length") || named.contains(name.lowercased()) { continue }
            guard isClean(value) else { throw Malformed() }
            headers.add(name: name, value: value)
        }
        headers.add(name: "via", value: via)
        if let cookie = target.cookie { headers.add(name: "set-cookie", value: cookie) }
        return headers
    }

    // MARK: Kinds of headers

    /// What the sender's `Connection` says is for the next hop only; mostly nothing but the known words.
    private static func namedByConnection(_ headers: HTTPHeaders) -> Set<String> {
        var names: Set<String> = []
        for option in headers[canonicalForm: "connection"]
        where !isSame(option, "close") && !isSame(option, "keep-alive") && !isSame(option, "upgrade") {
            names.insert(option.lowercased())
        }
        return names
    }

    /// What is for one connection only (RFC 9110, section 7.6.1), and `Expect`, which we answer.
    static func isHopByHop(_ name: String) -> Bool {
        switch name.utf8.count {
        case 2: isSame(name, "te")
        case 6: isSame(name, "expect")
        case 7: isSame(name, "upgrade") || isSame(name, "trailer")
        case 10: isSame(name, "connection") || isSame(name, "keep-alive")
        case 14: isSame(name, "http2-settings")
        case 16: isSame(name, "proxy-connection")
        case 17: isSame(name, "transfer-encoding")
        case 18: isSame(name, "proxy-authenticate")
        case 19: isSame(name, "proxy-authorization")
        default: false
        }
    }

    /// What we say ourselves, however it is written.
    ///
    /// To many programs an underscore and a hyphen are the same. And `Proxy`, which programs behind CGI take for a
    /// setting.
    private static func isOurs(_ name: String) -> Bool {
        switch name.utf8.first {
        case UInt8(ascii: "h"), UInt8(ascii: "H"): return isSame(name, "host")
        case UInt8(ascii: "v"), UInt8(ascii: "V"): return isSame(name, "via")
        case UInt8(ascii: "p"), UInt8(ascii: "P"): return isSame(name, "proxy")
        case UInt8(ascii: "c"), UInt8(ascii: "C"): return isSame(name, "content-length") || name == "content_length"
        case UInt8(ascii: "x"), UInt8(ascii: "X"):
            guard name.utf8.count >= 15 else { return false }
            let plain = name.lowercased().replacing("_", with: "-")
            return ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-prefix"].contains(plain)
        default: return false
        }
    }

    /// The protocols that a client wants on its connection; `nil` where it is none, or cannot be.
    ///
    /// Not HTTP/2: that could carry requests that nobody has looked at. Not with a body: where it ends would be another
    /// question.
    static func upgrade(askedBy head: HTTPRequestHead) -> String? {
        let hasBody =
            head.headers.contains(name: "transfer-encoding")
            || head.headers.first(name: "content-length").map { $0 != "0" } ?? false
        guard head.version == .http1_1, !hasBody, namesUpgrade(head.headers) else { return nil }
        let protocols = head.headers[canonicalForm: "upgrade"]
        guard !protocols.isEmpty, protocols.allSatisfy({ !isSame($0, "h2c") && isClean($0) }) else { return nil }
        return protocols.joined(separator: ", ")
    }

    /// Whether an `Upgrade` is meant.
    ///
    /// What the parser takes for it is at least this: behind a head that it takes for an upgrade it leaves the bytes as they
    /// are, and we must never take bytes that it still parses for those of another protocol.
    static func namesUpgrade(_ headers: HTTPHeaders) -> Bool {
        guard headers.contains(name: "upgrade") else { return false }
        let values = headers["connection"]
        guard values.allSatisfy({ $0.utf8.allSatisfy { (0x20...0x7E).contains($0) } }) else { return false }
        return values.flatMap { $0.split(separator: ",") }.contains { option in
            var option = option.drop { $0 == " " }
            while option.last == " " { option.removeLast() }
            return isSame(option, "upgrade")
        }
    }

    /// Equal but for the case of ASCII letters.
    static func isSame(_ one: some StringProtocol, _ lower: StaticString) -> Bool {
        guard one.utf8.count == lower.utf8CodeUnitCount else { return false }
        return lower.withUTF8Buffer { lower in
            zip(one.utf8, lower).allSatisfy { $0 == $1 || ((0x41...0x5A).contains($0) && $0 | 0x20 == $1) }
        }
    }

    /// No control characters but tabs (RFC 9110, section 5.5).
    static func isClean(_ value: some StringProtocol) -> Bool {
        value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
    }
}
