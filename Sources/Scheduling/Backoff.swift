/// How long to wait before the next try: exponential, with a ceiling and jitter.
///
/// After Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
package struct Backoff: Sendable, Hashable {
    package let first: Duration
    package let ceiling: Duration

    package init(first: Duration = .milliseconds(500), ceiling: Duration = .seconds(60)) {
        self.first = first
        self.ceiling = ceiling
    }

    /// The longest wait before try number `attempt` + 1, where 1 is the first try that failed.
    package func limit(afterAttempt attempt: Int) -> Duration {
        let doublings = max(0, min(attempt - 1, 30))
        return min(ceiling, first * (1 << doublings))
    }

    /// A wait between half of the limit and the limit: never zero, so that a dead peer is not hammered.
    package func delay(afterAttempt attempt: Int, using random: inout some RandomNumberGenerator) -> Duration {
        limit(afterAttempt: attempt) * Double.random(in: 0.5...1, using: &random)
    }
}
