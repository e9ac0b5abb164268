/// What another cluster calls one result that it sends here, however often it has to send it.
package struct DeliveryToken: Sendable, Hashable {
    let text: String

    /// `nil` for what is no token: 16 to 64 letters, digits and hyphens.
    package init?(_ text: String) {
        let isToken = text.utf8.allSatisfy { byte in
            (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2D
        }
        guard isToken, (16...64).contains(text.utf8.count) else { return nil }
        self.text = text
    }
}
