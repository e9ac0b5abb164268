/// Writes an XML document as bytes.
package struct XMLWriter: Sendable {
    /// The name space of S3's documents.
    package static let s3Namespace: StaticString = "http://s3.amazonaws.com/doc/2006-03-01/"

    /// What has been written so far.
    package private(set) var bytes: [UInt8] = []

    package init(reserving capacity: Int = 1024) {
        bytes.reserveCapacity(capacity)
        append("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
    }

    /// One element with what `content` writes.
    package mutating func element(
        _ name: StaticString,
        namespace: StaticString? = nil,
        _ content: (inout XMLWriter) -> Void
    ) {
        append("<")
        append(name)
        if let namespace {
            append(" xmlns=\"")
            append(namespace)
            append("\"")
        }
        append(">")
        content(&self)
        end(name)
    }

    /// One element with attributes and what `content` writes.
    mutating func element(
        _ name: StaticString,
        attributes: [(StaticString, StaticString)],
        _ content: (inout XMLWriter) -> Void
    ) {
        append("<")
        append(name)
        for (name, value) in attributes {
            append(" ")
            append(name)
            append("=\"")
            append(value)
            append("\"")
        }
        append(">")
        content(&self)
        end(name)
    }

    /// One element with a text.
    package mutating func element(_ name: StaticString, _ text: some StringProtocol) {
        append("<")
        append(name)
        append(">")
        escape(text.utf8)
        end(name)
    }

    /// One element with a text, in a name space.
    package mutating func element(_ name: StaticString, _ text: some StringProtocol, namespace: StaticString) {
        element(name, namespace: namespace) { $0.escape(text.utf8) }
    }

    /// One element with a text and a name that is known only now.
    ///
    /// The name must be a valid one.
    package mutating func element(named name: String, _ text: some StringProtocol) {
        bytes.append(contentsOf: "<\(name)>".utf8)
        escape(text.utf8)
        bytes.append(contentsOf: "</\(name)>".utf8)
    }

    /// One element with a number.
    package mutating func element(_ name: StaticString, _ number: some BinaryInteger) { element(name, String(number)) }

    /// One element with `true` or `false`.
    package mutating func element(_ name: StaticString, _ flag: Bool) { element(name, flag ? "true" : "false") }

    /// One element with a text, or nothing at all for `nil`.
    package mutating func element(_ name: StaticString, ifPresent text: String?) {
        if let text { element(name, text) }
    }

    private mutating func end(_ name: StaticString) {
        append("</")
        append(name)
        append(">")
    }

    private mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    /// Control characters become references, as in S3's own answers: XML 1.0 has no other way to carry them.
    ///
    /// U+0000 cannot be carried at all.
    private mutating func escape(_ text: some Sequence<UInt8>) {
        for byte in text {
            switch byte {
            case UInt8(ascii: "&"): append("&amp;")
            case UInt8(ascii: "<"): append("&lt;")
            case UInt8(ascii: ">"): append("&gt;")
            case UInt8(ascii: "\""): append("&quot;")
            case 0: append("\u{FFFD}")
            case 0x09, 0x0A, 0x20...0x7E, 0x80...0xFF: bytes.append(byte)
            default: bytes.append(contentsOf: "&#\(byte);".utf8)
            }
        }
    }
}
