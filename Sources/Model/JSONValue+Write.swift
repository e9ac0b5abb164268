extension JSONValue {
    /// Which characters are escaped beyond what RFC 8259 section 7 demands.
    package enum Escaping: Sendable {
        /// Only what must be.
        case minimal
        /// Also `<`, `>`, `&`, U+2028 and U+2029, as Go's `encoding/json` does.
        case html
    }

    /// The document as UTF-8 text, compact, keys in their order.
    package func text(escaping: Escaping = .minimal) -> String {
        String(decoding: bytes(escaping: escaping), as: UTF8.self)
    }

    /// The document as UTF-8 bytes, compact, keys in their order.
    package func bytes(escaping: Escaping = .minimal) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(256)
        write(to: &out, escaping: escaping, indent: nil, level: 0)
        return out
    }

    /// The document over several lines, two spaces a level, for people to read.
    package func prettyText() -> String {
        var out: [UInt8] = []
        write(to: &out, escaping: .minimal, indent: 2, level: 0)
        return String(decoding: out, as: UTF8.self)
    }

    private func write(to out: inout [UInt8], escaping: Escaping, indent: Int?, level: Int) {
        switch self {
        case .null: out.append(contentsOf: "null".utf8)
        case .bool(let value): out.append(contentsOf: (value ? "true" : "false").utf8)
        case .number(let text): out.append(contentsOf: text.utf8)
        case .string(let text): Self.write(text, to: &out, escaping: escaping)
        case .array(let elements):
            Self.writeList("[", "]", elements, to: &out, indent: indent, level: level) { element, out in
                element.write(to: &out, escaping: escaping, indent: indent, level: level + 1)
            }
        case .object(let object):
            Self.writeList("{", "}", object.members, to: &out, indent: indent, level: level) { member, out in
                Self.write(member.key, to: &out, escaping: escaping)
                out.append(UInt8(ascii: ":"))
                if indent != nil { out.append(UInt8(ascii: " ")) }
                member.value.write(to: &out, escaping: escaping, indent: indent, level: level + 1)
            }
        }
    }

    private static func writeList<Element>(
        _ open: Unicode.Scalar,
        _ close: Unicode.Scalar,
        _ elements: [Element],
        to out: inout [UInt8],
        indent: Int?,
        level: Int,
        each: (Element, inout [UInt8]) -> Void
    ) {
        func newLine(_ level: Int) {
            guard let indent, !elements.isEmpty else { return }
            out.append(UInt8(ascii: "\n"))
            out.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indent * level))
        }
        out.append(UInt8(ascii: open))
        for (index, element) in elements.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            newLine(level + 1)
            each(element, &out)
        }
        newLine(level)
        out.append(UInt8(ascii: close))
    }

    private static let hexDigits = Array("0123456789abcdef".utf8)

    private static func write(_ text: String, to out: inout [UInt8], escaping: Escaping) {
        out.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { bytes in
            var runStart = 0
            var index = 0
            while index < bytes.count {
                guard let escape = escape(bytes, at: index, escaping) else {
                    index += 1
                    continue
                }
                out.append(contentsOf: bytes[runStart..<index])
                out.append(contentsOf: escape.text)
                index += escape.length
                runStart = index
            }
            out.append(contentsOf: bytes[runStart...])
        }
        out.append(UInt8(ascii: "\""))
    }

    /// How what stands there is escaped, and how many bytes that replaces; `nil` where it stays as it is.
    private static func escape(
        _ bytes: UnsafeBufferPointer<UInt8>,
        at index: Int,
        _ escaping: Escaping
    ) -> (text: [UInt8], length: Int)? {
        let byte = bytes[index]
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): return ([UInt8(ascii: "\\"), byte], 1)
        case 0x0A: return (Array("\\n".utf8), 1)
        case 0x0D: return (Array("\\r".utf8), 1)
        case 0x09: return (Array("\\t".utf8), 1)
        case 0..<0x20: return (unicodeEscape(UInt16(byte)), 1)
        case UInt8(ascii: "<") where escaping == .html, UInt8(ascii: ">") where escaping == .html,
            UInt8(ascii: "&") where escaping == .html:
            return (unicodeEscape(UInt16(byte)), 1)
        case 0xE2 where escaping == .html && index + 2 < bytes.count && bytes[index + 1] == 0x80:
            // U+2028 and U+2029 are E2 80 A8 and E2 80 A9.
            let last = bytes[index + 2]
            guard last == 0xA8 || last == 0xA9 else { return nil }
            return (unicodeEscape(0x2028 + UInt16(last - 0xA8)), 3)
        default: return nil
        }
    }

    private static func unicodeEscape(_ unit: UInt16) -> [UInt8] {
        Array("\\u".utf8) + [12, 8, 4, 0].map { hexDigits[Int(unit >> UInt16($0) & 0xF)] }
    }
}
