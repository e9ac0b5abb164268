package import Model

/// A walk over objects that are there already, to make a job for each.
package struct BackfillRecord: Sendable, Hashable {
    package enum State: String, Sendable, Hashable, CaseIterable {
        case running, done, cancelled, failed
    }

    package var id: Int64
    package var service: ServiceName
    /// Who asks again with it goes on with this one.
    package var token: String
    package var bucket: BucketName
    package var prefix: String
    /// Older objects are left out.
    package var since: Instant?
    /// Whether objects are only counted.
    package var isDryRun: Bool
    package var state: State
    /// Every key up to this one is done; `nil` at the beginning.
    package var afterKey: String?
    package var seen: Int64
    /// How many jobs were made, or would have been.
    package var jobs: Int64
    package var principal: String
    package var message: String?
    /// Objects that were written later have events of their own.
    package var created: Instant
    package var updated: Instant
}

/// A backfill that is about to be committed.
package struct NewBackfill: Sendable, Hashable {
    package var service: ServiceName
    package var token: String
    package var bucket: BucketName
    package var prefix: String
    package var since: Instant?
    package var isDryRun: Bool
    package var principal: String

    package init(
        service: ServiceName,
        token: String,
        bucket: BucketName,
        prefix: String,
        since: Instant?,
        isDryRun: Bool,
        principal: String
    ) {
        self.service = service
        self.token = token
        self.bucket = bucket
        self.prefix = prefix
        self.since = since
        self.isDryRun = isDryRun
        self.principal = principal
    }
}

/// What one page of a backfill comes to.
package struct BackfillStep: Sendable {
    package var jobs: [NewJob]
    package var seen: Int
    /// How many jobs a dry run would have made.
    package var counted: Int
    /// The page's last key; `nil` where the walk is over.
    package var afterKey: String?

    package init(jobs: [NewJob], seen: Int, counted: Int, afterKey: String?) {
        (self.jobs, self.seen, self.counted, self.afterKey) = (jobs, seen, counted, afterKey)
    }
}
