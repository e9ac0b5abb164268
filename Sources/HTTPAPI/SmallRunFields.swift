import NIOHTTP1

/// What the head of a small run says, found in one pass.
struct SmallRunFields {
    /// Of the body, in bytes.
    let length: Int
    let authorization: String?
    let wantsBytes: Bool

    /// With these a request says more than its body does.
    private static let others = [
        "expect", "upgrade", "idempotency-key", "traceparent", "origin", "transfer-encoding",
    ]

    /// `nil` where the request is more than that: it has fields that ask for more, or no length, or two.
    init?(_ headers: HTTPHeaders) {
        var (length, authorization, accept): (Int?, String?, String?)
        for (name, value) in headers {
            if Self.is(name, "content-length") {
                guard length == nil, let number = Int(value), number >= 0 else { return nil }
                length = number
            } else if Self.is(name, "authorization") {
                authorization = authorization ?? value
            } else if Self.is(name, "accept") {
                accept = accept ?? value
            } else if Self.others.contains(where: { Self.is(name, $0) }) {
                return nil
            }
        }
        guard let length else { return nil }
        (self.length, self.authorization) = (length, authorization)
        wantsBytes = MediaTypes.wantsBytes(accept)
    }

    /// - Parameter other: of lower-case letters and hyphens.
    private static func `is`(_ name: String, _ other: String) -> Bool {
        guard name.utf8.count == other.utf8.count else { return false }
        return zip(name.utf8, other.utf8).allSatisfy { $0 == $1 || $1 >= 0x61 && $0 | 0x20 == $1 }
    }
}
