/// How long what waits is passed over, in starts of others.
///
/// Whatever weights, priorities and sizes say, these bound how long anything waits that fits the machine.
package struct Patience: Sendable, Hashable {
    /// After so many others that came later in the order started because it did not fit, room is kept for a job.
    package var misfits: Int
    /// After so many starts of others for each waiting service, priority counts no more.
    package var priority: Int
    /// After so many starts of others for each waiting service, nothing goes before a job.
    package var turns: Int
    /// After so many synchronous runs one after the other, a job has its turn.
    package var runStreak: Int

    package init(misfits: Int = 64, priority: Int = 64, turns: Int = 1024, runStreak: Int = 16) {
        self.misfits = max(0, misfits)
        self.priority = max(0, priority)
        self.turns = max(1, turns)
        self.runStreak = max(1, runStreak)
    }

    /// The most starts of others that a job can see between the moment in which it is the first of its service and its own
    /// start.
    ///
    /// - Parameter services: how many have something waiting.
    package func bound(services: Int) -> Int { (turns + 1) * services + (runStreak + 1) * (services + 1) }
}
