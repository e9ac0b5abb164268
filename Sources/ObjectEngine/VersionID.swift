import Model

/// The name of one of an object's versions.
///
/// Those of versioned buckets are never used twice; `null` names what was written while its bucket kept no
/// versions. A key has at most one version `null`.
package struct VersionID: Sendable, Hashable, CustomStringConvertible {
    package static let null = VersionID(text: "null")

    /// As clients see it: 32 hexadecimal digits, or `null`.
    package let text: String

    /// A name that a client sends; `nil` where no version can have it.
    package init?(_ text: String) {
        guard text == Self.null.text || ContentID(text) != nil else { return nil }
        self.text = text
    }

    /// A name out of a column of the index, where `null` is empty.
    init(stored text: String) { self = text.isEmpty ? .null : VersionID(text: text) }

    private init(text: String) { self.text = text }

    /// A new name; later ones follow in the order of bytes, to the millisecond.
    static func new(at instant: Instant) -> VersionID { VersionID(text: ContentID.new(at: instant).text) }

    /// As the index keeps it: `null` is empty.
    var stored: String { self == .null ? "" : text }

    package var description: String { text }
}

/// Whether a bucket keeps what is replaced or deleted.
package enum Versioning: String, Sendable, Hashable {
    /// It never did.
    case off = ""
    case enabled = "Enabled"
    /// It did: earlier versions stay, new ones replace each other.
    case suspended = "Suspended"
}
