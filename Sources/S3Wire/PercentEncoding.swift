/// Percent-encoding as Signature Version 4 wants it: all bytes but the unreserved ones (RFC 3986, section 2.3)
/// become `%XX`.
package enum PercentEncoding {
    /// The bytes of the text, encoded; slashes are kept where the text is a path.
    package static func encoded(_ text: some StringProtocol, keepingSlashes: Bool = false) -> String {
        encoded(bytes: text.utf8, keepingSlashes: keepingSlashes)
    }

    /// The bytes, encoded; slashes are kept where they separate the parts of a path.
    static func encoded(bytes: some Collection<UInt8>, keepingSlashes: Bool) -> String {
        String(unsafeUninitializedCapacity: bytes.count * 3) { buffer in
            var position = 0
            for byte in bytes {
                if isUnreserved(byte) || keepingSlashes && byte == UInt8(ascii: "/") {
                    buffer[position] = byte
                    position += 1
                } else {
                    let (high, low) = Hexadecimal.capitals(of: byte)
                    buffer[position] = UInt8(ascii: "%")
                    buffer[position + 1] = high
                    buffer[position + 2] = low
                    position += 3
                }
            }
            return position
        }
    }

    /// The text that was encoded; `nil` where a `%` is not followed by two digits, or the bytes are not UTF-8.
    ///
    /// - Parameter plusIsSpace: true in queries, where forms write a space as `+`.
    package static func decoded(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
        let encoded = text.utf8
        guard encoded.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else {
            return String(text)
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(encoded.count)
        var rest = encoded.makeIterator()
        while let byte = rest.next() {
            if byte == UInt8(ascii: "%") {
                guard let high = rest.next().flatMap(Hexadecimal.value(of:)),
                    let low = rest.next().flatMap(Hexadecimal.value(of:))
                else { return nil }
                bytes.append(high << 4 | low)
            } else {
                bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Whether a path is encoded just as `encoded` would do it, without any encoded byte.
    static func isPlain(path: String) -> Bool { path.utf8.allSatisfy { isUnreserved($0) || $0 == UInt8(ascii: "/") } }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
