package import Model

/// Notices that somebody has set the wall clock.
///
/// A pure state machine over two clocks: the wall clock, which people and time servers set, and one that only ever grows
/// evenly, also while the machine sleeps.
package struct ClockWatch: Sendable {
    /// Smaller differences are how time servers correct a clock.
    package static let smallest = Duration.seconds(2)
    /// After the wall clock went forwards by at least this much, nothing is deleted for its age until `holdOff` has passed.
    package static let suspicious = Duration.seconds(3600)
    package static let holdOff = Duration.seconds(3600)

    /// A change of the wall clock.
    package struct Jump: Sendable, Hashable {
        /// Forwards, or backwards where negative.
        package let by: Duration
        /// What the wall clock says now.
        package let now: Instant
    }

    private var last: (wall: Instant, even: Duration)?
    private var heldUntil: Duration?
    package private(set) var lastJump: Jump?

    package init() {}

    /// Takes in both clocks; answers a jump since the last time.
    ///
    /// - Parameter even: since any fixed moment.
    package mutating func observe(wall: Instant, even: Duration) -> Jump? {
        defer { last = (wall, even) }
        guard let last else { return nil }
        let difference = (wall - last.wall) - (even - last.even)
        guard difference >= Self.smallest || difference <= .zero - Self.smallest else { return nil }
        let jump = Jump(by: difference, now: wall)
        lastJump = jump
        if difference >= Self.suspicious {
            heldUntil = even + Self.holdOff
        } else if difference <= .zero - Self.suspicious {
            // Put right again, or nearly: ages are too small now, never too great.
            heldUntil = nil
        }
        return jump
    }

    /// Whether what is old by the wall clock may be deleted.
    package func trustsAges(even: Duration) -> Bool { heldUntil.map { even >= $0 } ?? true }
}
