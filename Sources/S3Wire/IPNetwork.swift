/// The addresses that begin with the same bits, as `192.0.2.0/24` or `2001:db8::/32`; one address alone has no slash.
package struct IPNetwork: Sendable, Hashable {
    /// 4 or 16 bytes.
    private let address: [UInt8]
    /// How many bits count.
    package let length: Int

    /// Whether it is one of version 4.
    package var isVersion4: Bool { address.count == 4 }

    /// - Returns: `nil` for what is no address, with a length behind the slash that cannot be.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let first = parts.first, let address = Self.address(first) else { return nil }
        let longest = address.count * 8
        var length = longest
        if parts.count == 2 {
            guard let given = Self.decimal(parts[1], maximum: longest) else { return nil }
            length = given
        }
        (self.address, self.length) = (address, length)
    }

    /// Whether that address belongs to it; not where it is none.
    package func contains(_ text: some StringProtocol) -> Bool {
        guard let other = Self.address(text), other.count == address.count else { return false }
        let whole = length / 8
        guard other[..<whole].elementsEqual(address[..<whole]) else { return false }
        let bits = length % 8
        return bits == 0 || (other[whole] ^ address[whole]) >> (8 - bits) == 0
    }

    /// The bytes of an address; one of version 4 in the clothes of version 6 (RFC 4291, section 2.5.5.2) is one of
    /// version 4.
    private static func address(_ text: some StringProtocol) -> [UInt8]? {
        guard text.utf8.count <= 45 else { return nil }
        guard text.utf8.contains(UInt8(ascii: ":")) else { return version4(text) }
        guard let bytes = version6(text) else { return nil }
        let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        return isMapped ? Array(bytes[12...]) : bytes
    }

    private static func version4(_ text: some StringProtocol) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        let bytes = parts.compactMap { decimal($0, maximum: 255).map { UInt8($0) } }
        return bytes.count == 4 ? bytes : nil
    }

    private static func version6(_ text: some StringProtocol) -> [UInt8]? {
        let groups = text.split(separator: ":", omittingEmptySubsequences: false)
        guard (3...9).contains(groups.count) else { return nil }
        var head: [UInt8] = []
        var tail: [UInt8]?
        for (index, group) in groups.enumerated() {
            if group.isEmpty {
                // Only at the ends may an empty group stand beside the one that is left out.
                if index == 0 {
                    guard groups[1].isEmpty else { return nil }
                    continue
                }
                if index == groups.count - 1 {
                    guard groups[index - 1].isEmpty else { return nil }
                    continue
                }
                guard tail == nil else { return nil }
                tail = []
            } else if group.utf8.contains(UInt8(ascii: ".")) {
                guard index == groups.count - 1, let bytes = version4(group) else { return nil }
                if tail == nil { head += bytes } else { tail?.append(contentsOf: bytes) }
            } else {
                guard group.utf8.count <= 4, group.utf8.allSatisfy({ Hexadecimal.value(of: $0) != nil }),
                    let value = UInt16(group, radix: 16)
                else { return nil }
                let bytes = [UInt8(value >> 8), UInt8(value & 0xFF)]
                if tail == nil { head += bytes } else { tail?.append(contentsOf: bytes) }
            }
        }
        guard let tail else { return head.count == 16 ? head : nil }
        let missing = 16 - head.count - tail.count
        return missing >= 2 ? head + [UInt8](repeating: 0, count: missing) + tail : nil
    }

    /// A number without signs and leading zeros.
    private static func decimal(_ text: some StringProtocol, maximum: Int) -> Int? {
        guard (1...3).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            text.utf8.count == 1 || text.utf8.first != UInt8(ascii: "0"), let number = Int(text), number <= maximum
        else { return nil }
        return number
    }
}
