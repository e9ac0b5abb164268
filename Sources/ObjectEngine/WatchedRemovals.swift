package import Model
import Synchronization

/// Buckets of which the cluster itself wants to know what is removed, whatever their settings say; in memory only.
final class WatchedRemovals: Sendable {
    private let buckets = Mutex<Set<BucketName>>([])

    func contains(_ bucket: BucketName) -> Bool { buckets.withLock { !$0.isEmpty && $0.contains(bucket) } }

    func set(_ watched: Set<BucketName>) { buckets.withLock { $0 = watched } }
}

extension ObjectStore {
    /// From now on removals in these buckets have events, and in others only where their settings ask for them.
    package func watchRemovals(in buckets: Set<BucketName>) { watchedRemovals.set(buckets) }
}
