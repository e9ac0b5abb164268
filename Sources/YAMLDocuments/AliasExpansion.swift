/// How large a document may become when its aliases are replaced by what they stand for ("billion laughs").
///
/// Looks at the text alone. An anchored value ends before its first alias, so what lies between anchor and
/// first alias is at least as long as the value; each alias adds that much. Words that only look like anchors
/// and aliases, in a script for example, count only where both are there with one name.
enum AliasExpansion {
    /// In bytes.
    static let maximum = 64 << 20

    /// An upper bound of the expanded length, in bytes; never below the text's own.
    static func bound(of text: String) -> Int {
        var text = text
        return text.withUTF8 { bound(of: $0) }
    }

    private static func bound(of bytes: UnsafeBufferPointer<UInt8>) -> Int {
        guard bytes.contains(UInt8(ascii: "&")), bytes.contains(UInt8(ascii: "*")) else { return bytes.count }
        /// Where an anchored value begins, on the scale of the expanded text; after the first alias also its
        /// length.
        var anchors: [[UInt8]: (start: Int, length: Int?)] = [:]
        var added = 0
        for index in bytes.indices where index == 0 || isBeforeToken(bytes[index - 1]) {
            let mark = bytes[index]
            guard mark == UInt8(ascii: "&") || mark == UInt8(ascii: "*") else { continue }
            let name = Array(bytes[(index + 1)...].prefix(256).prefix(while: isNameByte))
            guard !name.isEmpty else { continue }
            let position = index + added
            if mark == UInt8(ascii: "&") {
                anchors[name] = (position, nil)
            } else if let anchor = anchors[name] {
                let length = anchor.length ?? position - anchor.start
                anchors[name] = (anchor.start, length)
                added += length
                guard added <= maximum else { return added }
            }
        }
        return bytes.count + added
    }

    private static func isBeforeToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x09, 0x0A, 0x0D, 0x20, UInt8(ascii: "["), UInt8(ascii: "{"), UInt8(ascii: ","),
            UInt8(ascii: ":"):
            true
        default: false
        }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
    }
}
