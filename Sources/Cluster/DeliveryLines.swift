import Model

/// Who is served by a line of deliveries now, and who rests after a failure.
///
/// Decides only: no clock, no I/O.
struct DeliveryLines {
    /// A storage as one service knows it: its own providers say where it is.
    struct Destination: Hashable, Sendable {
        let service: ServiceName
        let provider: String
    }

    private struct Failure {
        var count: Int
        var until: Instant
        var version: Int64?
    }

    /// How long a failure is remembered after its rest; a destination that is still tried fails again before.
    private static let memory = Duration.seconds(600)

    private var active: Set<Destination> = []
    private var ended: Set<Destination> = []
    private var failures: [Destination: Failure] = [:]

    /// Frees the destinations whose lines have ended.
    ///
    /// To be called before the deliveries are read that `begin` is asked for: what was read while a line was at work
    /// may have been delivered since.
    mutating func prepare() {
        active.subtract(ended)
        ended = []
    }

    /// Whether a line to the destination may begin now; then it has begun.
    ///
    /// - Parameter version: The service's; after an update nobody rests, because the providers may have changed.
    mutating func begin(_ destination: Destination, version: Int64?, at now: Instant) -> Bool {
        guard !active.contains(destination) else { return false }
        if let failure = failures[destination], failure.version == version, now < failure.until { return false }
        active.insert(destination)
        return true
    }

    mutating func end(_ destination: Destination) { ended.insert(destination) }

    /// How often the destination has failed since its last success.
    func failureCount(of destination: Destination) -> Int { failures[destination]?.count ?? 0 }

    mutating func succeeded(_ destination: Destination) { failures[destination] = nil }

    /// Lets the destination rest.
    mutating func failed(_ destination: Destination, version: Int64?, until end: Instant, at now: Instant) {
        failures = failures.filter { now - $0.value.until < Self.memory }
        failures[destination] = Failure(count: failureCount(of: destination) + 1, until: end, version: version)
    }

    /// The end of the next rest after that instant.
    func nextEndOfRest(after now: Instant) -> Instant? { failures.values.map(\.until).filter { $0 > now }.min() }
}
