import Model
import Synchronization

/// The facts about the buckets that were asked for lately, so that a request costs no look-up of its own.
///
/// Right because one process has the store open: whoever changes a bucket forgets it here when the change is
/// committed, before the change is acknowledged.
final class BucketFactsCache: Sendable {
    private static let limit = 4096

    enum Answer {
        case found(BucketFacts)
        /// With the generation to give to `keep`.
        case missing(Int)
    }

    private struct State {
        var facts: [BucketName: BucketFacts] = [:]
        /// Grows with every change of any bucket.
        var generation = 0
        var lastRevision = 0
    }

    private let state = Mutex(State())

    func find(_ name: BucketName) -> Answer {
        state.withLock { state in
            if let facts = state.facts[name] { .found(facts) } else { .missing(state.generation) }
        }
    }

    /// Keeps what was read, unless a bucket has changed since `find`: then the next request reads again.
    func keep(
        _ owner: String,
        _ settings: [BucketSetting: String],
        of name: BucketName,
        since generation: Int
    ) -> BucketFacts {
        state.withLock { state in
            state.lastRevision += 1
            let facts = BucketFacts(owner: owner, settings: settings, revision: state.lastRevision)
            guard state.generation == generation else { return facts }
            if state.facts.count >= Self.limit { state.facts.removeAll(keepingCapacity: true) }
            state.facts[name] = facts
            return facts
        }
    }

    func forget(_ name: BucketName) {
        state.withLock { state in
            state.generation += 1
            state.facts[name] = nil
        }
    }
}
