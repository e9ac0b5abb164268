import Glibc
import Model
import SystemPackage

/// A process and all that descend from it, as `/proc` shows them.
///
/// Nothing is lost where the first process adopts its descendants' orphans, as `apus-init` does.
struct ProcessTree: Sendable {
    let root: pid_t

    /// Those that are there now, the first one included; empty where that is gone.
    var members: [pid_t] {
        guard SystemFiles.exists(FilePath("/proc/\(root)")) else { return [] }
        var found: [pid_t] = []
        var rest = [root]
        while let process = rest.popLast() {
            found.append(process)
            guard let children = Self.children(of: process) else { return Self.search(from: root) }
            rest += children
        }
        return found
    }

    /// User and system time of all of them, those that have ended included; `nil` where there are none.
    ///
    /// In steps of the kernel's clock, which has 100 in a second.
    var cpuTime: Duration? {
        let times = members.compactMap { Self.entry(of: $0)?.ticks }
        guard !times.isEmpty else { return nil }
        let perSecond = Int64(max(1, sysconf(Int32(_SC_CLK_TCK))))
        return .nanoseconds(times.reduce(0, +) * (1_000_000_000 / perSecond))
    }

    /// What one line of `/proc/PID/stat` says (proc(5)).
    private struct Entry {
        let parent: pid_t
        /// User and system time, with those of the children that it has waited for, in ticks.
        let ticks: Int64
    }

    /// `nil` where the kernel does not say (it may be built without); of a process that is gone there are none.
    private static func children(of process: pid_t) -> [pid_t]? {
        var children: [pid_t] = []
        for thread in SystemFiles.names(in: FilePath("/proc/\(process)/task")) {
            let directory = FilePath("/proc/\(process)/task/\(thread)")
            guard let text = SystemFiles.text(directory.appending("children")) else {
                if SystemFiles.exists(directory) { return nil }
                continue
            }
            children += text.split(separator: " ").compactMap { pid_t($0) }
        }
        return children
    }

    /// The same by looking at every process of the machine.
    private static func search(from root: pid_t) -> [pid_t] {
        var children: [pid_t: [pid_t]] = [:]
        for process in SystemFiles.names(in: "/proc").compactMap({ pid_t($0) }) {
            if let entry = entry(of: process) { children[entry.parent, default: []].append(process) }
        }
        var found: [pid_t] = []
        var rest = [root]
        while let process = rest.popLast() {
            found.append(process)
            rest += children[process] ?? []
        }
        return found
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
