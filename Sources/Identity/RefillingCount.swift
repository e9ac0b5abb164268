package import Model

/// How often something may still happen: some times at once, and once more after each pause.
package struct RefillingCount: Sendable, Hashable {
    private let most: Int64
    /// Nanoseconds until one more.
    private let refill: Int64
    /// When it will be full again.
    private var full: Instant

    package init(most: Int, refill: Duration, now: Instant) {
        self.most = Int64(most)
        self.refill = max(1, refill.inNanoseconds)
        full = now
    }

    /// Takes one; false where none is left.
    package mutating func take(at now: Instant) -> Bool {
        guard wait(at: now) == .zero else { return false }
        full = Instant(nanoseconds: max(full, now).nanoseconds + refill)
        return true
    }

    /// How long until one may be taken; zero where one may be taken now.
    package func wait(at now: Instant) -> Duration {
        let after = full.nanoseconds + refill - most * refill
        return .nanoseconds(max(0, after - now.nanoseconds))
    }

    /// Whether nothing was taken, or all has come back.
    package func isFull(at now: Instant) -> Bool { full <= now }
}

extension Duration {
    /// Whole nanoseconds; durations here are far below the 292 years that fit.
    var inNanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
