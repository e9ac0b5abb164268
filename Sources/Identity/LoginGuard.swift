package import Model
import Synchronization

/// Counts failed logins of all faces together.
package final class LoginGuard: Sendable {
    private let limiter = Mutex(LoginLimiter())
    private let now: @Sendable () -> Instant

    package init(now: @escaping @Sendable () -> Instant) { self.now = now }

    /// How long whoever presents this must wait; `nil` where it may be looked at.
    ///
    /// - Parameters:
    ///   - name: who it says to be; asked for only where somebody has failed lately.
    ///   - proof: as of `LoginLimiter.Attempt`.
    package func wait(address: String, name: @autoclosure () -> String, proof: @autoclosure () -> String) -> Duration? {
        guard limiter.withLock({ !$0.isIdle }) else { return nil }
        let attempt = LoginLimiter.Attempt(address: address, name: name(), proof: proof())
        let wait = limiter.withLock { $0.wait(attempt, at: now()) }
        return wait > .zero ? wait : nil
    }

    package func failed(address: String, name: String, proof: String) {
        let attempt = LoginLimiter.Attempt(address: address, name: name, proof: proof)
        limiter.withLock { $0.failed(attempt, at: now()) }
    }

    package func succeeded(address: String, name: String, proof: String) {
        let attempt = LoginLimiter.Attempt(address: address, name: name, proof: proof)
        limiter.withLock { $0.succeeded(attempt, at: now()) }
    }
}
