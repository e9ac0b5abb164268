/// The name of a volume: a DNS label (RFC 1123), unique among the volumes of its owner.
package struct VolumeName: Sendable, Hashable, Comparable, CustomStringConvertible {
    package static let maximumLength = 63

    package let text: String

    /// - Throws: `NameError`, in OSCAR's words.
    package init(_ text: some StringProtocol) throws(NameError) {
        let bytes = Array(text.utf8)
        func isLetterOrDigit(_ byte: UInt8) -> Bool {
            (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte)
        }
        guard (1...Self.maximumLength).contains(bytes.count), let first = bytes.first, let last = bytes.last,
            isLetterOrDigit(first), isLetterOrDigit(last),
            bytes.allSatisfy({ isLetterOrDigit($0) || $0 == UInt8(ascii: "-") })
        else {
            throw NameError(
                message: "volume.name must satisfy Kubernetes DNS-1123 naming rules: 1 to \(Self.maximumLength) "
                    + "lower-case letters, digits and hyphens, the first and the last no hyphen")
        }
        self.text = String(text)
    }

    package static func < (left: VolumeName, right: VolumeName) -> Bool { left.text < right.text }
    package var description: String { text }
}

/// What happens to a volume when the service goes that made it.
package enum VolumePolicy: String, Sendable, Hashable, CaseIterable {
    case delete, retain
}
