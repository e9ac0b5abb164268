import HummingbirdCore
import Logging

/// How many connections a server accepts: without a limit, connections that say nothing take all descriptors, and where
/// none is left libdispatch and swift-subprocess end the program.
enum ConnectionLimit {
    /// Files, databases and processes need theirs.
    private static let keptBack: Int64 = 128
    private static let least: Int64 = 16
    /// Where nobody can say how many files may be open: what systems allow as a rule.
    private static let usual: Int64 = 1024

    /// The limit of one of two servers; to be asked after the program's own limit was raised.
    static func make(logger: Logger) -> MaximumAvailableConnections {
        let total = FileLimit.current ?? usual
        let limit = max(least, (total - keptBack - total / 8) / 2)
        return MaximumAvailableConnections(Int(clamping: limit), logger: logger)
    }
}
