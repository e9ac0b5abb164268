/// What a client sends as `Idempotency-Key`, so that a request that it repeats is done once
/// (draft-ietf-httpapi-idempotency-key-header).
package struct IdempotencyKey: Sendable, Hashable, CustomStringConvertible {
    /// In characters.
    package static let maximumLength = 255

    package let text: String

    /// Quotation marks around the key, which the draft demands and most clients leave out, do not count.
    ///
    /// - Throws: `NameError` unless it has 1 to 255 visible ASCII characters or spaces.
    package init(_ header: some StringProtocol) throws(NameError) {
        var bytes = Array(header.utf8)
        if bytes.count >= 2, bytes.first == UInt8(ascii: "\""), bytes.last == UInt8(ascii: "\"") {
            bytes = Array(bytes.dropFirst().dropLast())
        }
        guard (1...Self.maximumLength).contains(bytes.count), bytes.allSatisfy({ (0x20..<0x7F).contains($0) }) else {
            throw NameError(
                message: "an idempotency key has 1 to \(Self.maximumLength) characters of ASCII")
        }
        text = String(decoding: bytes, as: UTF8.self)
    }

    private init(unchecked text: String) { self.text = text }

    /// The key as a user's own: what another user calls a request is another request.
    ///
    /// The administrator's and services' keys stay as they are.
    package func scoped(to principal: Principal) -> IdempotencyKey {
        guard case .user(let user) = principal else { return self }
        return IdempotencyKey(unchecked: "\(user.id)\u{1}\(text)")
    }

    package var description: String { text }
}
