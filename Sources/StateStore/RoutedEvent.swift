package import Model

/// An event and whom it went to.
package struct RoutedEvent: Sendable, Hashable {
    /// Why an event went to nobody.
    package enum Reason: Int, Sendable, Hashable, CaseIterable {
        /// No service has an input in the bucket.
        case noInput = 1
        /// There are inputs in the bucket, in other folders.
        case otherFolder = 2
        /// A key that ends in a slash stands for a folder.
        case folder = 3
        /// The inputs there ask for other kinds of events.
        case otherKind = 4
        /// The owners of the services that have an input there may not read it.
        case notReadable = 5
    }

    /// The object store's number.
    package var sequence: Int64
    package var time: Instant
    package var cause: ObjectEvent.Cause
    package var bucket: BucketName
    package var key: ObjectKey
    package var size: ByteCount
    package var principal: String
    package var services: [ServiceName]
    package var webhooks: [String]
    package var reason: Reason?

    package init(_ event: ObjectEvent, services: [ServiceName], webhooks: [String], reason: Reason?) {
        (sequence, time, cause, bucket, key) = (event.sequence, event.time, event.cause, event.bucket, event.key)
        (size, principal) = (event.size, event.principal)
        (self.services, self.webhooks, self.reason) = (services, webhooks, reason)
    }
}

/// An event as it is remembered, with what became of its jobs.
package struct EventRecord: Sendable {
    /// A job that an event made, as far as it is still there.
    package struct Job: Sendable, Hashable {
        package var name: JobName
        package var service: ServiceName
        package var state: JobState
        package var exitCode: Int32?
    }

    /// Grows with each event.
    package var number: Int64
    package var event: RoutedEvent
    package var jobs: [Job]
}

/// Which events a listing shows.
package struct EventFilter: Sendable, Hashable {
    package var bucket: BucketName?
    /// Only events behind that number, the oldest first; else the newest first.
    package var after: Int64?
    /// Only events before that number.
    package var before: Int64?
    package var limit: Int

    package init(bucket: BucketName? = nil, after: Int64? = nil, before: Int64? = nil, limit: Int = 100) {
        (self.bucket, self.after, self.before, self.limit) = (bucket, after, before, limit)
    }
}
