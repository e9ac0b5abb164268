/// How often a service's jobs are tried again after a failed attempt, and how long they wait before.
package struct RetryPolicy: Sendable, Hashable {
    /// The most that can be asked for.
    package static let maximumRetries = 1000
    package static let maximumPause = Duration.seconds(7 * 86_400)

    /// Further attempts after the script has failed: by its exit code, by a signal, for want of memory.
    package var script: Int
    /// Further attempts after the script was stopped because its time was over.
    package var timeout: Int
    /// Further attempts after something else has failed: the disk, the sandbox, the image's registry.
    package var infrastructure: Int
    /// Which exit codes `script` counts for; 128 + N for signal N, 137 for want of memory.
    ///
    /// Empty for all.
    package var exitCodes: Set<Int32>
    /// The longest wait before the second attempt; it doubles with each further one.
    package var backoff: Duration
    /// No wait is longer.
    package var maximumBackoff: Duration

    package init(
        script: Int = 0,
        timeout: Int = 0,
        infrastructure: Int = 3,
        exitCodes: Set<Int32> = [],
        backoff: Duration = .seconds(5),
        maximumBackoff: Duration = .seconds(300)
    ) {
        self.script = script
        self.timeout = timeout
        self.infrastructure = infrastructure
        self.exitCodes = exitCodes
        self.backoff = backoff
        self.maximumBackoff = maximumBackoff
    }

    /// How often an attempt that failed so may be followed by another one.
    package func retries(after failure: AttemptFailure) -> Int {
        switch failure {
        case .script(let exitCode): exitCodes.isEmpty || exitCodes.contains(exitCode) ? script : 0
        case .timeout: timeout
        case .infrastructure: infrastructure
        case .input, .output: 0
        }
    }
}

/// Why an attempt failed, as far as it decides about another one.
package enum AttemptFailure: Sendable, Hashable {
    /// The script failed; 128 + N for signal N, 137 for want of memory.
    case script(exitCode: Int32)
    /// The script ran longer than its service allows.
    case timeout
    /// The cluster could not do its part.
    case infrastructure
    /// The input cannot be had: another attempt would not find it either.
    case input
    /// The results cannot be stored where they belong as long as nobody mends the service or its buckets.
    case output

    /// What the attempt's record says.
    package var outcome: AttemptOutcome {
        switch self {
        case .script: .script
        case .timeout: .timeout
        case .infrastructure: .infrastructure
        case .input: .input
        case .output: .output
        }
    }
}

/// How an attempt ended.
package enum AttemptOutcome: String, Sendable, Hashable, CaseIterable {
    case succeeded, script, timeout, infrastructure, input, output, cancelled
    /// The program or the machine ended meanwhile.
    case lost
}

/// Where a job that failed is told of.
package enum FailureOutput: Sendable, Hashable {
    /// A folder of this cluster's store: each failed job puts one object there.
    case folder(StorageIO)
    /// A webhook that the operator declared.
    case webhook(String)
}
