import Model
import NIOCore

/// One line that a resident program has written to its standard output, where it is an answer:
/// `{"id":"7","ok":true,"result":"…"}` or `{"id":"7","ok":false,"error":"…"}`.
struct ResidentLine: Equatable {
    var id: UInt64
    var isOK: Bool
    /// The result or the error, decoded.
    var text: ByteBuffer

    /// - Parameter line: without its end.
    /// - Returns: `nil` for what is no answer.
    static func parse(_ line: ByteBuffer) -> ResidentLine? {
        let scan = line.withUnsafeReadableBytes { bytes in
            var scanner = AnswerScanner(bytes: bytes)
            return scanner.scan()
        }
        switch scan {
        case .no: return nil
        case .plain(let id, let isOK, let place, let isEscaped):
            guard let text = line.getSlice(at: line.readerIndex + place.lowerBound, length: place.count),
                let decoded = isEscaped ? JSONText.unescaped(text) : text
            else { return nil }
            return ResidentLine(id: id, isOK: isOK, text: decoded)
        case .other: return parse(document: line)
        }
    }

    /// The general form: any order, further members, other values.
    private static func parse(document line: ByteBuffer) -> ResidentLine? {
        guard let value = try? JSONValue.parse(bytes: Array(line.readableBytesView)),  // no JSON, no answer
            let id = value["id"]?.stringValue ?? value["id"]?.integerValue.map({ String($0) }), let number = UInt64(id),
            let isOK = value["ok"]?.boolValue
        else { return nil }
        let text =
            switch value[isOK ? "result" : "error"] {
            case .string(let text): ByteBuffer(string: text)
            case nil, .null: ByteBuffer()
            case let other?: ByteBuffer(bytes: other.bytes())
            }
        return ResidentLine(id: number, isOK: isOK, text: text)
    }

    /// The id of an answer of which only the beginning is known.
    static func id(ofBeginning line: ByteBuffer) -> UInt64? {
        line.withUnsafeReadableBytes { bytes in
            var scanner = AnswerScanner(bytes: bytes)
            return scanner.scanID()
        }
    }
}

/// Finds the parts of the usual answers without making anything.
private struct AnswerScanner {
    enum Scan {
        case no
        /// The id, whether it went well, where the text stands, whether there are escapes in it.
        case plain(UInt64, Bool, Range<Int>, Bool)
        case other
    }

    let bytes: UnsafeRawBufferPointer
    var index = 0

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func scan() -> Scan {
        skipSpace()
        guard take("{") else { return .no }
        var (id, isOK): (UInt64?, Bool?)
        var texts: (result: (Range<Int>, Bool)?, error: (Range<Int>, Bool)?)
        repeat {
            guard case (let key, false)? = string(), skipColon() else { return .other }
            if isKey(key, "id") {
                guard let number = number() else { return .other }
                id = number
            } else if isKey(key, "ok") {
                guard let value = bool() else { return .other }
                isOK = value
            } else if isKey(key, "result") {
                guard let text = string() else { return .other }
                texts.result = text
            } else if isKey(key, "error") {
                guard let text = string() else { return .other }
                texts.error = text
            } else {
                return .other
            }
            skipSpace()
        } while take(",")
        guard take("}") else { return .other }
        skipSpace()
        guard index == bytes.count, let id, let isOK, let (place, isEscaped) = isOK ? texts.result : texts.error
        else { return .other }
        return .plain(id, isOK, place, isEscaped)
    }

    mutating func scanID() -> UInt64? {
        skipSpace()
        guard take("{"), case (let key, false)? = string(), isKey(key, "id"), skipColon() else { return nil }
        return number()
    }

