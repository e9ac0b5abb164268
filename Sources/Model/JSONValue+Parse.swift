/// Why a text is not the JSON that was asked for.
package struct JSONError: Error, Hashable, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        case empty, malformed, tooDeep, invalidUTF8
    }

    package let code: Code
    package let message: String
    /// Where in the text, in bytes from its start.
    package let offset: Int

    package var description: String { "\(message) at byte \(offset)" }
}

extension JSONValue {
    /// How deep arrays and objects may nest: as deep as no honest document goes, and safe for the stack.
    package static let maximumDepth = 256

    /// Parses one JSON document (RFC 8259).
    ///
    /// - Throws: `JSONError` with `empty` when there is nothing but white space, `invalidUTF8`, `tooDeep`
    ///   beyond `maximumDepth` levels, `malformed` for anything else that the grammar does not allow.
    package static func parse(_ text: some StringProtocol) throws(JSONError) -> JSONValue {
        try parse(bytes: Array(text.utf8))
    }

    /// Parses one JSON document from UTF-8 bytes.
    ///
    /// - Parameter refusingRepeatedKeys: whether an object that has a key twice is malformed; else the last one counts.
    /// - Throws: as `parse(_:)`.
    package static func parse(bytes: [UInt8], refusingRepeatedKeys: Bool = false) throws(JSONError) -> JSONValue {
        var parser = JSONParser(bytes: bytes, refusesRepeatedKeys: refusingRepeatedKeys)
        return try parser.document()
    }
}

private struct JSONParser {
    let bytes: [UInt8]
    let refusesRepeatedKeys: Bool
    var position = 0

    init(bytes: [UInt8], refusesRepeatedKeys: Bool) {
        self.bytes = bytes
        self.refusesRepeatedKeys = refusesRepeatedKeys
    }

    mutating func document() throws(JSONError) -> JSONValue {
        skipWhiteSpace()
        guard position < bytes.count else { throw JSONError(code: .empty, message: "EOF", offset: position) }
        let value = try value(depth: 0)
        skipWhiteSpace()
        guard position == bytes.count else { throw malformed("unexpected text after the document") }
        return value
    }

    private func malformed(_ message: String) -> JSONError {
        JSONError(code: .malformed, message: message, offset: position)
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipWhiteSpace() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
            position += 1
        }
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        guard depth < JSONValue.maximumDepth else {
            throw JSONError(
                code: .tooDeep,
                message: "nested deeper than \(JSONValue.maximumDepth)",
                offset: position
            )
        }
        guard let current else { throw malformed("unexpected end") }
        switch current {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
        default: throw malformed("invalid character")
        }
    }

    private mutating func literal(_ text: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
        guard bytes[position...].starts(with: text.utf8) else { throw malformed("invalid literal") }
        position += text.utf8.count
        return value
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        position += 1
        var object = JSONObject()
        skipWhiteSpace()
        if current == UInt8(ascii: "}") {
            position += 1
            return .object(object)
        }
        while true {
            skipWhiteSpace()
            guard current == UInt8(ascii: "\"") else { throw malformed("expected a key in double quotes") }
            let key = try string()
            guard !refusesRepeatedKeys || object[key] == nil else { throw malformed("a key is given twice") }
            skipWhiteSpace()
            guard current == UInt8(ascii: ":") else { throw malformed("expected ':'") }
            position += 1
            skipWhiteSpace()
            object[key] = try value(depth: depth + 1)
            skipWhiteSpace()
            if try endsList(UInt8(ascii: "}")) { return .object(object) }
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        position += 1
        var elements: [JSONValue] = []
        skipWhiteSpace()
        if current == UInt8(ascii: "]") {
            position += 1
            return .array(elements)
        }
        while true {
            skipWhiteSpace()
            elements.append(try value(depth: depth + 1))
            skipWhiteSpace()
            if try endsList(UInt8(ascii: "]")) { return .array(elements) }
        }
    }

    /// Reads the comma or the closing bracket after an element; true when the list has ended.
    private mutating func endsList(_ close: UInt8) throws(JSONError) -> Bool {
        guard let byte = current, byte == close || byte == UInt8(ascii: ",") else {
            throw malformed("expected ',' or '\(Character(Unicode.Scalar(close)))'")
        }
        position += 1
        return byte == close
    }

    private mutating func number() throws(JSONError) -> String {
        let start = position
        func isDigit(_ byte: UInt8?) -> Bool { byte.map { $0 >= 0x30 && $0 <= 0x39 } ?? false }
        func skipDigits(_ position: inout Int, _ bytes: [UInt8]) -> Bool {
            let before = position
            while position < bytes.count, isDigit(bytes[position]) { position += 1 }
            return position > before
        }
        if current == UInt8(ascii: "-") { position += 1 }
        if current == UInt8(ascii: "0") {
            position += 1
        } else if !skipDigits(&position, bytes) {
            throw malformed("invalid number")
        }
        if current == UInt8(ascii: ".") {
            position += 1
            guard skipDigits(&position, bytes) else { throw malformed("invalid number") }
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            guard skipDigits(&position, bytes) else { throw malformed("invalid number") }
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func string() throws(JSONError) -> String {
        position += 1
        var collected: [UInt8] = []
        var runStart = position
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                collected.append(contentsOf: bytes[runStart..<position])
                position += 1
                guard let text = String(validating: collected, as: UTF8.self) else {
                    throw JSONError(
                        code: .invalidUTF8,
                        message: "invalid UTF-8 in a string",
                        offset: runStart
                    )
                }
                return text
            case UInt8(ascii: "\\"):
                collected.append(contentsOf: bytes[runStart..<position])
                try escape(into: &collected)
                runStart = position
            case 0..<0x20: throw malformed("control character in a string")
            default: position += 1
            }
        }
        throw malformed("unterminated string")
    }

    private mutating func escape(into collected: inout [UInt8]) throws(JSONError) {
        position += 1
        guard let kind = current else { throw malformed("unterminated escape") }
        position += 1
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): collected.append(kind)
        case UInt8(ascii: "b"): collected.append(0x08)
        case UInt8(ascii: "f"): collected.append(0x0C)
        case UInt8(ascii: "n"): collected.append(0x0A)
        case UInt8(ascii: "r"): collected.append(0x0D)
        case UInt8(ascii: "t"): collected.append(0x09)
        case UInt8(ascii: "u"): try unicodeEscape(into: &collected)
        default: throw malformed("unknown escape")
        }
    }

    /// `\uXXXX`; a lone surrogate becomes U+FFFD, as Go's `encoding/json` decodes it.
    private mutating func unicodeEscape(into collected: inout [UInt8]) throws(JSONError) {
        var value = UInt32(try hexQuad())
        if (0xD800..<0xDC00).contains(value), bytes[position...].starts(with: "\\u".utf8) {
            let mark = position
            position += 2
            let low = UInt32(try hexQuad())
            if (0xDC00..<0xE000).contains(low) {
                value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00)
            } else {
                position = mark
            }
        }
        collected.append(contentsOf: String(Unicode.Scalar(value).map(Character.init) ?? "\u{FFFD}").utf8)
    }

    private mutating func hexQuad() throws(JSONError) -> UInt16 {
        guard position + 4 <= bytes.count,
            bytes[position..<position + 4].allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let value = UInt16(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
        else { throw malformed("expected four hexadecimal digits") }
        position += 4
        return value
    }
}
