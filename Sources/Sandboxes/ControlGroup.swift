import Glibc
import Model
import SystemPackage

/// The limits of one invocation.
struct ResourceLimits: Sendable, Hashable {
    /// 0 is without limit.
    var cpu: MilliCPU
    /// 0 is without limit.
    var memory: ByteCount
    /// 0 is without limit.
    var processes: Int
}

/// One control group in all hierarchies: the processes of one invocation, none of which can leave it.
struct ControlGroup: Sendable {
    let name: String
    let version: ControlGroups.Version
    /// By controller; in version 2 one, under the empty name.
    let paths: [String: FilePath]

    /// The files to which a process writes `0` to join.
    var joinFiles: [FilePath] { paths.values.map { $0.appending("cgroup.procs") } }

    /// - Throws: `Errno` where the kernel refuses a value.
    func set(_ limits: ResourceLimits) throws(Errno) {
        switch version {
        case .v1: try setV1(limits)
        case .v2: try setV2(limits)
        }
    }

    private func setV1(_ limits: ResourceLimits) throws(Errno) {
        if limits.memory > .zero, let path = paths["memory"] {
            try SystemFiles.put("\(limits.memory.bytes)", into: path.appending("memory.limit_in_bytes"))
            // Without swap; the file is missing where the kernel does not count swap.
            try? SystemFiles.put("\(limits.memory.bytes)", into: path.appending("memory.memsw.limit_in_bytes"))
        }
        if limits.processes > 0, let path = paths["pids"] {
            try SystemFiles.put("\(limits.processes)", into: path.appending("pids.max"))
        }
        if limits.cpu > .zero, let path = paths["cpu"] {
            try SystemFiles.put("\(Self.quota(limits.cpu))", into: path.appending("cpu.cfs_quota_us"))
        }
    }

    private func setV2(_ limits: ResourceLimits) throws(Errno) {
        guard let path = paths[""] else { return }
        if limits.memory > .zero {
            try SystemFiles.put("\(limits.memory.bytes)", into: path.appending("memory.max"))
            // As above: missing where swap is not counted.
            try? SystemFiles.put("0", into: path.appending("memory.swap.max"))
        }
        if limits.processes > 0 { try SystemFiles.put("\(limits.processes)", into: path.appending("pids.max")) }
        if limits.cpu > .zero {
            try SystemFiles.put("\(Self.quota(limits.cpu)) 100000", into: path.appending("cpu.max"))
        }
    }

    /// Microseconds of processor time in each period of 100 ms (the kernel's default); it wants at least 1 ms.
    private static func quota(_ cpu: MilliCPU) -> Int64 { max(1000, cpu.thousandths * 100) }

    /// The processes in it and in the groups below it, as seen from here.
    var members: [pid_t] {
        var members: Set<pid_t> = []
        for path in paths.values { Self.collect(from: path, into: &members) }
        members.remove(0)  // a process of a namespace that we do not see
        return Array(members)
    }

    private static func collect(from path: FilePath, into members: inout Set<pid_t>) {
        if let text = SystemFiles.text(path.appending("cgroup.procs"), limit: 1 << 24) {
            members.formUnion(text.split(separator: "\n").compactMap { pid_t($0) })
        }
        for child in children(of: path) { collect(from: child, into: &members) }
    }

    private static func children(of path: FilePath) -> [FilePath] {
        // A group without groups below it has two links, as any directory (cgroup file systems count them).
        var status = stat()
        guard path.withPlatformString({ lstat($0, &status) }) == 0, status.st_nlink > 2 else { return [] }
        return SystemFiles.names(in: path).map { path.appending($0) }.filter(SystemFiles.isDirectory)
    }

    /// Whether the group and those below it are gone.
    private static func removeDirectory(_ path: FilePath) -> Bool {
        for child in children(of: path) { _ = removeDirectory(child) }
        return path.withPlatformString { rmdir($0) } == 0 || errno == ENOENT
    }

    /// Sends the signal to every member once.
    func signal(_ number: Int32) {
        for member in members { _ = kill(member, number) }
    }

    /// Starts the end of every member; they may take a moment to be gone.
    func kill9() {
        switch version {
        case .v1:
            // No member can fork any more, so none can escape between the listing and the signal.
            if let path = paths["pids"] { try? SystemFiles.put("0", into: path.appending("pids.max")) }
            signal(SIGKILL)
        case .v2:
            let path = paths[""] ?? ""
            // cgroup.kill came with Linux 5.14.
            if (try? SystemFiles.put("1", into: path.appending("cgroup.kill"))) == nil { signal(SIGKILL) }
        }
    }

    /// Ends every member and removes the group.
    func remove() async {
        var pause = Duration.microseconds(500)
        var rest = Array(paths.values)
        for attempt in 0..<200 {
            if attempt > 0 || !members.isEmpty { kill9() }
            rest.removeAll(where: Self.removeDirectory)
            if rest.isEmpty { return }
            await Pause.regardlessOfCancellation(pause)
            pause = min(pause * 2, .milliseconds(50))
        }
    }

    /// How often the kernel ended a member for want of memory.
    var outOfMemoryKills: Int64 {
        switch version {
        case .v1:
            paths["memory"].flatMap { SystemFiles.integer($0.appending("memory.oom_control"), key: "oom_kill") } ?? 0
        case .v2: paths[""].flatMap { SystemFiles.integer($0.appending("memory.events"), key: "oom_kill") } ?? 0
        }
    }

    /// The highest use of memory, page cache included.
    var peakMemory: ByteCount? {
        switch version {
        case .v1:
            paths["memory"].flatMap { SystemFiles.integer($0.appending("memory.max_usage_in_bytes")) }.map(
                ByteCount.init)
        case .v2: paths[""].flatMap { SystemFiles.integer($0.appending("memory.peak")) }.map(ByteCount.init)
        }
    }

    /// User and system time.
    var cpuTime: Duration? {
        switch version {
        case .v1:
            paths["cpuacct"].flatMap { SystemFiles.integer($0.appending("cpuacct.usage")) }.map { .nanoseconds($0) }
        case .v2:
            paths[""].flatMap { SystemFiles.integer($0.appending("cpu.stat"), key: "usage_usec") }.map {
                .microseconds($0)
            }
        }
    }
}

/// Waiting.
enum Pause {
    /// Waits that long even where the current task is cancelled.
    static func regardlessOfCancellation(_ duration: Duration) async {
        // Awaited at once; a task of its own does not inherit the cancellation, so the sleep cannot fail.
        await Task { try? await Task.sleep(for: duration) }.value
    }
}
