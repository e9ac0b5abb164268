package import Model
import Synchronization

/// Values made from the settings of buckets, kept until those change: what is parsed once need not be parsed for
/// each request.
package final class DerivedSettings<Value: Sendable>: Sendable {
    private static var limit: Int { 4096 }

    private let kept = Mutex<[BucketName: (revision: Int, value: Value)]>([:])

    package init() {}

    /// The value for a bucket, made anew where its facts are others than last time.
    ///
    /// - Throws: what `make` throws; nothing is kept then.
    package func value<Failure: Error>(
        of bucket: BucketName,
        _ facts: BucketFacts,
        make: (BucketFacts) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        if let known = kept.withLock({ $0[bucket] }), known.revision == facts.revision { return known.value }
        let value = try make(facts)
        kept.withLock { kept in
            if kept.count >= Self.limit { kept.removeAll(keepingCapacity: true) }
            kept[bucket] = (facts.revision, value)
        }
        return value
    }
}
