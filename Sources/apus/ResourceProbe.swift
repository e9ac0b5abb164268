import Cluster
import Model
import NIOPosix
import Scheduling
import SystemPackage
import Telemetry

#if canImport(CoreFoundation)
// See Cluster/Folder.swift.
import CoreFoundation
#endif
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What this machine has left.
enum ResourceProbe {
    /// What is free now, seen from a folder; what cannot be told is left out.
    static func sample(_ folder: FilePath) async -> [Pressure.Resource: Pressure.Level] {
        // A file system that hangs must hold up no thread of the program's own.
        var levels = (try? await NIOThreadPool.singleton.runIfActive { Self.disk(of: folder) }) ?? [:]
        levels[.memory] = memory()
        levels[.fileDescriptors] = fileDescriptors()
        return levels
    }

    /// The wall clock, and one that goes on evenly, also while the machine sleeps.
    static func clocks() -> (wall: Instant, even: Duration) {
        var time = timespec()
        #if os(Linux)
        clock_gettime(CLOCK_BOOTTIME, &time)
        #else
        clock_gettime(CLOCK_MONOTONIC, &time)
        #endif
        return (Clock.now(), .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec))
    }

    private static func disk(of folder: FilePath) -> [Pressure.Resource: Pressure.Level] {
        var facts = statvfs()
        guard statvfs(folder.string, &facts) == 0 else { return [:] }
        let unit = Int64(facts.f_frsize)
        return [
            .diskSpace: Pressure.Level(free: Int64(facts.f_bavail) * unit, total: Int64(facts.f_blocks) * unit),
            // Both are 0 where a file system has no such limit (btrfs).
            .diskFiles: Pressure.Level(
                free: Int64(clamping: facts.f_favail), total: Int64(clamping: facts.f_files)),
        ]
    }

    /// What the kernel can give without swapping (proc(5), `MemAvailable`); `nil` where there is no `/proc`.
    private static func memory() -> Pressure.Level? {
        guard let text = ProcessStatistics.contents(of: "/proc/meminfo") else { return nil }
        func bytes(_ field: String) -> Int64? {
            let line = text.split(separator: "\n").first { $0.hasPrefix("\(field):") }
            return line.flatMap { Int64($0.split(separator: " ").dropFirst().first ?? "") }.map { $0 << 10 }
        }
        guard let free = bytes("MemAvailable"), let total = bytes("MemTotal") else { return nil }
        return Pressure.Level(free: free, total: total)
    }

    private static func fileDescriptors() -> Pressure.Level? {
        guard let total = FileLimit.current else { return nil }
        // Where not even the folder that lists them can be opened, none is left.
        let open = ProcessMetrics.openFileDescriptors().map(Int64.init) ?? (errno == EMFILE ? total : 0)
        return Pressure.Level(free: total - open, total: total)
    }
}

/// How many files and connections the process may open.
enum FileLimit {
    /// More than a server of this size uses; scripts inherit the limit, and old programs close every number up to it.
    private static let most: rlim_t = 65_536

    /// The soft limit; `nil` where it cannot be read.
    static var current: Int64? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        return Int64(clamping: limit.rlim_cur)
    }

    /// Raises the soft limit to the hard one, or to 65,536 where that is less; a limit that is higher stays.
    static func raise() {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(resource, &limit) == 0 else { return }
        let wanted = min(limit.rlim_max, most)
        guard limit.rlim_cur < wanted else { return }
        limit.rlim_cur = wanted
        setrlimit(resource, &limit)  // What could not be raised stays, and the watch over it speaks up in time.
    }
}
