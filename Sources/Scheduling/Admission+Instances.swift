package import Model

/// What the instances of services have to do with who starts when.
extension Admission {
    /// What one more invocation of a service takes.
    struct Need: Sendable {
        let resources: Resources
        /// `nil` where it has a sandbox of its own.
        let offer: InstancePool.Offer?
    }

    /// What keeps an invocation from starting, whatever is free.
    enum Obstacle: Error {
        case limit(ServiceLimit)
        case quota(QuotaExcess)
    }

    /// What one more invocation of a service would take now, or what keeps it from starting.
    func need(of name: ServiceName, _ line: Line, isRun: Bool) -> Result<Need, Obstacle> {
        let terms = line.terms
        if let limit = terms.limit(under: line.underWay, isRun: isRun) { return .failure(.limit(limit)) }
        let need: Need
        if let instances = terms.instances {
            let mayWake = terms.demand.cpu <= free.cpu
            guard let offer = pool.offer(name, instances, mayWake: mayWake, now: now) else {
                return .failure(.limit(.instances(instances.maximum ?? 0)))
            }
            switch offer {
            case .place: return .success(Need(resources: .zero, offer: offer))
            case .idle: need = Need(resources: Resources(cpu: terms.demand.cpu, memory: .zero), offer: offer)
            case .new: need = Need(resources: terms.demand, offer: offer)
            }
        } else {
            need = Need(resources: terms.demand, offer: nil)
        }
        let held = line.underWay.held + pool.held(by: name) + need.resources
        if let limit = terms.limit(of: held) { return .failure(.limit(limit)) }
        if let excess = excess(of: terms, need.offer) { return .failure(.quota(excess)) }
        return .success(need)
    }

    /// Whether that much is free, or would be without the instances that do nothing.
    func fitsInSpare(_ resources: Resources) -> Bool {
        resources.fits(in: available)
    }

    /// Whether there is room; where instances that do nothing are in the way, they are told to end, and their ends
    /// bring the question up again.
    mutating func makeRoom(for need: Need, _ actions: inout [Action]) -> Bool {
        let free = free
        if need.resources.fits(in: free) { return true }
        guard need.resources.cpu <= free.cpu, fitsInSpare(need.resources) else { return false }
        let lines = lines
        actions += pool.reclaim(need.resources.memory - free.memory) { lines[$0]?.terms.instances }.map(Action.end)
        return false
    }

    /// Starts instances that are to be kept, where nothing else wants the room.
    mutating func startAhead(_ actions: inout [Action]) {
        guard withRuns.isEmpty else { return }
        for name in kept.sorted() {
            guard let line = lines[name], let instances = line.terms.instances, now >= line.startsAheadFrom else {
                continue
            }
            let missing = pool.missing(name, instances)
            guard missing > 0, !active.contains(where: { lines[$0].map { !$0.waiting.isEmpty } ?? false }) else {
                continue
            }
            for _ in 0..<missing {
                let held = line.underWay.held + pool.held(by: name) + line.terms.demand
                guard line.terms.demand.fits(in: free), line.terms.limit(of: held) == nil,
                    mayKeep(line.terms.demand, line.terms.owner)
                else { break }
                let id = pool.add(
                    name, owner: line.terms.owner, demand: line.terms.demand, instances, now: now)
                actions.append(.startInstance(id, name))
            }
        }
    }

    // MARK: What happened

    /// An instance is ready for work.
    package mutating func instanceReady(_ id: InstanceID) -> [Action] {
        if let name = pool.service(of: id) { lines[name]?.failedStarts = 0 }
        pool.ready(id, now: now)
        return admit()
    }

    /// Nothing is left of an instance, whether it was told to end or not.
    ///
    /// The invocations that were in it have their place in another one, which starts: see `seat(of:)`.
    package mutating func instanceEnded(_ id: InstanceID) -> [Action] {
        guard let name = pool.service(of: id) else { return [] }
        if !pool.hasBeenReady(id) { noteFailedStart(of: name) }
        let terms = isStopping ? nil : lines[name]?.terms
        let successor = terms.flatMap { terms in
            terms.instances.map { (owner: terms.owner, demand: terms.demand, terms: $0) }
        }
        let other = pool.ended(id, successor: successor, now: now)
        return (other.map { [.startInstance($0, name)] } ?? []) + admit()
    }

