import StateStore
import Synchronization

/// Events that were routed and that the database does not remember yet.
///
/// Those that triggered nothing wait here for the next write or the next question, so that uploads which nobody asked
/// for cost no transaction. A crash loses the memory of them, nothing else.
package final class EventMemory: Sendable {
    /// How many wait at most; beyond it the oldest are forgotten.
    private static let capacity = 1024

    /// How many of the last events the database is to remember.
    package let kept: Int
    private let waiting = Mutex<[RoutedEvent]>([])

    package init(kept: Int = 100_000) { self.kept = kept }

    func add(_ events: [RoutedEvent]) {
        guard kept > 0 else { return }
        waiting.withLock { waiting in
            waiting += events
            if waiting.count > Self.capacity { waiting.removeFirst(waiting.count - Self.capacity) }
        }
    }

    func take() -> [RoutedEvent] {
        waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
    }
}
