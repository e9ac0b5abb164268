package import Model

/// Lets events of other buckets pass those of a bucket that floods the line of events.
///
/// A pure state machine beside the router, which takes events in their order. While more wait than it takes at once, it looks
/// ahead from time to time, for events of buckets that do not flood, and routes those before their turn. So a flood delays
/// what comes behind it by a few looks, however long it is.
package struct EventLanes: Sendable {
    /// A look ahead: events after that number, at most so many numbers on, not of these buckets.
    package struct Look: Sendable, Hashable {
        package let after: Int64
        package let reach: Int64
        package let besides: [BucketName]
        package let limit: Int
    }

    /// How many batches are routed in their order between two looks.
    private let batches: Int
    private let reach: Int64
    private let limit: Int
    private let mostFlooding = 64
    private var flooding: Set<BucketName> = []
    private var lookedThrough: Int64 = 0
    private var routed = 0

    package init(batches: Int = 1, reach: Int64 = 250_000, limit: Int = 256) {
        self.batches = max(1, batches)
        self.reach = max(1, reach)
        self.limit = max(1, limit)
    }

    /// Events of these buckets were routed in their order; answers whether to look ahead now.
    ///
    /// - Parameter moreWait: whether the batch was as large as one may be.
    package mutating func routed(_ buckets: [BucketName], through position: Int64, moreWait: Bool) -> Look? {
        guard moreWait else {
            (flooding, routed) = ([], 0)
            return nil
        }
        lookedThrough = max(lookedThrough, position)
        note(buckets)
        routed += 1
        guard routed >= batches, !flooding.isEmpty else { return nil }
        routed = 0
        return Look(after: lookedThrough, reach: reach, besides: flooding.sorted(), limit: limit)
    }

    /// A look has found events of these buckets, and has seen all up to that number.
    package mutating func found(_ buckets: [BucketName], through number: Int64) {
        let isFull = buckets.count >= limit
        // More may be behind: it looks on after the next batch.
        if isFull || number - lookedThrough >= reach { routed = batches }
        lookedThrough = max(lookedThrough, number)
        // What floods behind the flood must not hold up the others either.
        if isFull { note(buckets) }
    }

    /// Remembers the buckets that make up a quarter or more.
    private mutating func note(_ buckets: [BucketName]) {
        var counts: [BucketName: Int] = [:]
        for bucket in buckets { counts[bucket, default: 0] += 1 }
        for (bucket, count) in counts where count * 4 >= buckets.count && flooding.count < mostFlooding {
            flooding.insert(bucket)
        }
    }
}
