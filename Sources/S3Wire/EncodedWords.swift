import Model

/// Texts beyond ASCII in header fields, as encoded words (RFC 2047): `=?UTF-8?B?w6k=?=`.
///
/// S3 keeps user metadata decoded and gives it back encoded where it is not plain ASCII (S3 user guide, "Working
/// with object metadata").
package enum EncodedWords {
    /// The most bytes of text in one encoded word, which may be 75 characters long (RFC 2047, section 2).
    private static let bytesInWord = 45

    /// Plain ASCII as it is, anything else as encoded words with spaces between them.
    package static func encode(_ text: String) -> String {
        guard !text.utf8.allSatisfy({ (0x20...0x7E).contains($0) || $0 == 0x09 }) else { return text }
        var words: [String] = []
        var word: [UInt8] = []
        for scalar in text.unicodeScalars {
            let bytes = Array(String(scalar).utf8)
            if word.count + bytes.count > bytesInWord {
                words.append(encoded(word))
                word.removeAll(keepingCapacity: true)
            }
            word += bytes
        }
        words.append(encoded(word))
        return words.joined(separator: " ")
    }

    /// Encoded words become what they say, all else stays; so do words of other alphabets than UTF-8, Latin 1 and
    /// ASCII.
    package static func decode(_ header: String) -> String {
        guard header.utf8.contains(UInt8(ascii: "?")), header.contains("=?") else { return header }
        var result = ""
        var space = ""
        var isAfterWord = false
        for part in header.split(separator: " ", omittingEmptySubsequences: false) {
            guard let text = decodedWord(part) else {
                result += space + part
                (space, isAfterWord) = (" ", false)
                continue
            }
            // Space between two encoded words is part of neither.
            result += isAfterWord ? text : space + text
            (space, isAfterWord) = (" ", true)
        }
        return result
    }

    private static func encoded(_ bytes: [UInt8]) -> String { "=?UTF-8?B?\(Base64.encode(bytes))?=" }

    private static func decodedWord(_ word: Substring) -> String? {
        guard word.hasPrefix("=?"), word.hasSuffix("?="), word.utf8.count > 4 else { return nil }
        let parts = word.dropFirst(2).dropLast(2).split(separator: "?", omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        let bytes: [UInt8]? =
            switch parts[1] {
            case "B", "b": Base64.decode(String(parts[2]))
            case "Q", "q": unquoted(parts[2])
            default: nil
            }
        guard let bytes else { return nil }
        switch parts[0].lowercased() {
        case "utf-8", "us-ascii": return String(validating: bytes, as: UTF8.self)
        case "iso-8859-1":
            return String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
        default: return nil
        }
    }

    /// The `Q` encoding: `_` is a space, `=XX` a byte.
    private static func unquoted(_ text: Substring) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = text.utf8.makeIterator()
        while let byte = rest.next() {
            switch byte {
            case UInt8(ascii: "_"): bytes.append(0x20)
            case UInt8(ascii: "="):
                guard let high = rest.next().flatMap(Hexadecimal.value(of:)),
                    let low = rest.next().flatMap(Hexadecimal.value(of:))
                else { return nil }
                bytes.append(high << 4 | low)
            default: bytes.append(byte)
            }
        }
        return bytes
    }
}
