import Sandboxes

extension SandboxOutput.Stream {
    /// The same stream in a job's log.
    var logStream: LogRecord.Stream {
        switch self {
        case .standardOutput: .output
        case .standardError: .error
        }
    }
}
