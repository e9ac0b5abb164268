import Glibc
import Model
import Subprocess
import SystemPackage

/// The part of a run that the sandboxes have in common: limits, orders, supervision, verdict, and the end of all that is left.
struct SandboxRun: Sendable {
    let shell: ScriptProcess
    let invocation: SandboxInvocation
    let limits: ResourceLimits
    /// Where the shell writes why it could not become the script.
    let failureFile: FilePath
    /// How the tree is found where there is no control group.
    let marked: MarkedProcesses?
    /// Whether exit codes above 128 tell of a signal, as OCI runtimes and shells write them.
    var codesTellSignals = false
    /// Whether the processes are in a group of the runtime's below ours, which takes the count of kills with it.
    var killsAreCountedBelow = false
    /// How long a whole core may be used at first, for work that is not the script's: an OCI runtime starts in the same
    /// group, and a small limit would make it wait for periods of 100 ms.
    var startAllowance: Duration = .zero

    /// Shell commands that define `fail`, and use it where the shell is not in its control group.
    static func prologue(failureFile: FilePath) -> String {
        "fail() { echo \"$1\" > \(ShellText.quoted(failureFile.string)); exit 125; }\n"
            + "[ -z \"$unjoined\" ] || fail 'it could not join its control group'\n"
    }

    /// Runs the commands to their end and removes what is left of the tree.
    func finish(
        commands: String,
        output: @escaping @Sendable (SandboxOutput) async -> Void
    ) async throws(SandboxError) -> SandboxOutcome {
        let result: Result<SandboxOutcome, any Error>
        do {
            result = .success(try await supervise(commands, output))
        } catch {
            result = .failure(error)
        }
        if let group = shell.group { await group.remove() } else { await marked?.remove() }
        switch result {
        case .success(let outcome): return outcome
        case .failure(let error as SandboxError): throw error
        case .failure(let error):
            throw SandboxError(
                .startFailed, "the script of \(invocation.id) could not be started: \(error)", cause: error)
        }
    }

    private func supervise(
        _ commands: String,
        _ output: @escaping @Sendable (SandboxOutput) async -> Void
    ) async throws -> SandboxOutcome {
        var firstLimits = limits
        if startAllowance > .zero, limits.cpu > .zero { firstLimits.cpu = max(limits.cpu, MilliCPU(1000)) }
        do { try shell.group?.set(firstLimits) } catch {
            await shell.dismiss()
            throw SandboxError(
                .startFailed,
                "the limits of \(invocation.id) (cpu \(limits.cpu), memory \(limits.memory)) could not be set",
                cause: error
            )
        }
        let supervision = Supervision(
            process: shell, timeout: invocation.timeout, gracePeriod: invocation.gracePeriod, marked: marked
        )
        let startedAt = Instant.now()
        async let _ = limitProcessor(from: firstLimits)
        let result = try await supervision.run(ScriptProcess.Orders(commands: commands, output: output))
        // Now, before the counters are read: what the script left running still counts.
        shell.group?.kill9()
        if result.stopped == .cancelled {
            throw SandboxError(.cancelled, "the invocation \(invocation.id) was cancelled", cause: CancellationError())
        }
        if case .exited(125) = result.status, let reason = SystemFiles.text(failureFile) {
            let words = reason.split(whereSeparator: \.isNewline).joined(separator: "; ")
            throw SandboxError(.startFailed, "the script of \(invocation.id) could not be started: \(words)")
        }
        return SandboxOutcome(
            ending: ending(result), startedAt: startedAt, cpuTime: shell.group?.cpuTime,
            peakMemory: shell.group?.peakMemory
        )
    }

    /// Sets the processor limit when the time of the runtime is over; a run that ends before cancels this.
    private func limitProcessor(from first: ResourceLimits) async {
        guard first.cpu != limits.cpu, (try? await Task.sleep(for: startAllowance)) != nil else { return }
        // The group took a limit of the same kind a moment ago, so this fails only where the group is gone with the run.
        try? shell.group?.set(limits)
    }

    private func ending(_ result: Supervision.Result) -> SandboxOutcome.Ending {
        if result.stopped == .timedOut { return .timedOut }
        let ending: SandboxOutcome.Ending
        switch result.status {
        case .exited(let code) where codesTellSignals && (129...159).contains(code): ending = .signalled(code - 128)
        case .exited(let code): ending = .exited(code)
        case .signaled(let number): ending = .signalled(number)
        }
        guard ending != .exited(0), let group = shell.group else { return ending }
        if group.outOfMemoryKills > 0 { return .outOfMemory }
        // The counts of failures tell nothing where swap is limited too, but the highest use does.
        let reached = (group.peakMemory ?? .zero) + .mebibytes(1) >= limits.memory
        if killsAreCountedBelow, ending == .signalled(SIGKILL), limits.memory > .zero, reached { return .outOfMemory }
        return ending
    }
}

extension Instant {
    /// The wall clock.
    static func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}

extension ControlGroups {
    /// Control groups for us, or why there are none, in a sentence.
    static func offer(name: String, wanted: Bool) -> (groups: ControlGroups?, sentence: String) {
        let without = "Limits of cpu and processes are not enforced"
        guard wanted else { return (nil, "\(without): control groups are switched off.") }
        guard let mounts = ControlGroupMounts.current() else {
            return (nil, "\(without): this machine has no control groups for cpu, memory and pids.")
        }
        do {
            let groups = try ControlGroups(mounts, name: name)
            let version = mounts.version == .v1 ? "1" : "2"
            return (groups, "Limits of cpu, memory and processes are enforced by control groups (version \(version)).")
        } catch {
            return (nil, "\(without): control groups cannot be made here (\(error)); run as root to have them.")
        }
    }
}
