/// What a `Range` header asks for: one range of bytes (RFC 9110, section 14.1.2).
package enum ByteRange: Sendable, Hashable {
    /// From the first to the last byte, both included.
    case bounded(first: Int64, last: Int64)
    case from(first: Int64)
    /// The last so many bytes.
    case suffix(length: Int64)

    /// Parses the header; `nil` for other units, several ranges and malformed ones, all of which are to be ignored.
    package init?(parsing header: some StringProtocol) {
        let prefix = "bytes="
        guard header.lowercased().hasPrefix(prefix) else { return nil }
        let parts = header.dropFirst(prefix.count).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        let (first, last) = (Self.number(parts[0]), Self.number(parts[1]))
        switch (first, last) {
        case (let first?, let last?) where first <= last: self = .bounded(first: first, last: last)
        case (let first?, nil) where parts[1].isEmpty: self = .from(first: first)
        case (nil, let length?) where parts[0].isEmpty: self = .suffix(length: length)
        default: return nil
        }
    }

    /// The bytes that this means in content of that size.
    ///
    /// - Throws: `S3Error` with `invalidRange` where it means none.
    package func resolved(size: Int64) throws(S3Error) -> Range<Int64> {
        let range: Range<Int64>? =
            switch self {
            case .bounded(let first, let last): first < size ? first..<min(last, size - 1) + 1 : nil
            case .from(let first): first < size ? first..<size : nil
            case .suffix(let length): length > 0 && size > 0 ? max(0, size - length)..<size : nil
            }
        guard let range else { throw S3Error(.invalidRange, details: [("ActualObjectSize", String(size))]) }
        return range
    }

    private static func number(_ digits: some StringProtocol) -> Int64? {
        guard (1...18).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int64(digits)
    }
}
