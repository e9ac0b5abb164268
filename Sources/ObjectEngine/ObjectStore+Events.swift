package import Model

extension ObjectStore {
    /// The oldest events behind that sequence number, in order.
    ///
    /// An event that was once seen to be missing never comes later.
    ///
    /// - `sequence`: 0 for the beginning.
    ///
    /// - Throws: `io`, `closed`.
    package func events(after sequence: Int64, limit: Int) async throws(ObjectStoreError) -> [ObjectEvent] {
        try await read { try $0.events(after: sequence, limit: limit) }
    }

    /// The oldest events behind that sequence number that are of other buckets than these, in order.
    ///
    /// Passes over the others, so it looks at `reach` numbers at most.
    ///
    /// - Returns: the events, and the number up to which all that there are were looked at.
    /// - Throws: `io`, `closed`.
    package func events(
        after sequence: Int64,
        besides buckets: [BucketName],
        reach: Int64,
        limit: Int
    ) async throws(ObjectStoreError) -> (events: [ObjectEvent], through: Int64) {
        try await read { try $0.events(after: sequence, besides: buckets, reach: reach, limit: limit) }
    }

    /// Gives events from now on numbers behind that one.
    ///
    /// For a reader that remembers its place on its own: where the store lost its last events, in a power cut or
    /// since a backup was restored, their numbers would come again, and the reader would pass over them.
    ///
    /// - Throws: `storageFull`, `io`, `closed`.
    package func continueEvents(after sequence: Int64) async throws(ObjectStoreError) {
        guard try await read({ try $0.lastEvent() }) < sequence else { return }
        try await write { try $0.setLastEvent(sequence) }
    }

    /// Forgets all events up to that sequence number, that included.
    ///
    /// Numbers are not used again. On a full disk this fails rather than spend the room that deletions need: events
    /// can be discarded at any time.
    ///
    /// - Throws: `storageFull`, `io`, `closed`.
    package func discardEvents(through sequence: Int64) async throws(ObjectStoreError) {
        try await write { index in
            try index.discardEvents(through: sequence)
            try index.forgetDepartures(through: sequence)
        }
    }

    /// The buckets that were deleted when the event of that number, or a later one, was the last; oldest first.
    ///
    /// - Throws: `io`, `closed`.
    package func departures(since sequence: Int64) async throws(ObjectStoreError) -> [BucketDeparture] {
        try await read { try $0.departures(since: sequence) }
    }
}
