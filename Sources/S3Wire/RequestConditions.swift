package import Model

/// What `If-Match` and `If-None-Match` list.
package enum ETagCondition: Sendable, Hashable {
    /// `*`: any object at all.
    case any
    /// Any of these, without quotation marks.
    case oneOf([String])

    /// Parses the header liberally, as S3 does: quotation marks may be missing, and `W/` is ignored.
    package init(parsing header: some StringProtocol) {
        let tags = header.split(separator: ",").map { Self.unquoted($0) }.filter { !$0.isEmpty }
        self = tags == ["*"] ? .any : .oneOf(tags)
    }

    /// Whether it holds for an object with that ETag; `nil` stands for no object.
    package func holds(eTag: String?) -> Bool {
        guard let eTag else { return false }
        return switch self {
        case .any: true
        case .oneOf(let tags): tags.contains(eTag)
        }
    }

    /// An ETag without white space, weakness mark and quotation marks.
    package static func unquoted(_ text: some StringProtocol) -> String {
        var text = text.drop { $0 == " " }
        while text.last == " " { text = text.dropLast() }
        if text.hasPrefix("W/") { text = text.dropFirst(2) }
        if text.first == "\"" { text = text.dropFirst() }
        if text.last == "\"" { text = text.dropLast() }
        return String(text)
    }
}

/// The conditions that a request puts on the state of an object (RFC 9110, section 13).
package struct RequestConditions: Sendable, Hashable {
    package enum Outcome: Sendable, Hashable {
        case proceed
        /// 304 for a read.
        case notModified
        /// 412.
        case failed
    }

    package var match: ETagCondition?
    package var noneMatch: ETagCondition?
    package var modifiedSince: Instant?
    package var unmodifiedSince: Instant?

    /// - Parameters:
    ///   - prefix: of the headers' names: empty, or `x-amz-copy-source-`.
    ///   - header: the value of the header with that lower-case name.
    package init(prefix: String = "", header: (String) -> String?) {
        match = header("\(prefix)if-match").map { ETagCondition(parsing: $0) }
        noneMatch = header("\(prefix)if-none-match").map { ETagCondition(parsing: $0) }
        modifiedSince = header("\(prefix)if-modified-since").flatMap { HTTPDate.parse($0) }
        unmodifiedSince = header("\(prefix)if-unmodified-since").flatMap { HTTPDate.parse($0) }
    }

    /// Whether there is no condition at all.
    package var isEmpty: Bool {
        match == nil && noneMatch == nil && modifiedSince == nil && unmodifiedSince == nil
    }

    /// Evaluates the conditions of a read, in the order of RFC 9110, section 13.2.2.
    ///
    /// Dates count in whole seconds.
    package func evaluate(eTag: String, lastModified: Instant) -> Outcome {
        if let match {
            if !match.holds(eTag: eTag) { return .failed }
        } else if let unmodifiedSince, lastModified.seconds > unmodifiedSince.seconds {
            return .failed
        }
        if let noneMatch {
            if noneMatch.holds(eTag: eTag) { return .notModified }
        } else if let modifiedSince, lastModified.seconds <= modifiedSince.seconds {
            return .notModified
        }
        return .proceed
    }
}
