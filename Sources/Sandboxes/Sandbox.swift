package import Model

/// Where user code executes: one script, once, with its input and output directories and its limits.
///
/// Two implementations: `ProcessSandbox` and `ContainerSandbox`. All of them pass `SandboxContract` of the tests.
/// Staging is done before and after, by the caller; a sandbox never sees a storage credential.
package protocol Sandbox: Sendable {
    var kind: SandboxKind { get }

    /// What this sandbox enforces on this machine, for people and for decisions.
    var capabilities: SandboxCapabilities { get }

    /// Says whether an invocation with these needs can start here, as far as that can be known without running one.
    /// Changes nothing and asks no registry; safe to repeat.
    ///
    /// - Throws: `.unavailable` (the machine lacks something; the message says what to install),
    ///   `.imageMissing` or `.invalid`.
    func check(_ requirements: SandboxRequirements) async throws(SandboxError)

    /// Fetches and unpacks the image ahead of the first run; does nothing where it is there, or where no image is used.
    /// Concurrent calls for one image share one pull. Safe to repeat.
    ///
    /// - Parameter progress: called with lines for people.
    /// - Throws: `.imageMissing`, `.imageBroken`, `.unavailable`, `.cancelled`.
    func prepare(image: String, progress: @escaping @Sendable (String) -> Void) async throws(SandboxError)

    /// Runs the invocation's script to its end, and returns when none of its processes is left.
    ///
    /// Not idempotent: the caller decides whether to run again. When the task is cancelled the whole process tree gets
    /// SIGTERM and, after the grace period, SIGKILL; then `.cancelled` is thrown.
    ///
    /// - Parameter output: takes each piece of output in order for its stream; the calls for the two streams may
    ///   overlap. The next piece is read after the call returns, so a slow taker slows the script down.
    /// - Throws: `.invalid`, `.unavailable`, `.imageMissing`, `.imageBroken`, `.startFailed`, `.cancelled`.
    ///   A script that fails is no error: see `SandboxOutcome.ending`.
    func run(
        _ invocation: SandboxInvocation,
        output: @escaping @Sendable (SandboxOutput) async -> Void
    ) async throws(SandboxError) -> SandboxOutcome

    /// Starts a sandbox that is kept for many invocations, and returns when it takes the first one.
    ///
    /// When the task is cancelled, what was started is ended. What the instance is to be rid of in the end is its caller's:
    /// `SandboxInstance.stop`, then the directory.
    ///
    /// - Parameter log: takes what the instance itself says: in script mode nothing ordinary; in the others what the program
    ///   writes to its standard error, and what it writes beside its answers.
    /// - Throws: `.unavailable` (also where `capabilities.hasInstances` is false), `.invalid`, `.imageMissing`,
    ///   `.imageBroken`, `.startFailed`, `.cancelled`.
    func startInstance(
        _ specification: InstanceSpecification,
        log: @escaping @Sendable (SandboxOutput) async -> Void
    ) async throws(SandboxError) -> SandboxInstance

    /// Ends and removes what an earlier Apus on the same data directory left behind when it was killed: processes,
    /// mounts, control groups. Call it once at start, before the first run.
    func removeLeftovers() async

    /// Ends what waits for work and removes the control groups of this sandbox. Call it after the last run has ended.
    func shutDown() async
}

/// What a sandbox enforces on this machine.
package struct SandboxCapabilities: Sendable, Hashable {
    /// Whether cpu, memory and process limits are enforced by control groups.
    package var enforcesLimits: Bool
    /// Which network the script sees.
    package var network: SandboxNetwork
    /// Whether sandboxes can be kept for further invocations: whether `apus-init` is there.
    package var hasInstances: Bool
    /// One sentence each, for the log at start and for `system/info`: runtime, limits, network.
    package var sentences: [String]
}

/// The network that a script sees.
package enum SandboxNetwork: String, Sendable, Hashable, CaseIterable {
    /// Loopback only.
    case none
    /// Connections to the outside, none from it.
    case outbound
    /// The network of the machine.
    case host
}

/// What a service needs of a sandbox.
package struct SandboxRequirements: Sendable, Hashable {
    /// The OCI reference or name of the image; `nil` where the service names none.
    package var image: String?
    /// Whether the image's own command is what it runs.
    package var runsImageCommand: Bool

    package init(image: String?, runsImageCommand: Bool = false) {
        self.image = image
        self.runsImageCommand = runsImageCommand
    }
}
