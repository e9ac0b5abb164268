import Metrics

/// What is counted of runs.
final class RunMetrics: Sendable {
    let succeeded = Counter(label: "apus_runs_total", dimensions: [("outcome", "succeeded")])
    let failed = Counter(label: "apus_runs_total", dimensions: [("outcome", "failed")])
    private let time = Timer(label: "apus_run_seconds")
    private let wait = Timer(label: "apus_run_wait_seconds")

    func ended(after duration: Duration) { time.recordNanoseconds(duration.nanoseconds) }

    /// Admission and an instance were waited for that long.
    func waited(_ duration: Duration) { wait.recordNanoseconds(duration.nanoseconds) }
}
