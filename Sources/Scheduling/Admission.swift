import DequeModule
package import Model

/// Decides which invocation starts next, while processor and memory are free.
///
/// A pure state machine: the shell tells it what happened and performs the actions that it answers. The queue itself is
/// on disk; of each service only a window of the oldest waiting jobs is held here, so that memory does not grow with the
/// number of waiting jobs.
///
/// Order: first come first served within a service, round robin between services, synchronous runs (somebody waits for the
/// answer) before jobs. A service whose next job does not fit is passed over; after `maximumPasses` such passes nothing else starts
/// until it fits, so that small jobs cannot starve a large one.
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
    }

    /// How many jobs of a service are held in memory at once.
    package static let window = 64

    private struct Line: Sendable {
        var demand: Resources
        var waiting: Deque<JobNumber> = []
        /// The newest job that was ever read from disk.
        var lastLoaded: JobNumber = 0
        var mayHaveMore = true
        var isLoading = false
        /// Jobs came while a load was under way, which may have missed them.
        var addedWhileLoading = false
        var passes = 0
    }

    private struct Run: Sendable {
        let number: RunNumber
        let demand: Resources
    }

    package let capacity: Resources
    package let maximumPasses: Int
    package private(set) var free: Resources
    private var lines: [ServiceName: Line] = [:]
    /// Services in the order of their turn.
    private var turns: Deque<ServiceName> = []
    private var runs: Deque<Run> = []
    private var taken: [Ticket: Resources] = [:]
    private(set) package var isStopping = false

    /// What holds resources.
    package enum Ticket: Sendable, Hashable {
        case job(JobNumber)
        case run(RunNumber)
    }

    package init(capacity: Resources, maximumPasses: Int = 64) {
        self.capacity = capacity
        self.maximumPasses = maximumPasses
        free = capacity
    }

    /// How many invocations hold resources now.
    package var runningCount: Int { taken.count }
    package var waitingRuns: Int { runs.count }

    // MARK: What happened

    /// A service was registered, or its definition changed: from now on its jobs demand this much.
    package mutating func serviceRegistered(_ name: ServiceName, demand: Resources) -> [Action] {
        if lines[name] == nil {
            lines[name] = Line(demand: demand)
            turns.append(name)
        } else {
            lines[name]?.demand = demand
        }
        return admit()
    }

    /// A service is gone; its waiting jobs are no concern any more.
    ///
    /// Jobs that run keep their resources until they end.
    package mutating func serviceRemoved(_ name: ServiceName) -> [Action] {
        lines[name] = nil
        turns.removeAll { $0 == name }
        return admit()
    }

    /// New jobs of that service are on disk.
    package mutating func jobsAdded(to name: ServiceName) -> [Action] {
        guard var line = lines[name] else { return [] }
        line.mayHaveMore = true
        line.addedWhileLoading = line.isLoading
        lines[name] = line
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
        line.isLoading = false
        if after == line.lastLoaded {
            line.waiting.append(contentsOf: jobs.filter { taken[.job($0)] == nil })
            if let last = jobs.last { line.lastLoaded = last }
            if jobs.count < limit { line.mayHaveMore = line.addedWhileLoading }
        }
        line.addedWhileLoading = false
        lines[name] = line
        return admit()
    }

    /// The queue could not be read: it is read again at the next occasion.
    package mutating func loadFailed(of name: ServiceName) { lines[name]?.isLoading = false }

    /// A waiting job was deleted or cancelled.
    package mutating func jobWithdrawn(_ job: JobNumber, of name: ServiceName) -> [Action] {
        lines[name]?.waiting.removeAll { $0 == job }
        return admit()
    }

    /// A job goes back to the queue on disk: its service reads the queue from the start again.
    package mutating func jobReturned(to name: ServiceName) -> [Action] {
        guard var line = lines[name] else { return [] }
        line.waiting = []
        line.lastLoaded = 0
        line.mayHaveMore = true
        lines[name] = line
        return admit()
    }

    /// Somebody waits for a synchronous run.
    package mutating func runRequested(_ number: RunNumber, demand: Resources) -> [Action] {
        runs.append(Run(number: number, demand: demand))
        return admit()
    }

    /// Nobody waits for that run any more; it has not started.
    package mutating func runWithdrawn(_ number: RunNumber) -> [Action] {
        runs.removeAll { $0.number == number }
        return admit()
    }

    /// An invocation has ended; what it held is free.
    ///
    /// Saying so twice is harmless.
    package mutating func ended(_ ticket: Ticket) -> [Action] {
        guard let held = taken.removeValue(forKey: ticket) else { return [] }
        free = free + held
        return admit()
    }

    /// From now on nothing starts.
    package mutating func stop() { isStopping = true }

    // MARK: Decisions

    private mutating func admit() -> [Action] {
        guard !isStopping else { return [] }
        var actions: [Action] = []
        admitRuns(&actions)
        while let name = nextService(&actions) {
            guard let job = lines[name]?.waiting.popFirst(), let demand = lines[name]?.demand else { break }
            lines[name]?.passes = 0
            take(.job(job), demand)
            actions.append(.startJob(job, name))
            turns.removeAll { $0 == name }
            turns.append(name)
        }
        return actions
    }

    private mutating func admitRuns(_ actions: inout [Action]) {
        while let run = runs.first, run.demand.fits(in: free) {
            runs.removeFirst()
            take(.run(run.number), run.demand)
            actions.append(.startRun(run.number))
        }
    }

    private mutating func take(_ ticket: Ticket, _ demand: Resources) {
        taken[ticket] = demand
        free = free - demand
    }

    /// The service whose next job starts now, if any; asks for jobs of those whose window is empty.
    private mutating func nextService(_ actions: inout [Action]) -> ServiceName? {
        // A run that waits for room goes first: jobs would keep the room taken for ever.
        if let run = runs.first, run.demand.fits(in: capacity) { return nil }
        var chosen: ServiceName?
        var passed: [ServiceName] = []
        for name in turns {
            refill(name, &actions)
            guard chosen == nil, let line = lines[name], !line.waiting.isEmpty else { continue }
            if line.demand.fits(in: free) {
                chosen = name
            } else if line.demand.fits(in: capacity) {
                if line.passes >= maximumPasses { return nil }
                passed.append(name)
            }
        }
        if chosen != nil { for name in passed { lines[name]?.passes += 1 } }
        return chosen
    }

    private mutating func refill(_ name: ServiceName, _ actions: inout [Action]) {
        guard let line = lines[name], line.waiting.isEmpty, line.mayHaveMore, !line.isLoading else { return }
        lines[name]?.isLoading = true
        actions.append(.load(name, after: line.lastLoaded, limit: Self.window))
    }
}
