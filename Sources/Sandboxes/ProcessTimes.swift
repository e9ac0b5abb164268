import Glibc
import SystemPackage

/// The processor time of processes, from `/proc`.
enum ProcessTimes {
    /// What one line of `/proc/PID/stat` says (proc(5)).
    private struct Entry {
        let parent: pid_t
        /// User and system time, with those of the children that it has waited for, in ticks.
        let ticks: Int64
    }

    /// User and system time of a process and all that descend from it; `nil` where it is not there.
    ///
    /// Those that have ended count with whoever has waited for them. Nothing is lost where the first process adopts its
    /// descendants' orphans, as `apus-init` does.
    static func ofTree(_ root: pid_t) -> Duration? {
        var entries: [pid_t: Entry] = [:]
        for name in SystemFiles.names(in: "/proc") {
            guard let process = pid_t(name), let entry = entry(of: process) else { continue }
            entries[process] = entry
        }
        guard let first = entries[root] else { return nil }
        var children: [pid_t: [pid_t]] = [:]
        for (process, entry) in entries { children[entry.parent, default: []].append(process) }
        var ticks = first.ticks
        var rest = children[root] ?? []
        while let process = rest.popLast() {
            ticks += entries[process]?.ticks ?? 0
            rest += children[process] ?? []
        }
        let perSecond = Int64(max(1, sysconf(Int32(_SC_CLK_TCK))))
        return .nanoseconds(ticks * (1_000_000_000 / perSecond))
    }

    private static func entry(of process: pid_t) -> Entry? {
        // The name in brackets may hold anything.
        guard let text = SystemFiles.text(FilePath("/proc/\(process)/stat")), let bracket = text.lastIndex(of: ")")
        else { return nil }
        // Field 3, the state, is the first one after it; 4 is the parent, 14 to 17 the times.
        let fields = text[text.index(after: bracket)...].split(separator: " ")
        guard fields.count > 14, let parent = pid_t(fields[1]) else { return nil }
        let times = fields[11...14].compactMap { Int64($0) }
        guard times.count == 4 else { return nil }
        return Entry(parent: parent, ticks: times.reduce(0, +))
    }
}

extension SandboxInstance {
    /// User and system time of all its processes until now, those that have ended included; `nil` where nobody can tell.
    package func processorTime() async -> Duration? {
        // Reading fails only where the program ends.
        try? await SystemFiles.offload { [memory] in memory.cpuTime }
    }
}
