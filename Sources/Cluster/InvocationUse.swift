import Metrics
import Model
import Sandboxes

/// What invocations, jobs and runs, have used, where their sandbox can tell.
final class InvocationUse: Sendable {
    private let cpuTime = Timer(label: "apus_invocation_cpu_seconds")
    private let peakMemory = Recorder(label: "apus_invocation_peak_memory_bytes", aggregate: true)

    func ended(_ outcome: SandboxOutcome) {
        if let time = outcome.cpuTime { cpuTime.recordNanoseconds(time.nanoseconds) }
        if let memory = outcome.peakMemory { peakMemory.record(memory.bytes) }
    }
}
