package import Model

/// Keeps a stream of bytes below a rate.
///
/// The bucket may go into debt for one piece, so that pieces larger than the burst pass too; whoever takes next waits
/// until the debt is paid. Over any time it lets through at most the rate times that time, a burst, and one piece.
package struct TokenBucket: Sendable, Hashable {
    /// Bytes a second; at least 1.
    package let rate: Int64
    /// What may pass at once after a rest.
    package let burst: Int64
    private var level: Double
    private var updated: Instant?

    /// - Parameter burst: a quarter of a second's bytes where `nil`.
    package init(rate: ByteCount, burst: ByteCount? = nil) {
        self.rate = max(1, rate.bytes)
        self.burst = max(1, burst?.bytes ?? self.rate / 4)
        level = Double(self.burst)
    }

    /// Takes so many bytes.
    ///
    /// - Returns: how long to wait before they are sent.
    package mutating func take(_ bytes: Int64, at now: Instant) -> Duration {
        // A clock that was set back gives nothing, and takes nothing.
        let passed = updated.map { max(.zero, now - $0) } ?? .zero
        updated = now
        level = min(Double(burst), level + passed.inSeconds * Double(rate)) - Double(max(0, bytes))
        return level >= 0 ? .zero : .seconds(-level / Double(rate))
    }
}

extension Duration {
    /// With fraction.
    fileprivate var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