    private mutating func skipSpace() {
        while index < bytes.count, [0x20, 0x09, 0x0D].contains(bytes[index]) { index += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard index < bytes.count, UInt32(bytes[index]) == character.value else { return false }
        index += 1
        return true
    }

    private mutating func skipColon() -> Bool {
        skipSpace()
        guard take(":") else { return false }
        skipSpace()
        return true
    }

    /// Where the content of a string stands, and whether it has escapes.
    private mutating func string() -> (Range<Int>, Bool)? {
        skipSpace()
        guard take("\"") else { return nil }
        let start = index
        var isEscaped = false
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\"") {
                index += 1
                return (start..<index - 1, isEscaped)
            }
            if byte == UInt8(ascii: "\\") {
                isEscaped = true
                index += 1
            }
            if byte < 0x20 { return nil }
            index += 1
        }
        return nil
    }

    private func isKey(_ range: Range<Int>, _ key: StaticString) -> Bool {
        guard range.count == key.utf8CodeUnitCount else { return false }
        return range.indices.allSatisfy { bytes[$0] == key.utf8Start[$0 - range.lowerBound] }
    }

    /// The number in a string of digits.
    private mutating func number() -> UInt64? {
        guard case (let range, false)? = string(), (1...19).contains(range.count) else { return nil }
        var number: UInt64 = 0
        for index in range {
            guard case 0x30...0x39 = bytes[index] else { return nil }
            number = number * 10 + UInt64(bytes[index] - 0x30)
        }
        return number
    }

    private mutating func bool() -> Bool? {
        for (word, value) in [("true", true), ("false", false)] as [(StaticString, Bool)] {
            let end = index + word.utf8CodeUnitCount
            if end <= bytes.count, isKey(index..<end, word) {
                index = end
                return value
            }
        }
        return nil
    }
}

/// Text in JSON strings.
enum JSONText {
    /// The content of a string, its escapes decoded (RFC 8259 section 7); `nil` where one is none.
    static func unescaped(_ text: ByteBuffer) -> ByteBuffer? {
        var out = ByteBufferAllocator().buffer(capacity: text.readableBytes)
        let isWhole = text.withUnsafeReadableBytes { bytes -> Bool in
            var index = 0
            while index < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[index...])
                let plain = rest.firstIndex(of: UInt8(ascii: "\\")) ?? rest.count
                out.writeBytes(UnsafeRawBufferPointer(rebasing: rest[..<plain]))
                index += plain
                guard index < bytes.count else { return true }
                guard let length = escape(UnsafeRawBufferPointer(rebasing: bytes[index...]), into: &out) else {
                    return false
                }
                index += length
            }
            return true
        }
        return isWhole ? out : nil
    }

    /// Decodes the escape that stands at the beginning, and tells its length.
    private static func escape(_ bytes: UnsafeRawBufferPointer, into out: inout ByteBuffer) -> Int? {
        guard bytes.count >= 2 else { return nil }
        switch bytes[1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.writeInteger(bytes[1])
        case UInt8(ascii: "b"): out.writeInteger(UInt8(0x08))
        case UInt8(ascii: "f"): out.writeInteger(UInt8(0x0C))
        case UInt8(ascii: "n"): out.writeInteger(UInt8(0x0A))
        case UInt8(ascii: "r"): out.writeInteger(UInt8(0x0D))
        case UInt8(ascii: "t"): out.writeInteger(UInt8(0x09))
        case UInt8(ascii: "u"):
            guard let first = unit(bytes, at: 2) else { return nil }
            var (scalar, length) = (UInt32(first), 6)
            if UTF16.isLeadSurrogate(first), bytes.count >= 12, bytes[6] == UInt8(ascii: "\\"),
                bytes[7] == UInt8(ascii: "u"), let second = unit(bytes, at: 8), UTF16.isTrailSurrogate(second)
            {
                scalar = 0x1_0000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00)
                length = 12
            }
            // Half of a pair alone is no character.
            out.writeString(String(Character(Unicode.Scalar(scalar) ?? "\u{FFFD}")))
            return length
        default: return nil
        }
        return 2
    }

    private static func unit(_ bytes: UnsafeRawBufferPointer, at index: Int) -> UInt16? {
        guard bytes.count >= index + 4 else { return nil }
        var unit: UInt16 = 0
        for byte in bytes[index..<index + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }
}
