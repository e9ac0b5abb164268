import DequeModule
package import Model

/// Decides which invocation starts next, while processor and memory are free.
///
/// A pure state machine: the shell tells it what happened and performs the actions that it answers. The queue itself is
/// on disk; of each service only a window of the oldest waiting jobs is held here, so that memory does not grow with the
/// number of waiting jobs.
///
/// Order: first come first served within a service. Between owners, whoever has had least for its weight (`FairShare`);
/// between the services of an owner, the higher priority; among equals, who has waited longest for a turn. Synchronous runs
/// (somebody waits for the answer) go before jobs, but after `maximumRunStreak` of them a job has its turn. `Patience` bounds
/// how long anything waits, whatever weights, priorities and sizes say: docs/scheduling.md.
package struct Admission: Sendable {
    /// The place of a job in the queue on disk: unique, and growing with the time of its creation.
    package typealias JobNumber = Int64
    package typealias RunNumber = UInt64

    /// What the shell has to do.
    package enum Action: Sendable, Hashable {
        /// Start this job; its resources are taken until `ended`.
        case startJob(JobNumber, ServiceName)
        /// Start this synchronous run; its resources are taken until `ended`.
        case startRun(RunNumber)
        /// Read the oldest waiting jobs of that service after that number, at most so many, and call `loaded`.
        case load(ServiceName, after: JobNumber, limit: Int)
        /// Start this instance; call `instanceReady`, and `instanceEnded` when nothing of it is left.
        case startInstance(InstanceID, ServiceName)
        /// End this instance, which no invocation is in.
        case endInstance(InstanceID, InstanceEnding)
    }

    /// How many jobs of a service are read at once.
    package static let window = 64
    /// More are read when no more than so many are left.
    static let lowWindow = 16

    struct Line: Sendable {
        var terms: AdmissionTerms
        var waiting: Deque<JobNumber> = []
        /// The newest job that was ever read from disk.
        var lastLoaded: JobNumber = 0
        var mayHaveMore = true
        /// What the load under way asks after.
        var loadingAfter: JobNumber?
        /// Jobs came while a load was under way, which may have missed them.
        var addedWhileLoading = false
        /// Jobs that a load found while they were still under way: they may have come back.
        var foundUnderWay: Set<JobNumber> = []
        var underWay = UnderWay()
        /// Starts of others while the first job could have started but for its turn and its size.
        var passes = 0
        /// Starts of others that came after it in the order, because it did not fit.
        var misfits = 0
        /// When it last had a turn, counted in starts.
        var lastTurn: UInt64 = 0
        var runs: Deque<RunNumber> = []
        var lastRun: UInt64 = 0
        /// How long an invocation takes, from those that ended, in seconds; `nil` before the first.
        var meanSeconds: Double?
        /// Instances in a row that ended before they were ready.
        var failedStarts = 0
        /// No instance is started ahead of work before that time.
        var startsAheadFrom = Duration.zero

        init(terms: AdmissionTerms) { self.terms = terms }

        mutating func note(seconds: Double) { meanSeconds = meanSeconds.map { 0.75 * $0 + 0.25 * seconds } ?? seconds }

        /// Reads the queue on disk from its start again.
        mutating func restart() {
            waiting = []
            // Another number than that of the load under way, whose answer is out of date.
            lastLoaded = loadingAfter == 0 ? -1 : 0
            mayHaveMore = true
        }
    }

    struct Held: Sendable {
        let service: ServiceName
        let owner: String
        let demand: Resources
        /// What it holds itself, rather than its instance.
        let taken: Resources
        let charge: Double
    }

    package let capacity: Resources
    package let patience: Patience
    /// What invocations without instances leave.
    var rest: Resources
    var pool = InstancePool()
    /// The time since some moment; the shell sets it before it tells what happened.
    package var now = Duration.zero
    /// Services with instances that are kept though nothing is to be done.
    var kept: Set<ServiceName> = []
    /// Services whose instances are being replaced one by one, and since when that waits.
    var restarting: [ServiceName: Duration] = [:]
    var lines: [ServiceName: Line] = [:]
    /// Services of which jobs wait or may wait.
    var active: Set<ServiceName> = []
    /// Services of which runs wait.
    var withRuns: Set<ServiceName> = []
    var held: [Ticket: Held] = [:]
    /// What invocations without instances hold, by owner; only of owners that hold something.
    var heldByOwner: [String: Resources] = [:]
    var quotas = OwnerQuotas.none
    var hasQuotas = false
    /// Starts of others of the same owner while its quota kept the first job, or run, of a service back.
    var quotaMisfits: [Reservation: Int] = [:]
    var shares: FairShare
    /// Counts starts.
    var turn: UInt64 = 0
    /// Runs that started one after the other while a job could have.
    var runStreak = 0
    private(set) package var isStopping = false
    /// Why nothing starts at the moment, in words.
    private(set) package var hold: String?

    /// What holds resources.
    package enum Ticket: Sendable, Hashable {
        case job(JobNumber)
        case run(RunNumber)

        var isRun: Bool { if case .run = self { true } else { false } }
    }

    /// - Parameter weights: of owners, at least 1; those without one have 1.
    package init(capacity: Resources, patience: Patience = Patience(), weights: [String: Int] = [:]) {
        self.capacity = capacity
        self.patience = patience
        rest = capacity
        shares = FairShare(capacity: capacity, weights: weights)
    }

    /// Neither held by an invocation nor by an instance.
    package var free: Resources { rest - pool.held }

    /// How many invocations hold resources now.
    package var runningCount: Int { held.count }
    package var waitingRuns: Int { withRuns.reduce(0) { $0 + waitingRuns(of: $1) } }

    /// How many runs of a service wait.
    package func waitingRuns(of name: ServiceName) -> Int { lines[name]?.runs.count ?? 0 }

    /// How soon a place in the queue of a service becomes free, from what it has done so far; `nil` before anything
    /// ended.
    package func expectedPause(of name: ServiceName) -> Duration? {
        guard let line = lines[name], let seconds = line.meanSeconds else { return nil }
        return .milliseconds(Int64(min(seconds / Double(max(1, line.underWay.count)), 3600) * 1000))
    }

    // MARK: What happened

    /// A service was registered, or its terms changed, which hold from now on.
    package mutating func serviceRegistered(_ name: ServiceName, _ terms: AdmissionTerms) -> [Action] {
        let oldGeneration = lines[name]?.terms.instances?.generation
        if lines[name] == nil {
            var line = Line(terms: terms)
            for (ticket, held) in held where held.service == name {
                line.underWay.add(held.taken, isRun: ticket.isRun)
            }
            line.lastTurn = turn
            lines[name] = line
        } else {
            if lines[name]?.terms.instances != terms.instances { lines[name]?.startsAheadFrom = .zero }
            lines[name]?.terms = terms
        }
        let generation = terms.isPaused ? nil : terms.instances?.generation
        // What the use of another definition asked for is out of date.
        if generation != oldGeneration { pool.wanted[name] = nil }
        keepOrNot(name, terms)
        var ends = pool.drain(name, keeping: generation)
        if let instances = terms.instances, !terms.isPaused { ends += beginRestart(name, instances) }
        active.insert(name)
        return ends.map(Action.end) + admit()
    }

    /// A service is gone; its waiting jobs are no concern any more.
    ///
    /// Jobs that run keep their resources until they end. Runs that wait start as if the service had no limits.
    package mutating func serviceRemoved(_ name: ServiceName) -> [Action] {
        let runs = lines.removeValue(forKey: name)?.runs ?? []
        active.remove(name)
        withRuns.remove(name)
        kept.remove(name)
        restarting[name] = nil
        pool.wanted[name] = nil
        for isRun in [false, true] { quotaMisfits[Reservation(service: name, isRun: isRun)] = nil }
        let ends = pool.drain(name, keeping: nil)
        if !runs.isEmpty {
            var rest = Line(terms: AdmissionTerms(demand: .zero))
            rest.runs = runs
            rest.mayHaveMore = false
            lines[name] = rest
            withRuns.insert(name)
        }
        return ends.map(Action.end) + admit()
    }

    /// New jobs of that service are on disk.
    package mutating func jobsAdded(to name: ServiceName) -> [Action] {
        guard var line = lines[name] else { return [] }
        line.mayHaveMore = true
        line.addedWhileLoading = line.loadingAfter != nil
        lines[name] = line
        active.insert(name)
        return admit()
    }

    /// The answer to `load`: the waiting jobs after the number that was asked for, oldest first.
    ///
    /// Fewer than the limit mean that there are no more. An answer to a question that is out of date is dropped, and
    /// the question asked again.
    package mutating func loaded(
        _ jobs: [JobNumber],
        of name: ServiceName,
        after: JobNumber,
        limit: Int
    ) -> [Action] {
        guard var line = lines[name] else { return [] }
        line.loadingAfter = nil
        if after == line.lastLoaded {
            for job in jobs {
                if held[.job(job)] == nil { line.waiting.append(job) } else { line.foundUnderWay.insert(job) }
            }
            if let last = jobs.last { line.lastLoaded = last }
            if jobs.count < limit { line.mayHaveMore = line.addedWhileLoading }
        }
        line.addedWhileLoading = false
        lines[name] = line
        return admit()
    }

    /// The queue could not be read: it is read again at the next occasion.
    package mutating func loadFailed(of name: ServiceName) { lines[name]?.loadingAfter = nil }

    /// A waiting job was deleted or cancelled.
    package mutating func jobWithdrawn(_ job: JobNumber, of name: ServiceName) -> [Action] {
        lines[name]?.waiting.removeAll { $0 == job }
        return admit()
    }

    /// A job goes back to the queue on disk: its service reads the queue from the start again.
    package mutating func jobReturned(to name: ServiceName) -> [Action] {
        guard lines[name] != nil else { return [] }
        lines[name]?.restart()
        active.insert(name)
        return admit()
    }

    /// Somebody waits for a synchronous run of a service.
    package mutating func runRequested(_ number: RunNumber, of name: ServiceName) -> [Action] {
        guard lines[name] != nil else { return [.startRun(number)] }
        lines[name]?.runs.append(number)
        withRuns.insert(name)
        return admit()
    }

    /// Nobody waits for that run any more; it has not started.
    package mutating func runWithdrawn(_ number: RunNumber) -> [Action] {
        for name in withRuns {
            lines[name]?.runs.removeAll { $0 == number }
            if lines[name]?.runs.isEmpty != false { withRuns.remove(name) }
        }
        return admit()
    }

    /// An invocation has ended; what it held is free.
    ///
    /// Saying so twice is harmless.
    ///
    /// - Parameter time: how long it took; `nil` where nobody measured.
    package mutating func ended(_ ticket: Ticket, after time: Duration? = nil) -> [Action] {
        guard let held = held.removeValue(forKey: ticket) else { return [] }
        rest = rest + held.taken
        release(held.taken, of: held.owner)
        lines[held.service]?.underWay.remove(held.taken, isRun: ticket.isRun)
        let end = pool.left(ticket, lines[held.service]?.terms.instances, now: now).map(Action.end)
        if let time {
            let seconds = time / .seconds(1)
            shares.end(held.owner, held.demand, charged: held.charge, seconds: seconds)
            lines[held.service]?.note(seconds: seconds)
        }
        var ends = end.map { [$0] } ?? []
        // It may keep memory now that its owner's quota does not allow any more.
        trimIdle(of: held.owner, &ends)
        if case .job(let job) = ticket, lines[held.service]?.foundUnderWay.remove(job) != nil {
            return ends + jobReturned(to: held.service)
        }
        return ends + admit()
    }

    private mutating func release(_ taken: Resources, of owner: String) {
        guard taken != .zero, let held = heldByOwner[owner] else { return }
        let left = held - taken
        heldByOwner[owner] = left == .zero ? nil : left
    }

    /// Starts nothing for that reason, or starts again where it is `nil`.
    package mutating func hold(for reason: String?) -> [Action] {
        hold = reason
        // Whatever it is that is short: what does no work gives its part back.
        let ends = reason == nil ? [] : pool.endIdle(.reclaimed)
        return ends.map(Action.end) + admit()
    }

    /// From now on nothing starts, and instances end with their last invocation.
    package mutating func stop() -> [Action] {
        isStopping = true
        return pool.stop().map(Action.end)
    }
}
