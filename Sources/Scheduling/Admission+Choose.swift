import DequeModule
import Model

extension Admission {
    /// A place in the order of who goes next; less goes first.
    private struct Rank: Comparable {
        /// Nothing goes before it; the longer it was passed over, the sooner.
        let urgency: Int
        let position: Double
        let priority: Int
        let lastTurn: UInt64
        let name: ServiceName

        static func < (left: Rank, right: Rank) -> Bool {
            if left.urgency != right.urgency { return left.urgency > right.urgency }
            if left.position != right.position { return left.position < right.position }
            if left.priority != right.priority { return left.priority > right.priority }
            if left.lastTurn != right.lastTurn { return left.lastTurn < right.lastTurn }
            return left.name < right.name
        }
    }

    /// Starts what may start, and asks for jobs where few are left in memory.
    mutating func admit() -> [Action] {
        guard !isStopping, hold == nil else { return [] }
        var actions: [Action] = []
        refill(&actions)
        var hasPlace = true
        while hasPlace { hasPlace = startOne(&actions) }
        if !kept.isEmpty { startAhead(&actions) }
        if !restarting.isEmpty { replaceOutdated(&actions) }
        return actions
    }

    /// Starts a run or a job; false where nothing can start.
    private mutating func startOne(_ actions: inout [Action]) -> Bool {
        let reservations = reservations
        let candidates = candidates(reservations)
        let runComesFirst = candidates.isEmpty || runStreak < patience.runStreak
        if runComesFirst, let (name, need) = nextRun(reservations) {
            // A run that waits for room goes first: jobs would keep the room taken for ever.
            guard makeRoom(for: need, &actions), let run = lines[name]?.runs.popFirst() else { return false }
            if lines[name]?.runs.isEmpty != false { withRuns.remove(name) }
            if !candidates.isEmpty { runStreak += 1 }
            start(.run(run), of: name, need, &actions)
            lines[name]?.lastRun = turn
            for candidate in candidates { lines[candidate.name]?.passes += 1 }
            haveStarted(name, isRun: true, &actions)
            actions.append(.startRun(run))
            return true
        }
        guard let (name, need) = nextJob(candidates, &actions), let job = lines[name]?.waiting.popFirst() else {
            return false
        }
        runStreak = 0
        start(.job(job), of: name, need, &actions)
        lines[name]?.passes = 0
        lines[name]?.misfits = 0
        lines[name]?.lastTurn = turn
        haveStarted(name, isRun: false, &actions)
        actions.append(.startJob(job, name))
        if (lines[name]?.waiting.count ?? 0) <= Self.lowWindow { refill(&actions) }
        return true
    }

    mutating func start(_ ticket: Ticket, of name: ServiceName, _ need: Need, _ actions: inout [Action]) {
        guard let terms = lines[name]?.terms else { return }
        turn += 1
        let charge = shares.start(terms.owner, terms.demand, expected: lines[name]?.meanSeconds ?? 1)
        var taken = Resources.zero
        if let offer = need.offer, let instances = terms.instances {
            let (id, isNew) = pool.seat(
                ticket, offer, name, owner: terms.owner, demand: terms.demand, instances, now: now)
            if isNew { actions.append(.startInstance(id, name)) }
        } else {
            taken = terms.demand
        }
        held[ticket] = Held(service: name, owner: terms.owner, demand: terms.demand, taken: taken, charge: charge)
        lines[name]?.underWay.add(taken, isRun: ticket.isRun)
        rest = rest - taken
        if taken != .zero { heldByOwner[terms.owner] = (heldByOwner[terms.owner] ?? .zero) + taken }
    }

    // MARK: Runs

