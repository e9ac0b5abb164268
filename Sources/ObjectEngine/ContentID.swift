import Model

/// The name of a content file: 32 hexadecimal digits, never used twice.
///
/// The first 12 digits are milliseconds since 1970, so that the index's entries for new content lie together;
/// the other 20 are random (the idea of UUID version 7, RFC 9562 section 5.7, without its version bits).
package struct ContentID: Sendable, Hashable, CustomStringConvertible {
    package let text: String

    /// A new name.
    static func new(at instant: Instant) -> ContentID {
        let milliseconds = UInt64(clamping: instant.nanoseconds / 1_000_000) & 0xFFFF_FFFF_FFFF
        let random = digits(UInt64.random(in: 0...UInt64.max), 16) + digits(UInt64.random(in: 0...0xFFFF), 4)
        return ContentID(text: digits(milliseconds, 12) + random)
    }

    private init(text: String) { self.text = text }

    /// A name that was kept; `nil` where the text is none.
    init?(_ text: String) {
        guard text.utf8.count == 32, text.utf8.allSatisfy(Self.isDigit) else { return nil }
        self.text = text
    }

    /// The folder that the file lies in: the last two digits, which are random.
    var folder: Substring { text.suffix(2) }

    package var description: String { text }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
    }

    private static func digits(_ value: UInt64, _ width: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: width - text.utf8.count) + text
    }
}
