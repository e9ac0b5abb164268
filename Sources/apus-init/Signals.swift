import Glibc

/// The signals that this process takes, as bytes of a pipe that `poll` sees.
enum Signals {
    /// Set once, before there is any handler that reads it.
    nonisolated(unsafe) private static var ends: (read: Int32, write: Int32) = (-1, -1)

    static var descriptor: Int32 { ends.read }

    static func install() {
        ends = Descriptors.pipe(nonBlocking: true) ?? (-1, -1)
        guard ends.read >= 0 else { Report.fail("no pipe can be made") }
        // Handlers, not ignoring: a process that is number 1 gets only the signals that it has handlers for.
        for number in [SIGCHLD, SIGTERM, SIGINT, SIGHUP] {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { number in Signals.note(number) }
            action.sa_flags = SA_RESTART
            sigaction(number, &action, nil)
        }
        signal(SIGPIPE, SIG_IGN)
    }

    private static func note(_ number: Int32) {
        let kept = errno
        var byte = UInt8(truncatingIfNeeded: number)
        _ = write(ends.write, &byte, 1)
        errno = kept
    }

    /// The signals since the last call.
    static func take() -> (childEnded: Bool, isAskedToEnd: Bool) {
        var result = (childEnded: false, isAskedToEnd: false)
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer in
            while true {
                let count = read(descriptor, buffer.baseAddress, 64)
                guard count > 0 else { return }
                for byte in buffer.prefix(count) {
                    if Int32(byte) == SIGCHLD { result.childEnded = true } else { result.isAskedToEnd = true }
                }
                if count < 64 { return }
            }
        }
        return result
    }
}
