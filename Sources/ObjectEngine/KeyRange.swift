/// Keys in the order of their bytes.
///
/// Comparisons here look at bytes; those of `String` look at what a reader sees, which is not what S3 orders
/// by.
enum KeyRange {
    /// The smallest text that follows all texts with that prefix; `nil` where none does.
    ///
    /// The order of UTF-8 bytes is that of code points, so the last code point grows by one.
    static func end(ofPrefix prefix: String) -> String? {
        var scalars = prefix.unicodeScalars
        while let last = scalars.popLast() {
            // The code points between U+D7FF and U+E000 are surrogates, which no text has.
            let next = last.value == 0xD7FF ? 0xE000 : last.value + 1
            guard let scalar = Unicode.Scalar(next) else { continue }
            scalars.append(scalar)
            return String(scalars)
        }
        return nil
    }

    /// What `key` has in common with its neighbours: all up to the first delimiter after the prefix, that
    /// included; `nil` where there is none.
    ///
    /// `key` begins with `prefix`.
    static func commonPrefix(of key: String, prefix: String, delimiter: String) -> String? {
        let bytes = key.utf8
        let delimiterBytes = delimiter.utf8
        guard let first = delimiterBytes.first else { return nil }
        var start =
            bytes.index(bytes.startIndex, offsetBy: prefix.utf8.count, limitedBy: bytes.endIndex)
            ?? bytes.endIndex
        while let found = bytes[start...].firstIndex(of: first) {
            if bytes[found...].starts(with: delimiterBytes) {
                let end = bytes.index(found, offsetBy: delimiterBytes.count)
                return String(decoding: bytes[..<end], as: UTF8.self)
            }
            start = bytes.index(after: found)
        }
        return nil
    }

    /// Whether the first text comes before the second.
    static func precedes(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }

    static func areEqual(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }

    static func hasPrefix(_ text: String, _ prefix: String) -> Bool { text.utf8.starts(with: prefix.utf8) }
}
