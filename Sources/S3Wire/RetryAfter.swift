package import Model

/// The `Retry-After` header (RFC 9110 section 10.2.3).
package enum RetryAfter {
    /// The longest wait that a server may ask for; one that asks for more is taken to mean this.
    package static let maximum = Duration.seconds(3600)

    /// The wait that the header asks for: a number of seconds, or a date.
    ///
    /// - Returns: `nil` for anything else; zero for a date that is over.
    package static func parse(_ text: String, at now: Instant) -> Duration? {
        if let seconds = Int64(text) { return seconds >= 0 ? min(.seconds(seconds), maximum) : nil }
        guard let date = HTTPDate.parse(text) else { return nil }
        return min(max(.zero, date - now), maximum)
    }
}
