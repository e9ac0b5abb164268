package import Logging
package import Model
import NIOCore
package import ObjectEngine
import S3Wire
import ServiceLifecycle
package import StateStore

/// Brings jobs back into the queue when their pause is over, and takes notices of failures to their buckets.
package final class RetryService: Service {
    private static let batch = 500
    /// How long to wait before something that failed is tried again.
    private static let pause = Duration.seconds(5)
    private static let longestPause = Duration.seconds(60)

    private let store: ObjectStore
    private let state: ClusterState
    private let scheduler: JobScheduler
    private let signal: Signal
    private let now: @Sendable () -> Instant
    private let logger: Logger

    package init(
        store: ObjectStore,
        state: ClusterState,
        scheduler: JobScheduler,
        signal: Signal,
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) {
        self.store = store
        self.state = state
        self.scheduler = scheduler
        self.signal = signal
        self.now = now
        self.logger = logger
    }

    package func run() async throws {
        signal.send()
        await cancelWhenGracefulShutdown { [self] in
            var timer: Task<Void, any Error>?
            for await _ in signal.rings {
                timer?.cancel()
                timer = wakeUp(after: await round())
            }
            timer?.cancel()
        }
    }

    private func wakeUp(after wait: Duration?) -> Task<Void, any Error>? {
        guard let wait else { return nil }
        // Ends by itself; `run` cancels it when there is news or the end has come.
        return Task { [signal] in
            try await Task.sleep(for: wait)
            signal.send()
        }
    }

    /// Does what is due; answers when to look again, `nil` for not before there is news.
    private func round() async -> Duration? {
        do {
            let areTold = try await tellFailures()
            guard let next = try await release() else { return areTold ? nil : Self.longestPause }
            // Not longer, because a clock that is set moves the pauses.
            return min(max(next - now(), .milliseconds(50)), Self.longestPause)
        } catch {
            if !Task.isCancelled { logger.error("jobs cannot be tried again now", metadata: ["error": "\(error)"]) }
            return Self.pause
        }
    }

    /// Answers when the next job is due.
    private func release() async throws -> Instant? {
        while let next = try await state.nextRetry() {
            guard next <= now() else { return next }
            for service in try await state.releaseRetries(at: now(), limit: Self.batch) {
                scheduler.jobReturned(to: service)
            }
        }
        return nil
    }

    // MARK: Notices of failures

    /// Puts what is due into its bucket; answers whether all arrived.
    private func tellFailures() async throws -> Bool {
        var last: Int64 = 0
        var areTold = true
        while true {
            let notices = try await state.failureNotices(after: last, limit: Self.batch)
            guard let end = notices.last else { return areTold }
            for notice in notices {
                do { try await tell(notice) } catch {
                    if Task.isCancelled { throw error }
                    areTold = false
                    logger.warning(
                        "a failure cannot be told; trying again",
                        metadata: ["bucket": "\(notice.bucket)", "key": "\(notice.key)", "error": "\(error)"])
                }
            }
            last = end.id
        }
    }

    /// May be repeated after a crash: the store remembers what it has got.
    private func tell(_ notice: FailureNotice) async throws {
        let owner = "notice-\(notice.id)"
        let staged = store.stage()
        defer { staged.discard() }
        try await staged.write(ByteBuffer(bytes: notice.document))
        _ = try await staged.finish()
        _ = try await store.put(
            staged, as: try ObjectKey(notice.key), in: try BucketName(notice.bucket),
            attributes: ObjectAttributes(contentType: "application/json"), onceFor: owner,
            origin: RequestOrigin(principal: notice.principal, sourceAddress: ""))
        try await state.removeFailureNotice(notice.id)
        try await store.forgetPuts(by: [owner])
    }
}
