/// Reads an XML document event by event.
///
/// It knows what requests of S3 need: elements, texts, CDATA, comments, the five named entities and numbered ones.
/// It refuses document types, so that no entity can be defined, and processing instructions.
package struct XMLReader: Sendable {
    package enum Event: Sendable, Hashable {
        /// The name without its prefix. Attributes are skipped.
        case start(String)
        case text(String)
        case end(String)
    }

    /// How deep elements may nest.
    package static let maximumDepth = 16

    private let bytes: [UInt8]
    private var position = 0
    private var open: [[UInt8]] = []
    private var pendingEnd: String?
    private var hasRoot = false

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The next event; `nil` after the end of the root element.
    ///
    /// - Throws: `S3Error` with `malformedXML`.
    package mutating func next() throws(S3Error) -> Event? {
        if let name = pendingEnd {
            pendingEnd = nil
            return .end(name)
        }
        if position == 0 { try skipDeclaration() }
        while position < bytes.count {
            if bytes[position] != UInt8(ascii: "<") {
                let text = try text()
                if !open.isEmpty { return .text(text) }
                guard text.utf8.allSatisfy(Self.isWhiteSpace) else { throw malformed("there is text outside the root") }
            } else if skip("<!--") {
                try skipPast("-->")
            } else if skip("<![CDATA[") {
                guard !open.isEmpty else { throw malformed("there is text outside the root") }
                let start = position
                try skipPast("]]>")
                return .text(try validated(bytes[start..<position - 3]))
            } else if skip("</") {
                return try endTag()
            } else if skip("<!") || skip("<?") {
                throw malformed("document types and processing instructions are not accepted")
            } else {
                position += 1
                return try startTag()
            }
        }
        guard open.isEmpty, hasRoot else { throw malformed("the document ends too early") }
        return nil
    }

    private mutating func skipDeclaration() throws(S3Error) {
        _ = skip("\u{FEFF}")
        if skip("<?xml ") { try skipPast("?>") }
    }

    private mutating func startTag() throws(S3Error) -> Event {
        guard !open.isEmpty || !hasRoot else { throw malformed("there is more than one root") }
        guard open.count < Self.maximumDepth else { throw malformed("elements nest too deep") }
        hasRoot = true
        let name = try name()
        open.append(name)
        try skipAttributes()
        if skip("/>") {
            open.removeLast()
            pendingEnd = try localName(name)
        } else if !skip(">") {
            throw malformed("a tag does not end")
        }
        return .start(try localName(name))
    }

    private mutating func endTag() throws(S3Error) -> Event {
        let name = try name()
        skipWhiteSpace()
        guard skip(">"), let opened = open.popLast(), opened == name else { throw malformed("tags do not match") }
        return .end(try localName(name))
    }

    private mutating func skipAttributes() throws(S3Error) {
        while true {
            skipWhiteSpace()
            guard position < bytes.count else { throw malformed("a tag does not end") }
            if bytes[position] == UInt8(ascii: ">") || bytes[position] == UInt8(ascii: "/") { return }
            _ = try name()
            skipWhiteSpace()
            guard skip("=") else { throw malformed("an attribute has no value") }
            skipWhiteSpace()
            guard position < bytes.count else { throw malformed("a tag does not end") }
            let quote = bytes[position]
            guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else {
                throw malformed("the value of an attribute has no quotation marks")
            }
            guard let end = bytes[(position + 1)...].firstIndex(of: quote) else {
                throw malformed("a tag does not end")
            }
            position = end + 1
        }
    }

    private mutating func text() throws(S3Error) -> String {
        var collected: [UInt8] = []
        while position < bytes.count, bytes[position] != UInt8(ascii: "<") {
            if bytes[position] == UInt8(ascii: "&") {
                collected.append(contentsOf: try entity().utf8)
            } else {
                collected.append(bytes[position])
                position += 1
            }
        }
        return try validated(collected[...])
    }

    private mutating func entity() throws(S3Error) -> String {
        guard let end = bytes[position...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else {
            throw malformed("a reference does not end")
        }
        let name = String(decoding: bytes[position + 1..<end], as: UTF8.self)
        position = end + 1
        switch name {
        case "lt": return "<"
        case "gt": return ">"
        case "amp": return "&"
        case "quot": return "\""
        case "apos": return "'"
        default:
            let code =
                name.hasPrefix("#x")
                ? UInt32(name.dropFirst(2), radix: 16)
                : name.hasPrefix("#") ? UInt32(name.dropFirst()) : nil
            guard let code, code != 0, let scalar = Unicode.Scalar(code) else { throw malformed("unknown reference") }
            return String(Character(scalar))
        }
    }

    private mutating func name() throws(S3Error) -> [UInt8] {
        let start = position
        while position < bytes.count, Self.isNameByte(bytes[position]) { position += 1 }
        guard (1...128).contains(position - start) else { throw malformed("a name is missing or too long") }
        return Array(bytes[start..<position])
    }

    private func localName(_ name: [UInt8]) throws(S3Error) -> String {
        let colon = name.lastIndex(of: UInt8(ascii: ":"))
        return try validated(name[(colon.map { $0 + 1 } ?? 0)...])
    }

    private func validated(_ bytes: ArraySlice<UInt8>) throws(S3Error) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw malformed("it is not UTF-8") }
        return text
    }

    private mutating func skipWhiteSpace() {
        while position < bytes.count, Self.isWhiteSpace(bytes[position]) { position += 1 }
    }

    private mutating func skip(_ text: String) -> Bool {
        guard bytes[position...].starts(with: text.utf8) else { return false }
        position += text.utf8.count
        return true
    }

    private mutating func skipPast(_ text: StaticString) throws(S3Error) {
        let wanted = text.withUTF8Buffer { Array($0) }
        while position + wanted.count <= bytes.count {
            if bytes[position..<position + wanted.count].elementsEqual(wanted) {
                position += wanted.count
                return
            }
            position += 1
        }
        throw malformed("the document ends too early")
    }

    private static func isWhiteSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: ":"), UInt8(ascii: "_"), UInt8(ascii: "-"),
            UInt8(ascii: "."), 0x80...0xFF:
            true
        default: false
        }
    }

    private func malformed(_ reason: String) -> S3Error {
        S3Error(.malformedXML, "The XML that you provided was not well formed: \(reason) (byte \(position)).")
    }
}
