import Glibc

/// `prctl` takes a variable number of arguments in C, which Swift does not import; its arguments are words in registers in
/// either form on the machines that Linux of 64 bit runs on.
@_silgen_name("prctl")
private func prctl(_ option: Int32, _ a: UInt, _ b: UInt, _ c: UInt, _ d: UInt) -> Int32

/// All processes that descend from this one.
enum ProcessTree {
    /// Orphans become children of this process, so that they can be found, and it cannot be looked into (prctl(2)).
    static func adopt() {
        let (setDumpable, setChildSubreaper): (Int32, Int32) = (4, 36)
        _ = prctl(setDumpable, 0, 0, 0, 0)
        _ = prctl(setChildSubreaper, 1, 0, 0, 0)
    }

    /// Sends the signal to each of them once.
    static func signal(_ number: Int32) {
        // Process 1 of a namespace reaches all that is in it.
        if getpid() == 1 {
            kill(-1, number)
            return
        }
        for process in descendants() { kill(process, number) }
    }

    private static func descendants() -> [pid_t] {
        guard let directory = opendir("/proc") else { return [] }
        defer { closedir(directory) }
        var children: [pid_t: [pid_t]] = [:]
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard let process = pid_t(name), let parent = parent(of: process) else { continue }
            children[parent, default: []].append(process)
        }
        var found: [pid_t] = []
        var rest = children[getpid()] ?? []
        while let process = rest.popLast() {
            found.append(process)
            rest += children[process] ?? []
        }
        return found
    }

    private static func parent(of process: pid_t) -> pid_t? {
        let file = open("/proc/\(process)/stat", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        return withUnsafeTemporaryAllocation(byteCount: 512, alignment: 1) { buffer in
            let count = read(file, buffer.baseAddress, 512)
            // proc(5): number, name in brackets (which may hold brackets), state, parent.
            guard count > 0, let bracket = buffer.prefix(count).lastIndex(of: UInt8(ascii: ")")) else { return nil }
            let fields = buffer[(bracket + 1)..<count].split(separator: UInt8(ascii: " "))
            guard fields.count > 1 else { return nil }
            return pid_t(String(decoding: fields[1], as: UTF8.self))
        }
    }
}

/// What processes used that were reaped.
struct Usage {
    var cpuTime: UInt64 = 0
    var peakMemory: UInt64 = 0

    /// A process with those of its children that it has waited for (wait4(2)).
    mutating func add(_ usage: rusage) {
        func microseconds(_ time: timeval) -> UInt64 { UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_usec) }
        cpuTime += microseconds(usage.ru_utime) + microseconds(usage.ru_stime)
        peakMemory = max(peakMemory, UInt64(usage.ru_maxrss) * 1024)
    }
}
