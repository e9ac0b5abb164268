extension JSONValue {
    /// The document as Python's `json.dumps` writes it by default: a space after commas and colons, everything beyond
    /// ASCII escaped.
    ///
    /// Functions that were written for OSCAR may compare such texts.
    package func pythonText() -> String {
        var out: [UInt8] = []
        writePython(to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    private func writePython(to out: inout [UInt8]) {
        switch self {
        case .null, .bool, .number: out.append(contentsOf: bytes())
        case .string(let text): Self.writePython(text, to: &out)
        case .array(let elements):
            out.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { out.append(contentsOf: ", ".utf8) }
                element.writePython(to: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .object(let object):
            out.append(UInt8(ascii: "{"))
            for (index, member) in object.members.enumerated() {
                if index > 0 { out.append(contentsOf: ", ".utf8) }
                Self.writePython(member.key, to: &out)
                out.append(contentsOf: ": ".utf8)
                member.value.writePython(to: &out)
            }
            out.append(UInt8(ascii: "}"))
        }
    }

    private static func writePython(_ text: String, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for unit in text.utf16 {
            switch unit {
            case 0x22: out.append(contentsOf: "\\\"".utf8)
            case 0x5C: out.append(contentsOf: "\\\\".utf8)
            case 0x08: out.append(contentsOf: "\\b".utf8)
            case 0x09: out.append(contentsOf: "\\t".utf8)
            case 0x0A: out.append(contentsOf: "\\n".utf8)
            case 0x0C: out.append(contentsOf: "\\f".utf8)
            case 0x0D: out.append(contentsOf: "\\r".utf8)
            case 0x20..<0x7F: out.append(UInt8(unit))
            default:
                let digits = String(unit, radix: 16)
                out.append(
                    contentsOf: "\\u\(String(repeating: "0", count: 4 - digits.utf8.count))\(digits)".utf8
                )
            }
        }
        out.append(UInt8(ascii: "\""))
    }
}
