import Glibc
import Model

/// Whether the program may still open files, asked before a process is started.
///
/// swift-subprocess 1.0 cannot do without: where a pipe, a process descriptor or a registration is refused half way
/// (EMFILE, ENFILE), it ends the whole program, or never reports the process's end.
enum DescriptorRoom {
    /// More than one start needs, since others may be under way.
    static let wanted = 32
    private static let pause = Duration.milliseconds(20)

    /// Whether so many descriptors can be opened now; opens and closes them.
    static func isThere(for count: Int = wanted) -> Bool {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur > count else {
            return false
        }
        var opened: [Int32] = []
        opened.reserveCapacity(count)
        defer { for descriptor in opened { close(descriptor) } }
        guard case let first = open("/dev/null", O_RDONLY | O_CLOEXEC), first >= 0 else { return false }
        opened.append(first)
        while opened.count < count {
            let copy = fcntl(first, F_DUPFD_CLOEXEC, 0)
            guard copy >= 0 else { return false }
            opened.append(copy)
        }
        return true
    }

    /// Waits until there is room: what takes it now, a flood of connections for example, passes.
    ///
    /// - Throws: `.startFailed` where there is none within the time; `CancellationError`.
    static func wait(for count: Int = wanted, atMost limit: Duration = .seconds(30)) async throws {
        let deadline = ContinuousClock.now + limit
        while !isThere(for: count) {
            guard ContinuousClock.now < deadline else {
                throw SandboxError(
                    .startFailed,
                    "too many files and connections are open to start a process; raise the limit (ulimit -n, LimitNOFILE=)"
                )
            }
            try await Task.sleep(for: pause)
        }
    }
}
