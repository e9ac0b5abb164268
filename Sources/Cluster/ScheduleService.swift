package import Logging
package import Model
import Scheduling
import ServiceLifecycle
package import StateStore

/// A schedule of a service as people and scripts see it.
package struct ScheduleView: Sendable {
    package var service: ServiceName
    package var schedule: ServiceSchedule
    /// When it is due next; `nil` where it never is again.
    package var next: Instant?
    /// What it has come to; `nil` where it has not begun.
    package var record: ScheduleRecord?
    /// Why it makes no jobs, in words.
    package var problem: String?
}

/// Makes jobs by the clock, one for each instant at which a schedule is due.
///
/// A job and that its instant has had one are a single transaction, so neither a crash nor a clock that is put back makes
/// two; what passed while nobody looked is for the schedule's policy to say.
package final class ScheduleService: Service {
    /// The longest sleep: a clock that is put forward is noticed after that.
    private static let longestSleep = Duration.seconds(10)

    private let state: ClusterState
    private let catalog: ServiceCatalog
    private let scheduler: JobScheduler
    private let zones: TimeZones
    private let now: @Sendable () -> Instant
    private let logger: Logger

    package init(
        state: ClusterState,
        catalog: ServiceCatalog,
        scheduler: JobScheduler,
        zones: TimeZones,
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) {
        self.state = state
        self.catalog = catalog
        self.scheduler = scheduler
        self.zones = zones
        self.now = now
        self.logger = logger
    }

    package func run() async throws {
        catalog.changes.send()
        await cancelWhenGracefulShutdown { [self] in
            var timer: Task<Void, any Error>?
            for await _ in catalog.changes.rings {
                timer?.cancel()
                timer = wakeUp(after: await patientRound())
            }
            timer?.cancel()
        }
    }

    private func wakeUp(after wait: Duration?) -> Task<Void, any Error>? {
        guard let wait else { return nil }
        // Ends by itself; `run` cancels it when services change or the end has come.
        return Task { [catalog] in
            try await Task.sleep(for: wait)
            catalog.changes.send()
        }
    }

    /// How long to sleep; `nil` for until services change.
    private func patientRound() async -> Duration? {
        do {
            return try await round().map { min(Self.longestSleep, max(.zero, $0 - now())) }
        } catch {
            if !Task.isCancelled {
                logger.error("schedules cannot be read or recorded; trying again", metadata: ["error": "\(error)"])
            }
            return .seconds(5)
        }
    }

    /// Makes the jobs that are due now.
    ///
    /// - Returns: when something is due next; `nil` where nothing is.
    package func round() async throws -> Instant? {
        var records = Dictionary(
            uniqueKeysWithValues: try await state.schedules().map { (Key(service: $0.service, name: $0.name), $0) })
        var earliest: Instant?
        for service in catalog.all {
            for schedule in service.definition.schedules {
                let record = records.removeValue(forKey: Key(service: service.name, name: schedule.name))
                guard let next = try await turn(schedule, of: service, record) else { continue }
                earliest = min(earliest ?? next, next)
            }
        }
        for (key, _) in records { try await state.forgetSchedule(key.name, of: key.service) }
        return earliest
    }

    private struct Key: Hashable {
        var service: ServiceName
        var name: String
    }

    /// - Returns: when the schedule is due next.
    private func turn(
        _ schedule: ServiceSchedule,
        of service: RegisteredService,
        _ record: ScheduleRecord?
    ) async throws -> Instant? {
        let rules: TimeZoneRules
        do throws(ClusterError) { rules = try await zones.rules(of: schedule.timeZone) } catch {
            logger.error(
                "a schedule makes no jobs",
                metadata: ["service": "\(service.name)", "schedule": "\(schedule.name)", "error": "\(error.message)"])
            return nil
        }
        let now = now()
        guard let record, record.expression == schedule.expression else {
            try await state.beginSchedule(schedule.name, of: service.name, expression: schedule.expression, at: now)
            return schedule.timing.next(after: now.seconds, in: rules).map { Instant(seconds: $0) }
        }
        // Where the clock was put back, what is due from now on counts; what has had its job is remembered.
        let decided = min(record.decided, now)
        if let due = DueRuns(schedule, in: rules, after: decided, now: now) {
            try await make(due, schedule, service, decided: now)
        } else if decided < record.decided {
            logger.warning(
                "the clock was put back; schedules go by it",
                metadata: ["service": "\(service.name)", "schedule": "\(schedule.name)"])
            _ = try await state.run(schedule.name, of: service.name, jobs: [], decided: now)
        }
        return schedule.timing.next(after: now.seconds, in: rules).map { Instant(seconds: $0) }
    }

    private func make(
        _ due: DueRuns,
        _ schedule: ServiceSchedule,
        _ service: RegisteredService,
        decided: Instant
    ) async throws {
        let jobs = due.instants.map { instant in
            ScheduledJob(
                due: instant,
                job: NewJob(
                    name: JobName(service: service.name, unique: UniqueID.uuid()), service: service.name,
                    eventSequence: nil, input: nil, principal: service.definition.owner,
                    event: schedule.eventBytes(service: service.name, due: instant), created: now()
                )
            )
        }
        let made = try await state.run(schedule.name, of: service.name, jobs: jobs, decided: decided)
        if due.hasSkipped {
            logger.notice(
                "a schedule was due while the cluster did not run",
                metadata: ["service": "\(service.name)", "schedule": "\(schedule.name)", "jobs": "\(made)"])
        }
        if made > 0 { scheduler.jobsAdded(to: service.name) }
    }

    // MARK: Reading

    /// The schedules of a service, or of all.
    ///
    /// - Throws: `ClusterError` with `notFound` where there is no such service.
    package func schedules(of name: ServiceName?) async throws -> [ScheduleView] {
        if let name, catalog[name] == nil { throw JobBoard.noService(name) }
        let records = try await state.schedules()
        var views: [ScheduleView] = []
        for service in catalog.all where name == nil || service.name == name {
            for schedule in service.definition.schedules {
                var view = ScheduleView(service: service.name, schedule: schedule)
                view.record = records.first { $0.service == service.name && $0.name == schedule.name }
                do throws(ClusterError) {
                    let rules = try await zones.rules(of: schedule.timeZone)
                    view.next = schedule.timing.next(after: now().seconds, in: rules).map { Instant(seconds: $0) }
                } catch { view.problem = error.message }
                views.append(view)
            }
        }
        return views
    }
}
