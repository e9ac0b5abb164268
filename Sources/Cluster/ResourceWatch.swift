package import Logging
import Metrics
package import Model
package import Scheduling
import ServiceLifecycle
package import StateStore
import Synchronization

/// Looks every second whether disk, memory and file descriptors suffice and whether somebody set the clock, and keeps
/// the cluster from taking on more than it can hold.
///
/// What is short stops the start of jobs and runs; a short disk also stops uploads and `/job`. What runs goes on, reads and
/// deletions go on, and all goes on by itself when there is enough again.
package final class ResourceWatch: Service {
    /// The wall clock, and one that grows evenly, also while the machine sleeps.
    package typealias Clocks = @Sendable () -> (wall: Instant, even: Duration)

    private struct State {
        var pressure: Pressure
        var clock = ClockWatch()
        /// At how many further looks nothing may wait for a time that lies ahead: at the first one after a start, and at
        /// some after the clock was set, since a time by the old clock may be written a moment later.
        var looksThatMakeDue = 1
    }

    private let seen: Mutex<State>
    private let scheduler: JobScheduler
    private let state: ClusterState
    private let deliveries: DeliveryService
    private let sample: @Sendable () async -> [Pressure.Resource: Pressure.Level]
    private let clocks: Clocks
    private let interval: Duration
    private let logger: Logger
    private let jumps = Counter(label: "apus_clock_jumps_total")

    /// - Parameters:
    ///   - reserves: what is kept back of a resource, in place of the standard.
    ///   - sample: what is free now.
    package init(
        reserves: [Pressure.Resource: Int64] = [:],
        scheduler: JobScheduler,
        state: ClusterState,
        deliveries: DeliveryService,
        sample: @escaping @Sendable () async -> [Pressure.Resource: Pressure.Level],
        clocks: @escaping Clocks,
        interval: Duration = .seconds(1),
        logger: Logger
    ) {
        seen = Mutex(State(pressure: Pressure(reserves: reserves)))
        self.scheduler = scheduler
        self.state = state
        self.deliveries = deliveries
        self.sample = sample
        self.clocks = clocks
        self.interval = interval
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            while !Task.isCancelled {
                await look()
                try? await Task.sleep(for: interval)  // Cancellation is seen by the loop.
            }
        }
    }

    /// Looks once; also before anything starts.
    package func look() async {
        let levels = await sample()
        let (wall, even) = clocks()
        let (changes, pressure, jump, makesDue) = seen.withLock { seen in
            let jump = seen.clock.observe(wall: wall, even: even)
            if jump != nil { seen.looksThatMakeDue = 3 }
            let makesDue = seen.looksThatMakeDue > 0
            return (seen.pressure.observe(levels, at: wall), seen.pressure, jump, makesDue)
        }
        if !changes.isEmpty {
            for change in changes { report(change) }
            scheduler.hold(starts: pressure.reason, storage: pressure.storageReason)
        }
        if let jump { report(jump) }
        if makesDue, await makeSchedulesDue(at: wall) {
            seen.withLock { $0.looksThatMakeDue = max(0, $0.looksThatMakeDue - 1) }
        }
    }

    private func report(_ change: Pressure.Change) {
        let check = change.check
        let metadata: Logger.Metadata = [
            "resource": "\(change.resource.rawValue)", "free": "\(check.level.free)", "reserve": "\(check.marks.low)",
        ]
        if check.isShort {
            logger.warning("nothing new is started: \(change.resource.shortage(check))", metadata: metadata)
        } else {
            logger.notice("enough again, short since \(change.before.rfc3339())", metadata: metadata)
        }
    }

    private func report(_ jump: ClockWatch.Jump) {
        jumps.increment()
        logger.warning(
            "the wall clock was set; what waits to be tried again is tried now",
            metadata: ["by.seconds": "\(jump.by.seconds)", "now": "\(jump.now.rfc3339())"]
        )
    }

    /// - Returns: whether it could be recorded; where not, the next look tries again.
    private func makeSchedulesDue(at now: Instant) async -> Bool {
        defer {
            // Lines remember when what rests is due.
            deliveries.retry(nil)
        }
        do {
            try await state.makeSchedulesDue(at: now)
            return true
        } catch {
            logger.warning("times in the store cannot be changed", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// Whether what is old by the wall clock may be deleted: not in the first hour after the clock went far forwards.
    package var trustsAges: Bool {
        let even = clocks().even
        return seen.withLock { $0.clock.trustsAges(even: even) }
    }

    /// The resources, each with whether it is short.
    package var shortages: [Pressure.Resource: Bool] { seen.withLock { $0.pressure.checks.mapValues(\.isShort) } }

    // MARK: Health

    /// `/health?verbose`: each check, its state, since when, what to do.
    package func healthJSON() -> JSONValue {
        let even = clocks().even
        let (checks, clock) = seen.withLock { ($0.pressure.checks, $0.clock) }
        var list = Pressure.Resource.allCases.compactMap { resource in checks[resource].map { Self.json(resource, $0) }
        }
        list.append(Self.json(clock, trustsAges: clock.trustsAges(even: even)))
        let isShort = checks.values.contains(where: \.isShort)
        return .object([
            "status": .string(isShort ? "short" : "ok"),
            "starts": .bool(!isShort),
            "stores": .bool(scheduler.storageRefusal == nil),
            "checks": .array(list),
        ])
    }

    private static func json(_ resource: Pressure.Resource, _ check: Pressure.Check) -> JSONValue {
        var object: JSONObject = [
            "name": .string(resource.rawValue), "state": .string(check.isShort ? "short" : "ok"),
            "since": .string(check.since.rfc3339()), "free": .integer(check.level.free),
            "total": .integer(check.level.total), "reserve": .integer(check.marks.low),
            "enough": .integer(check.marks.enough),
        ]
        if check.isShort { object["advice"] = .string(resource.shortage(check)) }
        return .object(object)
    }

    private static func json(_ clock: ClockWatch, trustsAges: Bool) -> JSONValue {
        var object: JSONObject = ["name": .string("clock"), "state": .string(trustsAges ? "ok" : "set forwards")]
        if let jump = clock.lastJump {
            object["since"] = .string(jump.now.rfc3339())
            object["set_by_seconds"] = .double(jump.by.seconds)
        }
        if !trustsAges {
            object["advice"] = .string(
                "the wall clock went far forwards; nothing is deleted for its age for an hour: check the machine's time"
            )
        }
        return .object(object)
    }
}