    /// Ends the instances whose time is over; to be called every second or so.
    package mutating func expireInstances() -> [Action] {
        guard pool.count > 0 || !kept.isEmpty || !restarting.isEmpty else { return [] }
        let lines = lines
        let ends = pool.expire(now: now) { lines[$0]?.terms.instances }
        return ends.map(Action.end) + admit()
    }

    private mutating func noteFailedStart(of name: ServiceName) {
        let failures = (lines[name]?.failedStarts ?? 0) + 1
        lines[name]?.failedStarts = failures
        lines[name]?.startsAheadFrom = now + min(.seconds(60), .seconds(1 << min(failures, 6)))
    }

    /// A service's use of processors asks for so many instances, whatever requests want; 0 for none.
    ///
    /// They are kept as its minimum is, and never more than its maximum.
    package mutating func want(_ count: Int, instancesOf name: ServiceName) -> [Action] {
        guard let terms = lines[name]?.terms, terms.instances != nil else { return [] }
        pool.wanted[name] = count > 0 ? count : nil
        keepOrNot(name, terms)
        return admit()
    }

    /// Remembers whether instances of a service are kept though nothing is to be done.
    mutating func keepOrNot(_ name: ServiceName, _ terms: AdmissionTerms) {
        let minimum = terms.instances.map { pool.minimum(of: name, $0) } ?? 0
        if minimum > 0, !terms.isPaused { kept.insert(name) } else { kept.remove(name) }
    }

    // MARK: At once

    /// Starts a run where an instance that is ready has a place, and nothing waits that should come first.
    ///
    /// Asks for nothing else to be done, and costs no more than a few look-ups.
    ///
    /// - Returns: the instance; `nil` where the run is to be requested, and told what it lacks.
    package mutating func startRunAtOnce(_ number: RunNumber, of name: ServiceName) -> InstanceID? {
        guard !isStopping, hold == nil, withRuns.isEmpty, active.isEmpty, let line = lines[name],
            !line.terms.isPaused, case .success(let need) = need(of: name, line, isRun: true),
            need.resources.fits(in: free)
        else { return nil }
        switch need.offer {
        case .place(let id), .idle(let id):
            guard pool.hasBeenReady(id) else { return nil }
            var actions: [Action] = []
            start(.run(number), of: name, need, &actions)
            lines[name]?.lastRun = turn
            return id
        case .new, nil: return nil
        }
    }

    // MARK: Questions

    /// What an invocation could have: what is free, and what instances without work would give back.
    package var available: Resources { free + Resources(cpu: .zero, memory: pool.spare + pool.coming) }

    /// The instance in which an invocation has its place; `nil` where it has a sandbox of its own, or has ended.
    package func seat(of ticket: Ticket) -> InstanceID? { pool.seat(of: ticket) }

    /// How many instances there are, those that start and end included.
    package var instanceCount: Int { pool.count }

    /// How many instances work, start or end, and how many wait for work.
    package var instanceCounts: (busy: Int, idle: Int) { (pool.count - pool.idleCount, pool.idleCount) }

    /// The instances of a service at one moment.
    package struct InstanceState: Sendable, Hashable {
        /// That work or start.
        package var busy: Int
        /// That wait for work.
        package var idle: Int
        /// That have started.
        package var ready: Int
        /// Starts that failed one after the other.
        package var failedStarts: Int
    }

    /// How many instances a service has, in which states.
    package func instanceState(of service: ServiceName) -> InstanceState {
        let (busy, idle) = pool.count(of: service)
        return InstanceState(
            busy: busy, idle: idle, ready: pool.readyCount(of: service),
            failedStarts: lines[service]?.failedStarts ?? 0)
    }
}

extension Admission {
    /// The instances of a service that have started and go on, and how many start.
    package func instances(of service: ServiceName) -> (ready: [InstanceID], starting: Int) {
        pool.members(of: service)
    }
}

extension Admission.Action {
    static func end(_ instance: InstanceID, _ reason: InstanceEnding) -> Admission.Action {
        .endInstance(instance, reason)
    }
}
