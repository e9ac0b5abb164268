/// Random identifiers.
package enum UniqueID {
    private static let digits = Array("0123456789abcdef".utf8)

    /// A version 4 UUID (RFC 9562 section 5.4) in lower case.
    package static func uuid() -> String {
        var generator = SystemRandomNumberGenerator()
        let high = (generator.next() & 0xFFFF_FFFF_FFFF_0FFF) | 0x4000
        let low = (generator.next() & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000
        let text = hex(high) + hex(low)
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32]
            .map { String(decoding: text[$0], as: UTF8.self) }
            .joined(separator: "-")
    }

    private static func hex(_ value: UInt64) -> [UInt8] {
        (0..<16).map { digits[Int((value >> UInt64(60 - 4 * $0)) & 0xF)] }
    }
}
