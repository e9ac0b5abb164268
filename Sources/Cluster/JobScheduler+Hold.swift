import Model
import Scheduling
import Synchronization

/// What is short on the machine keeps things back.
extension JobScheduler {
    /// Starts nothing, and stores nothing new, for those reasons, or does again where they are `nil`.
    func hold(starts: String?, storage: String?) {
        self.storage.withLock { $0 = storage }
        decide { $0.hold(for: starts) }
        if let starts { refuseRuns(Self.held(starts)) }
    }

    /// Why nothing new is stored, in words.
    package var storageRefusal: String? { storage.withLock { $0 } }

    /// - Throws: `ClusterError` with `unavailable` where nothing new is stored.
    func checkStorage() throws(ClusterError) {
        guard let reason = storageRefusal else { return }
        throw ClusterError(
            code: .unavailable, message: "the cluster takes nothing new: \(reason)", retryAfter: .seconds(30))
    }

    /// How soon a place in the queue of a service is free, as far as anyone can tell.
    func expectedPause(of service: ServiceName) -> Duration? {
        state.withLock { $0.admission.expectedPause(of: service) }
    }
}
