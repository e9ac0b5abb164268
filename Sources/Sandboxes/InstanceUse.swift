import Glibc
import Model
import SystemPackage

/// What one invocation uses of an instance that it has for itself, from its begin to its end.
final class InstanceUse: Sendable {
    /// How the highest use of memory since the begin is told.
    private enum Peak {
        /// The group's own, which was reset.
        case file(FilePath)
        /// The same where the reset holds for the descriptor only (Linux 6.12, Documentation/admin-guide/cgroup-v2.rst).
        case descriptor(FileDescriptor)
        /// The highest of its processes, whose own were reset (proc(5), `clear_refs`).
        case processes([pid_t])
    }

    private let memory: InstanceMemory
    private let before: Duration?
    private let peak: Peak?

    /// Begins to measure.
    init(_ memory: InstanceMemory) {
        self.memory = memory
        peak = Self.begin(memory)
        before = memory.cpuTime
    }

    deinit {
        // Read and written to with success; nothing can be lost.
        if case .descriptor(let descriptor) = peak { try? descriptor.close() }
    }

    /// User and system time since the begin; `nil` where nobody can tell.
    var cpuTime: Duration? {
        guard let before, let after = memory.cpuTime else { return nil }
        return max(.zero, after - before)
    }

    /// The highest use of memory since the begin: of all processes with their page cache, or, where the kernel cannot
    /// begin anew with that, of the process that used most; `nil` where nobody can tell.
    var peakMemory: ByteCount? {
        switch peak {
        case .file(let path): SystemFiles.integer(path).map(ByteCount.init)
        case .descriptor(let descriptor): Self.integer(descriptor).map(ByteCount.init)
        case .processes(let processes): processes.compactMap(Self.highest).max()
        case nil: nil
        }
    }

    private static func begin(_ memory: InstanceMemory) -> Peak? {
        let (group, root) = memory.processes
        if let group, let peak = begin(group) { return peak }
        let processes = group?.members ?? root.map { ProcessTree(root: $0).members } ?? []
        // One that we may not reset, as the first process of an instance, would tell of other invocations.
        let reset = processes.filter { process in
            (try? SystemFiles.put("5", into: FilePath("/proc/\(process)/clear_refs"))) != nil
        }
        return reset.isEmpty ? nil : .processes(reset)
    }

    private static func begin(_ group: ControlGroup) -> Peak? {
        switch group.version {
        case .v1:
            guard let path = group.paths["memory"]?.appending("memory.max_usage_in_bytes"),
                (try? SystemFiles.put("0", into: path)) != nil  // Where it fails, the processes are asked.
            else { return nil }
            return .file(path)
        case .v2:
            guard let path = group.paths[""]?.appending("memory.peak"),
                let descriptor = try? FileDescriptor.open(path, .readWrite)  // As above: an older kernel.
            else { return nil }
            guard (try? descriptor.writeAll("reset".utf8)) != nil else {
                try? descriptor.close()  // Nothing was written.
                return nil
            }
            return .descriptor(descriptor)
        }
    }

    private static func integer(_ descriptor: FileDescriptor) -> Int64? {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer in
            guard let count = try? descriptor.read(fromAbsoluteOffset: 0, into: buffer) else { return nil }
            let text = String(decoding: buffer.prefix(count), as: UTF8.self)
            return text.split(whereSeparator: \.isWhitespace).first.flatMap { Int64($0) }
        }
    }

    /// The highest resident size of a process since its reset, in `/proc/PID/status`.
    private static func highest(_ process: pid_t) -> ByteCount? {
        guard let text = SystemFiles.text(FilePath("/proc/\(process)/status")) else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix("VmHWM:") {
            let words = line.split(whereSeparator: \.isWhitespace)
            return words.count > 1 ? Int64(words[1]).map { ByteCount($0 * 1024) } : nil
        }
        return nil
    }
}

extension SandboxInstance {
    /// User and system time of all its processes until now, those that have ended included; `nil` where nobody can tell.
    package func processorTime() async -> Duration? {
        // Reading fails only where the program ends.
        try? await SystemFiles.offload { [memory] in memory.cpuTime }
    }

    /// Begins to measure an invocation; `nil` where others may be under way in the same instance.
    func beginUse() -> InstanceUse? { slots == 1 ? InstanceUse(memory) : nil }
}
