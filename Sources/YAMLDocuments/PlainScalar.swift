import Model

/// What a scalar without quotation marks means (YAML 1.2.2, section 10.3.2, as far as JSON can say it).
enum PlainScalar {
    static func value(of text: String) -> JSONValue {
        if nulls.contains(text) { return .null }
        if let value = bool(text) { return .bool(value) }
        return isNumber(text) ? .number(text) : .string(text)
    }

    static func bool(_ text: String) -> Bool? {
        switch text {
        case "true", "True", "TRUE": true
        case "false", "False", "FALSE": false
        default: nil
        }
    }

    /// Whether the text is a number in JSON's grammar (RFC 8259 section 6).
    static func isNumber(_ text: String) -> Bool {
        var rest = text.utf8[...]
        func digits(_ rest: inout Substring.UTF8View) -> Int {
            let count = rest.prefix { (0x30...0x39).contains($0) }.count
            rest = rest.dropFirst(count)
            return count
        }
        if rest.first == UInt8(ascii: "-") { rest.removeFirst() }
        let startsWithZero = rest.first == UInt8(ascii: "0")
        let whole = digits(&rest)
        guard whole > 0, whole == 1 || !startsWithZero else { return false }
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            guard digits(&rest) > 0 else { return false }
        }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest.removeFirst()
            if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest.removeFirst() }
            guard digits(&rest) > 0 else { return false }
        }
        return rest.isEmpty
    }

    /// Whether some reader of YAML, of version 1.1 or 1.2, may take the bare text for something other than
    /// text.
    static func isAmbiguous(_ text: String) -> Bool {
        guard let first = text.utf8.first else { return true }
        if (0x30...0x39).contains(first) || [0x2B, 0x2D, 0x2E].contains(first) { return true }
        return text == "<<" || text == "=" || nulls.contains(text) || words.contains(text.lowercased())
    }

    private static let nulls: Set<String> = ["", "~", "null", "Null", "NULL"]
    private static let words: Set<String> = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"]
}
