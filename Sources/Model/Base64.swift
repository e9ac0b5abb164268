/// Base 64 with the standard alphabet and padding (RFC 4648 section 4).
package enum Base64 {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
    )

    /// The value of each byte as a digit; 255 where it is none.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        for (value, byte) in alphabet.enumerated() { values[Int(byte)] = UInt8(value) }
        return values
    }()

    /// Encodes bytes, with padding, on one line.
    package static func encode(_ bytes: some Collection<UInt8>) -> String {
        var out: [UInt8] = []
        out.reserveCapacity((bytes.count + 2) / 3 * 4)
        var group: UInt32 = 0
        var count = 0
        for byte in bytes {
            group = group << 8 | UInt32(byte)
            count += 1
            guard count == 3 else { continue }
            for shift in [18, 12, 6, 0] as [UInt32] { out.append(alphabet[Int(group >> shift & 63)]) }
            (group, count) = (0, 0)
        }
        if count > 0 {
            group <<= UInt32(8 * (3 - count))
            for place in 0..<4 {
                let digit = alphabet[Int(group >> UInt32(18 - 6 * place) & 63)]
                out.append(place <= count ? digit : UInt8(ascii: "="))
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// Decodes text whose length is a multiple of four and that holds nothing but digits and padding; `nil`
    /// for any other.
    package static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        decode(text, skips: { _ in false })
    }

    /// Decodes text that may be broken into lines: white space is skipped; `nil` where anything else is not
    /// as it must be.
    package static func decodeSkippingWhiteSpace(_ text: some Collection<UInt8>) -> [UInt8]? {
        decode(text, skips: { $0 == 0x20 || (0x09...0x0D).contains($0) })
    }

    /// As `decode(_:)` of the text's UTF-8.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? { decode(Array(text.utf8)) }

    private static func decode(_ text: some Collection<UInt8>, skips: (UInt8) -> Bool) -> [UInt8]? {
        var out: [UInt8] = []
        out.reserveCapacity(text.count / 4 * 3)
        var group: UInt32 = 0
        var digits = 0
        var padding = 0
        for byte in text where !skips(byte) {
            if byte == UInt8(ascii: "=") {
                padding += 1
                guard digits >= 2, digits + padding <= 4 else { return nil }
                continue
            }
            let value = values[Int(byte)]
            guard value < 64, padding == 0 else { return nil }
            group = group << 6 | UInt32(value)
            digits += 1
            guard digits == 4 else { continue }
            out.append(contentsOf: [UInt8(group >> 16 & 255), UInt8(group >> 8 & 255), UInt8(group & 255)])
            (group, digits) = (0, 0)
        }
        guard digits + padding == 4 || (digits == 0 && padding == 0) else { return nil }
        // Bits beyond the last byte must be zero: each content has one spelling.
        guard digits == 0 || group & (digits == 2 ? 0xF : 0x3) == 0 else { return nil }
        switch digits {
        case 2: out.append(UInt8(group >> 4 & 255))
        case 3: out.append(contentsOf: [UInt8(group >> 10 & 255), UInt8(group >> 2 & 255)])
        default: break
        }
        return out
    }
}
