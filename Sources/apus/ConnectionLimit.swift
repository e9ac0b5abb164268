import Glibc
import HummingbirdCore
import Logging

/// How many connections a server accepts: without a limit, connections that say nothing take all descriptors, and where
/// none is left libdispatch and swift-subprocess end the program.
enum ConnectionLimit {
    /// Files, databases and processes need theirs.
    private static let keptBack = 128
    private static let least = 16

    /// The limit of one of two servers; to be asked after the program's own limit was raised.
    static func make(logger: Logger) -> MaximumAvailableConnections {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        let total = getrlimit(resource, &limit) == 0 ? Int(clamping: limit.rlim_cur) : 1024
        return MaximumAvailableConnections(max(least, (total - keptBack - total / 8) / 2), logger: logger)
    }
}