    /// The service whose run goes next: who has waited longest for a turn, and may have one more.
    private func nextRun(_ reservations: [String: Reservation]) -> (ServiceName, Need)? {
        var best: (lastRun: UInt64, name: ServiceName, need: Need)?
        for name in withRuns {
            guard let line = lines[name], !line.terms.isPaused, line.terms.demand.fits(in: capacity),
                isFree(Reservation(service: name, isRun: true), line, reservations),
                case .success(let need) = need(of: name, line, isRun: true)
            else { continue }
            if let best, (best.lastRun, best.name) <= (line.lastRun, name) { continue }
            best = (line.lastRun, name, need)
        }
        return best.map { ($0.name, $0.need) }
    }

    /// Whether the room in the owner's quota is not kept for somebody else.
    private func isFree(
        _ candidate: Reservation,
        _ line: Line,
        _ reservations: [String: Reservation]
    ) -> Bool {
        reservations.isEmpty || reservations[line.terms.owner].map { $0 == candidate } ?? true
    }

    // MARK: Jobs

    /// The services whose first job could start now but for its turn and its size.
    private mutating func candidates(_ reservations: [String: Reservation]) -> [Rank] {
        shares.setPresent(
            Set(active.compactMap { name in lines[name].flatMap { $0.terms.isPaused ? nil : $0.terms.owner } }))
        let eligible = active.filter { name in lines[name].map { isEligible(name, $0, reservations) } ?? false }
        let count = eligible.count
        return eligible.compactMap { name in lines[name].map { rank(name, $0, among: count) } }
    }

    private func isEligible(_ name: ServiceName, _ line: Line, _ reservations: [String: Reservation]) -> Bool {
        guard !line.waiting.isEmpty, !line.terms.isPaused, line.terms.demand.fits(in: capacity),
            isFree(Reservation(service: name, isRun: false), line, reservations),
            case .success = need(of: name, line, isRun: false)
        else { return false }
        return true
    }

    private func rank(_ name: ServiceName, _ line: Line, among services: Int) -> Rank {
        let isUrgent = line.misfits >= patience.misfits && line.misfits > 0 || line.passes >= patience.turns * services
        let isOverdue = line.passes >= max(1, patience.priority) * services
        return Rank(
            urgency: isUrgent ? 1 + line.passes : 0, position: shares.position(of: line.terms.owner),
            priority: isOverdue ? .max : line.terms.priority, lastTurn: line.lastTurn, name: name
        )
    }

    /// The service whose next job starts now, if any; remembers who was passed over.
    private mutating func nextJob(_ candidates: [Rank], _ actions: inout [Action]) -> (ServiceName, Need)? {
        var chosen: (rank: Rank, need: Need)?
        var urgent: Rank?
        for candidate in candidates {
            if candidate.urgency > 0, urgent.map({ candidate < $0 }) ?? true { urgent = candidate }
            guard chosen.map({ candidate < $0.rank }) ?? true, let line = lines[candidate.name],
                case .success(let need) = need(of: candidate.name, line, isRun: false), fitsInSpare(need.resources)
            else { continue }
            chosen = (candidate, need)
        }
        // Room is kept for what has waited too long.
        if let urgent, urgent.name != chosen?.rank.name { return nil }
        guard let (rank, need) = chosen, makeRoom(for: need, &actions) else { return nil }
        for candidate in candidates where candidate.name != rank.name {
            lines[candidate.name]?.passes += 1
            if candidate < rank { lines[candidate.name]?.misfits += 1 }
        }
        return (rank.name, need)
    }

    // MARK: The queue on disk

    /// Asks for jobs of the services that have few in memory and may have more; forgets those that have none.
    private mutating func refill(_ actions: inout [Action]) {
        var idle: [ServiceName] = []
        for name in active {
            guard let line = lines[name] else {
                idle.append(name)
                continue
            }
            guard line.waiting.count <= Self.lowWindow, line.loadingAfter == nil, !line.terms.isPaused else { continue }
            if line.mayHaveMore {
                lines[name]?.loadingAfter = line.lastLoaded
                actions.append(.load(name, after: line.lastLoaded, limit: Self.window))
            } else if line.waiting.isEmpty {
                idle.append(name)
            }
        }
        for name in idle { active.remove(name) }
    }
}
