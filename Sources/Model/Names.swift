/// A name that does not follow its rules.
package struct NameError: Error, Hashable, CustomStringConvertible {
    package let message: String
    package var description: String { message }
}

/// The name of a bucket: 3 to 63 characters, lower-case letters, digits, dots and hyphens (S3 user guide,
/// "Bucket naming rules").
package struct BucketName: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let text: String

    /// - Throws: `NameError` that says which rule is broken.
    package init(_ text: some StringProtocol) throws(NameError) {
        guard (3...63).contains(text.utf8.count) else {
            throw NameError(message: "the bucket name \"\(text.prefix(80))\" must have 3 to 63 characters")
        }
        guard Self.isWellFormed(text) else {
            throw NameError(
                message:
                    "the bucket name \"\(text)\" may have only lower-case letters, digits, single dots and hyphens, "
                    + "and must begin and end with a letter or digit"
            )
        }
        if text.utf8.contains(UInt8(ascii: ".")) {
            let labels = text.split(separator: ".", omittingEmptySubsequences: false)
            guard labels.count != 4 || !labels.allSatisfy({ UInt8($0) != nil }) else {
                throw NameError(message: "the bucket name \"\(text)\" must not look like an IP address")
            }
        }
        self.text = String(text)
    }

    /// One pass over the bytes: this stands in the way of every request.
    private static func isWellFormed(_ text: some StringProtocol) -> Bool {
        let dot = UInt8(ascii: ".")
        // A dot before the first byte, so that the name cannot begin with one.
        var last = dot
        var isFirst = true
        for byte in text.utf8 {
            switch byte {
            case 0x61...0x7A, 0x30...0x39: break
            case dot where last != dot: break
            case UInt8(ascii: "-") where !isFirst: break
            default: return false
            }
            last = byte
            isFirst = false
        }
        return last != dot && last != UInt8(ascii: "-")
    }

    package static func < (left: BucketName, right: BucketName) -> Bool { left.text < right.text }
    package var description: String { text }
}

/// The key of an object: 1 to 1,024 bytes of UTF-8, any characters but U+0000.
package struct ObjectKey: Sendable, Hashable, Comparable, CustomStringConvertible {
    package static let maximumLength = 1024

    package let text: String

    /// - Throws: `NameError` for an empty or too long key or one with U+0000.
    package init(_ text: some StringProtocol) throws(NameError) {
        let count = text.utf8.count
        guard count > 0 else { throw NameError(message: "an object key must not be empty") }
        guard count <= Self.maximumLength else {
            throw NameError(
                message: "an object key may have at most \(Self.maximumLength) bytes; this one has \(count)"
            )
        }
        guard !text.utf8.contains(0) else {
            throw NameError(message: "an object key must not contain U+0000")
        }
        self.text = String(text)
    }

    /// The same where the bytes are: an accent that is written in two ways makes two keys.
    package static func == (left: ObjectKey, right: ObjectKey) -> Bool {
        ExactText(left.text) == ExactText(right.text)
    }

    package func hash(into hasher: inout Hasher) { ExactText(text).hash(into: &hasher) }

    /// Ordered by bytes, as S3 lists keys.
    package static func < (left: ObjectKey, right: ObjectKey) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    /// What follows the last slash; the whole key where there is none.
    package var baseName: Substring {
        text[(text.lastIndex(of: "/").map(text.index(after:)) ?? text.startIndex)...]
    }

    package var description: String { text }
}

/// The name of a service: a DNS label (RFC 1123) of at most 39 characters, as in OSCAR.
package struct ServiceName: Sendable, Hashable, Comparable, CustomStringConvertible {
    package static let maximumLength = 39

    package let text: String

    /// - Throws: `NameError` that says which rule is broken.
    package init(_ text: some StringProtocol) throws(NameError) {
        let bytes = Array(text.utf8)
        func isLetterOrDigit(_ byte: UInt8) -> Bool {
            (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte)
        }
        guard (1...Self.maximumLength).contains(bytes.count) else {
            throw NameError(
                message:
                    "the service name \"\(text.prefix(80))\" must have 1 to \(Self.maximumLength) characters"
            )
        }
        guard bytes.allSatisfy({ isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }), let first = bytes.first,
            let last = bytes.last, isLetterOrDigit(first), isLetterOrDigit(last)
        else {
            throw NameError(
                message:
                    "the service name \"\(text)\" may have only lower-case letters, digits and hyphens, and must "
                    + "begin and end with a letter or digit"
            )
        }
        self.text = String(text)
    }

    package static func < (left: ServiceName, right: ServiceName) -> Bool { left.text < right.text }
    package var description: String { text }
}

/// The name of a job: `<service, cut to 16 characters where it has 25 or more>-<uuid>` (oscar-api.md 5.1), or
/// a name that another cluster gave with `X-Delegated-Job-ID`.
package struct JobName: Sendable, Hashable, CustomStringConvertible {
    package let text: String

    package init(service: ServiceName, unique: String) {
        let prefix = service.text.utf8.count >= 25 ? service.text.prefix(16) : service.text[...]
        text = "\(prefix)-\(unique)"
    }

    /// - Throws: `NameError` unless the text has 1 to 120 letters, digits, dots, underscores and hyphens and
    ///   begins with a letter or digit (a job's name is also the name of a folder).
    package init(_ text: some StringProtocol) throws(NameError) {
        let allowed = text.utf8.allSatisfy { byte in
            (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte)
                || byte == 0x2D || byte == 0x5F || byte == 0x2E
        }
        guard (1...120).contains(text.utf8.count), allowed, let first = text.first,
            first.isLetter || first.isNumber
        else { throw NameError(message: "\"\(text.prefix(130))\" is not the name of a job") }
        self.text = String(text)
    }

    package var description: String { text }
}
