import Metrics
import Model
import StateStore

/// What is counted of invocations.
final class InvocationMetrics: Sendable {
    private let wait = Timer(label: "apus_job_wait_seconds")
    private let stageIn = Timer(label: "apus_job_stage_in_seconds")
    private let run = Timer(label: "apus_job_run_seconds")
    private let stageOut = Timer(label: "apus_job_stage_out_seconds")
    private let bytesIn = Counter(label: "apus_stage_in_bytes_total")
    private let bytesOut = Counter(label: "apus_stage_out_bytes_total")
    private let succeeded = Counter(label: "apus_jobs_ended_total", dimensions: [("state", "succeeded")])
    private let failed = Counter(label: "apus_jobs_ended_total", dimensions: [("state", "failed")])
    private let cancelled = Counter(label: "apus_jobs_ended_total", dimensions: [("state", "cancelled")])
    private let dead = Counter(label: "apus_jobs_ended_total", dimensions: [("state", "dead")])
    private let attempts = Dictionary(
        uniqueKeysWithValues: AttemptOutcome.allCases.map {
            ($0, Counter(label: "apus_job_attempts_total", dimensions: [("outcome", $0.rawValue)]))
        })

    func waited(_ created: Instant, _ started: Instant) { wait.recordNanoseconds((started - created).nanoseconds) }

    func ended(_ job: JobRecord) {
        if let duration = job.stageIn { stageIn.recordNanoseconds(duration.nanoseconds) }
        if let duration = job.run { run.recordNanoseconds(duration.nanoseconds) }
        if let duration = job.stageOut { stageOut.recordNanoseconds(duration.nanoseconds) }
        switch job.state {
        case .succeeded: succeeded.increment()
        case .failed: failed.increment()
        case .cancelled: cancelled.increment()
        case .dead: dead.increment()
        case .queued, .stagingIn, .running, .stagingOut, .delivering: break
        }
    }

    func attemptEnded(_ outcome: AttemptOutcome) { attempts[outcome]?.increment() }

    func stagedIn(_ size: ByteCount) { bytesIn.increment(by: size.bytes) }
    func stagedOut(_ size: ByteCount) { bytesOut.increment(by: size.bytes) }
}

extension Duration {
    var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
    /// With fraction.
    var seconds: Double { Double(nanoseconds) / 1e9 }
}
