import DurableSQLite
import LoopbackServer
import Model
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
