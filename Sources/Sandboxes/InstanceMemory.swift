import Glibc
import InitWire
import Model
import Synchronization

/// What the processes of an instance use, and whether the kernel ended some of them for want of memory.
final class InstanceMemory: Sendable {
    private struct State {
        var group: ControlGroup?
        var shell: ScriptProcess?
        var limit = ByteCount.zero
        var killsAreCountedBelow = false
    }

    private let state = Mutex(State())

    /// Tells which group it is, before the instance's first process starts.
    func use(_ run: SandboxRun) {
        state.withLock { state in
            state.group = run.shell.group
            state.shell = run.shell
            state.limit = run.limits.memory
            state.killsAreCountedBelow = run.killsAreCountedBelow
        }
    }

    /// User and system time of all its processes until now, those that have ended included; `nil` where there are none.
    ///
    /// Reads a file, or some of `/proc` where there are no control groups.
    var cpuTime: Duration? {
        let (group, root) = processes
        if let group { return group.cpuTime }
        return root.flatMap { ProcessTree(root: $0).cpuTime }
    }

    /// The group of its processes where there is one, and the first of them where it is there.
    var processes: (group: ControlGroup?, root: pid_t?) {
        let (group, shell) = state.withLock { ($0.group, $0.shell) }
        return (group, shell?.processID)
    }

    /// How many were ended until now; 0 where nobody counts.
    var kills: Int64 { state.withLock { $0.group?.outOfMemoryKills ?? 0 } }

    /// How an execution ended.
    ///
    /// - Parameter killsBefore: `kills` at its beginning; `nil` where the memory has no limit.
    func ending(_ end: InitFrame.End, killsBefore: Int64?) -> SandboxOutcome.Ending {
        if end.isTimedOut { return .timedOut }
        let ending: SandboxOutcome.Ending = end.isSignal ? .signalled(end.code) : .exited(end.code)
        guard ending != .exited(0), let killsBefore else { return ending }
        return hasKilled(since: killsBefore, ending) ? .outOfMemory : ending
    }

    private func hasKilled(since before: Int64, _ ending: SandboxOutcome.Ending) -> Bool {
        let state = state.withLock { $0 }
        guard let group = state.group, state.limit > .zero else { return false }
        if group.outOfMemoryKills > before { return true }
        let isKilled = ending == .signalled(SIGKILL) || ending == .exited(128 + SIGKILL)
        let reached = (group.peakMemory ?? .zero) + .mebibytes(1) >= state.limit
        return state.killsAreCountedBelow && isKilled && reached
    }
}
