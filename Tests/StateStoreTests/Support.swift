import DurableSQLite
import LoopbackServer
import Model
import Scheduling
import StateStore
import SystemPackage

/// Runs `body` with an empty state.
func withState(_ body: (ClusterState) async throws -> Void) async throws {
    try await TemporaryFolder.with { try await withState(at: $0, body) }
}

func withState(at folder: FilePath, _ body: (ClusterState) async throws -> Void) async throws {
    let state = try await ClusterState.open(at: folder.appending("state.sqlite").string, durability: .never)
    do { try await body(state) } catch {
        await state.close()
        throw error
    }
    await state.close()
}

func time(_ seconds: Int64) -> Instant { Instant(seconds: seconds) }

func service(_ name: String, version: Int64 = 1, buckets: [String] = []) throws -> StoredService {
    StoredService(
        name: try ServiceName(name), definition: .object(["name": .string(name), "script": .string("é\n\u{0}<&>")]),
        madeBuckets: try buckets.map { try BucketName($0) }, version: version, created: time(1), updated: time(version)
    )
}

func job(_ name: String, of service: String, event: Int64? = nil, body: [UInt8]? = [1, 2, 3]) throws -> NewJob {
    NewJob(
        name: try JobName(name), service: try ServiceName(service), eventSequence: event,
        input: event == nil ? nil : ObjectLocation(bucket: try BucketName("bucket"), key: try ObjectKey("in/\(name)")),
        principal: "someone", event: body, created: time(10)
    )
}

func delivery(_ name: String, to provider: String = "s3.cloud", path: String = "out") -> NewDelivery {
    NewDelivery(provider: provider, path: path, name: name, file: "0", size: ByteCount(7))
}

extension ClusterState {
    /// The names of all jobs, the oldest first.
    func names() async throws -> [String] { try await jobs(JobFilter(limit: 10_000)).jobs.reversed().map(\.name.text) }

    /// The job of that name, which must be there.
    func find(_ name: String) async throws -> JobRecord {
        guard let record = try await job(named: try JobName(name)) else {
            throw StateStoreError(code: .notFound, message: name)
        }
        return record
    }

    /// Adds a service with jobs that clients posted.
    func add(_ name: String, jobs: [String]) async throws {
        try await insert(try StateStoreTests.service(name))
        for text in jobs { try await enqueue(try StateStoreTests.job(text, of: name)) }
    }
}

/// The code of the error that `body` throws.
func code(_ body: () async throws -> Void) async -> StateStoreError.Code? {
    do { try await body() } catch { return (error as? StateStoreError)?.code }
    return nil
}

extension ClusterState {
    private static let way: [JobLifeCycle.Event] = [.started, .scriptStarted, .scriptSucceeded]

    /// Takes a job from wherever it is to the last event; false where there is no way.
    func take(
        _ number: Int64,
        to last: [JobLifeCycle.Event],
        at now: Instant = time(15),
        _ result: AttemptResult = AttemptResult(),
        deliveries: [NewDelivery] = []
    ) async throws -> Bool {
        for count in 0...Self.way.count {
            for start in 0...(Self.way.count - count) {
                let events = Array(Self.way[start..<start + count]) + last
                if try await handle(events, of: number, at: now, result, deliveries: deliveries) != nil { return true }
            }
        }
        return false
    }

    /// Takes a job to a state on its way.
    @discardableResult
    func advance(_ number: Int64, to state: JobState, result: AttemptResult = AttemptResult()) async throws -> Bool {
        switch state {
        case .stagingIn: try await take(number, to: [.started], result)
        case .running: try await take(number, to: [.scriptStarted], result)
        case .stagingOut: try await take(number, to: [.scriptSucceeded], result)
        case .delivering: try await take(number, to: [.resultsStored(awaitingDelivery: true)], result)
        case .queued, .succeeded, .failed, .cancelled, .dead: false
        }
    }

    /// Ends a job.
    func end(_ number: Int64, as state: JobState, at now: Instant, result: AttemptResult) async throws -> Bool {
        switch state {
        case .succeeded: try await take(number, to: [.resultsStored(awaitingDelivery: false)], at: now, result)
        case .cancelled: try await take(number, to: [.cancelled], at: now, result)
        case .dead: try await fail(number, .infrastructure, at: now, result, RetryPolicy(infrastructure: 1)) == .dead
        case .failed: try await fail(number, .script(exitCode: 1), at: now, result) == .failed
        case .queued, .stagingIn, .running, .stagingOut, .delivering: false
        }
    }

    /// Lets an attempt fail; answers the state after it, `nil` where it was refused.
    @discardableResult
    func fail(
        _ number: Int64,
        _ failure: AttemptFailure,
        at now: Instant = time(20),
        _ result: AttemptResult = AttemptResult(),
        _ policy: RetryPolicy = RetryPolicy(),
        notice: NewFailureNotice? = nil
    ) async throws -> JobState? {
        let event = JobLifeCycle.Event.attemptFailed(failure, policy: policy, jitter: 1)
        for events in [[event], [.started, event]] {
            if let change = try await handle(events, of: number, at: now, result, notice: notice) {
                return change.job.state
            }
        }
        return nil
    }

    /// Commits deliveries of a job, wherever it is before.
    func deliver(_ deliveries: [NewDelivery], of number: Int64, at now: Instant, result: AttemptResult) async throws {
        let last = [JobLifeCycle.Event.resultsStored(awaitingDelivery: true)]
        _ = try await take(number, to: last, at: now, result, deliveries: deliveries)
    }
}
