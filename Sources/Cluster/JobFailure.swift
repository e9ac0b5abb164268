import Model
import Sandboxes

/// Why an attempt failed: what decides about another one, and the words that the records keep.
struct JobFailure: Error {
    let kind: AttemptFailure
    let exitCode: Int32?
    let signal: Int32?
    /// Whether the kernel ended the script for want of memory; `nil` where nobody knows.
    let isOutOfMemory: Bool?
    let message: String

    init(
        _ kind: AttemptFailure,
        exitCode: Int32? = nil,
        signal: Int32? = nil,
        isOutOfMemory: Bool? = nil,
        message: String
    ) {
        self.kind = kind
        self.exitCode = exitCode
        self.signal = signal
        self.isOutOfMemory = isOutOfMemory
        self.message = message
    }

    /// What any error of ours comes to.
    init(_ error: any Error) {
        self = error as? JobFailure ?? JobFailure(.infrastructure, message: "\(error)")
    }

    /// The program has answered that it could not do it, with those words.
    init(refused words: String) {
        self.init(.script(exitCode: 1), message: "the function answered with an error: \(words)")
    }

    /// The time of the service was over.
    init(timeoutOf service: RegisteredService) {
        let limit = service.definition.timeout.map { " of \($0.shortText)" } ?? ""
        self.init(
            .timeout, exitCode: 124,
            message: "the script ran longer than the service's timeout\(limit) and was stopped")
    }

    /// `nil` where the script ended well.
    ///
    /// - Parameter countsMemory: whether the sandbox would know if memory had run out.
    init?(_ ending: SandboxOutcome.Ending, of service: RegisteredService, countsMemory: Bool = false) {
        let hasMemory: Bool? = countsMemory ? false : nil
        switch ending {
        case .exited(0): return nil
        case .exited(let code):
            self.init(
                .script(exitCode: code), exitCode: code, isOutOfMemory: hasMemory,
                message: "the script ended with exit code \(code)")
        case .signalled(let signal):
            self.init(
                .script(exitCode: 128 + signal), exitCode: 128 + signal, signal: signal, isOutOfMemory: hasMemory,
                message: "the script was ended by signal \(signal)")
        case .refused(let words): self.init(refused: words)
        case .timedOut: self.init(timeoutOf: service)
        case .outOfMemory:
            self.init(
                .script(exitCode: 137), exitCode: 137, signal: 9, isOutOfMemory: true,
                message: "the script used more than the service's memory of \(service.definition.memoryLimit) and was "
                    + "stopped; raise the service's memory"
            )
        }
    }
}
