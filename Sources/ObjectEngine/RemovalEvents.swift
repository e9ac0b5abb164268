import GRDB
import Model

/// Writes the events of what a transaction removes, for buckets where somebody asked for them.
struct RemovalEvents: Sendable {
    let bucket: BucketName
    let causes: (forGood: ObjectEvent.Cause, byMarker: ObjectEvent.Cause)
    let origin: RequestOrigin
    let time: Instant

    /// - Parameters:
    ///   - byMarker: whether a delete marker stands in the place of the key now, and nothing is gone.
    func add(_ key: ObjectKey, byMarker: Bool = false, to index: ObjectIndex) throws {
        try index.addEvent(
            byMarker ? causes.byMarker : causes.forGood,
            of: key,
            in: bucket,
            at: time,
            origin: origin
        )
    }
}

extension ObjectStore {
    /// What writes events of removals; `nil` where nobody has asked for them.
    ///
    /// Costs no look-up where the bucket's facts are in memory.
    func removalEvents(
        in bucket: BucketName,
        byLifecycle: Bool = false,
        origin: RequestOrigin,
        at now: Instant
    ) async throws(ObjectStoreError) -> RemovalEvents? {
        let kind: BucketSetting = byLifecycle ? .expiryEvents : .removalEvents
        let isAsked = try await facts(of: bucket)?.settings[kind] != nil
        guard isAsked || watchedRemovals.contains(bucket) else { return nil }
        return RemovalEvents(
            bucket: bucket,
            causes: byLifecycle ? (.expiry, .expiryMarker) : (.deletion, .deletionMarker),
            origin: origin,
            time: now
        )
    }
}
