import Glibc
import SystemPackage

/// The processes that carry our mark in their environment: how trees are found where there are no control groups, and what
/// an earlier Apus left behind.
struct MarkedProcesses: Sendable {
    static let variable = "APUS_INVOCATION"

    /// The variable's value, `<data directory>/<invocation>`; `<data directory>/` stands for all that begin so.
    let mark: String

    /// Those that are there now, from `/proc`; ours to read or not visible at all.
    func find() -> [pid_t] {
        let own = getpid()
        let wanted = Array("\(Self.variable)=\(mark)".utf8)
        let isForAll = mark.hasSuffix("/")
        return SystemFiles.names(in: "/proc").compactMap { pid_t($0) }.filter { processID in
            guard processID != own,
                let environment = SystemFiles.bytes(FilePath("/proc/\(processID)/environ"), limit: 1 << 20)
            else { return false }
            // The name of one invocation may be the beginning of another's.
            return environment.split(separator: 0).contains { entry in
                isForAll ? entry.starts(with: wanted) : entry.elementsEqual(wanted)
            }
        }
    }

    /// Sends the signal to each of them once.
    func signal(_ number: Int32) async {
        // The scan cannot fail; the pool only refuses when the program ends.
        try? await SystemFiles.offload { for processID in find() { kill(processID, number) } }
    }

    /// Ends them by SIGKILL, and those that they may have made meanwhile.
    func remove() async {
        for _ in 0..<100 {
            // As above.
            let found = (try? await SystemFiles.offload { find() }) ?? []
            let alive = found.filter { kill($0, SIGKILL) == 0 && !Self.isDead($0) }
            if alive.isEmpty { return }
            await Pause.regardlessOfCancellation(.milliseconds(5))
        }
    }

    private static func isDead(_ processID: pid_t) -> Bool {
        // proc(5): the state is the first word after the name in brackets.
        guard let text = SystemFiles.text(FilePath("/proc/\(processID)/stat")), let bracket = text.lastIndex(of: ")")
        else {
            return true
        }
        return "ZX".contains(text[bracket...].dropFirst(2).first ?? "X")
    }
}
