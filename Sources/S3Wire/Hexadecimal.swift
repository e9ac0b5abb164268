/// Base 16 (RFC 4648, section 8), in lower case as Signature Version 4 writes it.
package enum Hexadecimal {
    private static let digits = Array("0123456789abcdef".utf8)
    private static let capitalDigits = Array("0123456789ABCDEF".utf8)

    /// The bytes as lower-case digits.
    package static func text(_ bytes: some Collection<UInt8>) -> String {
        String(unsafeUninitializedCapacity: bytes.count * 2) { buffer in
            var position = 0
            for byte in bytes {
                buffer[position] = digits[Int(byte >> 4)]
                buffer[position + 1] = digits[Int(byte & 15)]
                position += 2
            }
            return position
        }
    }

    /// The bytes that the digits stand for, in either case; `nil` for an odd number of them or any other character.
    package static func bytes(_ text: some StringProtocol) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = value(of: digits[index]), let low = value(of: digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    /// The value of one digit, in either case.
    static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// The two upper-case digits of a byte, as percent-encoding wants them.
    static func capitals(of byte: UInt8) -> (high: UInt8, low: UInt8) {
        (capitalDigits[Int(byte >> 4)], capitalDigits[Int(byte & 15)])
    }
}
