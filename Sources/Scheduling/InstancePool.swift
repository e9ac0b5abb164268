package import Model

/// The instances of all services: which one takes an invocation, when one is to be started and when it is to end.
///
/// A pure state machine inside `Admission`, which asks it what one more invocation would take. An instance that works, or
/// starts, holds what its service demands; an idle one holds the memory only, and gives it back when somebody else needs
/// it; one that ends holds its memory until it is gone.
package struct InstancePool: Sendable {
    /// What one more invocation takes.
    enum Offer: Sendable, Hashable {
        /// A place in an instance that works already.
        case place(InstanceID)
        /// An instance that waits for work.
        case idle(InstanceID)
        /// An instance that is yet to be started.
        case new
    }

    private enum Phase: Sendable {
        case starting
        case ready
        /// Told to end.
        case ending
    }

    private struct Instance: Sendable {
        let service: ServiceName
        let owner: String
        let demand: Resources
        let places: Int
        let generation: Int64
        let born: Duration
        var phase = Phase.starting
        var tickets: Set<Admission.Ticket> = []
        var served = 0
        var idleSince: Duration?
        /// Takes no more invocations, and ends after those it has, for that reason.
        var leaves: InstanceEnding?

        var held: Resources {
            tickets.isEmpty && phase != .starting ? Resources(cpu: .zero, memory: demand.memory) : demand
        }

        /// What it holds for work, or because it starts.
        var working: Resources { tickets.isEmpty && phase != .starting ? .zero : demand }

        /// What its end would give back, without any harm to work.
        var spare: ByteCount { phase == .ready && tickets.isEmpty ? demand.memory : .zero }

        /// What its end, which is under way, gives back.
        var coming: ByteCount { phase == .ending && tickets.isEmpty ? demand.memory : .zero }
    }

    private var instances: [InstanceID: Instance] = [:]
    private var byService: [ServiceName: [InstanceID]] = [:]
    private var seats: [Admission.Ticket: InstanceID] = [:]
    /// What those of an owner hold, and what they hold for work; only of owners that have some.
    private var owners: [String: (held: Resources, working: Resources, count: Int)] = [:]
    private var last: UInt64 = 0
    /// What all of them hold.
    private(set) var held = Resources.zero
    /// The memory of idle instances.
    private(set) var spare = ByteCount.zero
    /// The memory of idle instances that were told to end.
    private(set) var coming = ByteCount.zero

    init() {}

    /// How many there are, those that start and end included.
    package var count: Int { instances.count }

    /// How many wait for work.
    var idleCount: Int { instances.values.count { $0.phase == .ready && $0.tickets.isEmpty } }

    /// The service of an instance; `nil` where it is no more.
    func service(of id: InstanceID) -> ServiceName? { instances[id]?.service }

    /// Whether an instance has ever been ready for work.
    func hasBeenReady(_ id: InstanceID) -> Bool { instances[id].map { $0.phase != .starting } ?? false }

    /// How many of a service there are: that work or start, and that wait for work.
    package func count(of service: ServiceName) -> (busy: Int, idle: Int) {
        var (busy, idle) = (0, 0)
        for id in byService[service] ?? [] {
            guard let instance = instances[id], instance.phase != .ending else { continue }
            if instance.phase == .ready, instance.tickets.isEmpty { idle += 1 } else { busy += 1 }
        }
        return (busy, idle)
    }

    /// How many of a service have started and do not end.
    func readyCount(of service: ServiceName) -> Int {
        (byService[service] ?? []).count { instances[$0].map { $0.phase == .ready } ?? false }
    }

    /// What the instances of a service hold.
    func held(by service: ServiceName) -> Resources {
        (byService[service] ?? []).reduce(.zero) { $0 + (instances[$1]?.held ?? .zero) }
    }

    /// What the instances of an owner hold, those without work included.
    func held(byOwner owner: String) -> Resources { owners[owner]?.held ?? .zero }

    /// What the instances of an owner hold that work or start.
    func working(of owner: String) -> Resources { owners[owner]?.working ?? .zero }

    /// The instance in which an invocation has its place.
    func seat(of ticket: Admission.Ticket) -> InstanceID? { seats[ticket] }

    // MARK: Places

    /// What one more invocation of a service would take; `nil` where it may have no more instances.
    func offer(_ service: ServiceName, _ terms: InstanceTerms, now: Duration) -> Offer? {
        var place: (id: InstanceID, load: Int, isReady: Bool)?
        var idle: (id: InstanceID, since: Duration)?
        var count = 0
        for id in byService[service] ?? [] {
            guard let instance = instances[id] else { continue }
            if instance.phase != .ending { count += 1 }
            guard isOpen(instance, terms, now) else { continue }
            if instance.phase == .ready, instance.tickets.isEmpty {
                // The one that worked last: the others come to their end.
                let since = instance.idleSince ?? .zero
                if idle.map({ since > $0.since }) ?? true { idle = (id, since) }
                continue
            }
            let candidate = (id: id, load: instance.tickets.count, isReady: instance.phase == .ready)
            let isBetter =
                place.map {
                    candidate.isReady != $0.isReady ? candidate.isReady : candidate.load < $0.load
                } ?? true
            if isBetter { place = candidate }
        }
        if let place { return .place(place.id) }
        if let idle { return .idle(idle.id) }
        if let maximum = terms.maximum, count >= maximum { return nil }
        return .new
    }

    private func isOpen(_ instance: Instance, _ terms: InstanceTerms, _ now: Duration) -> Bool {
        guard instance.phase != .ending, instance.leaves == nil, instance.generation == terms.generation,
            instance.tickets.count < instance.places
        else { return false }
        return wear(of: instance, terms, now) == nil
    }

    private func wear(of instance: Instance, _ terms: InstanceTerms, _ now: Duration) -> InstanceEnding? {
        if let most = terms.maximumInvocations, instance.served >= most { return .worn }
        if let age = terms.maximumAge, now - instance.born >= age { return .worn }
        return nil
    }

    /// Gives an invocation its place; answers the instance, and whether it is to be started.
    mutating func seat(
        _ ticket: Admission.Ticket,
        _ offer: Offer,
        _ service: ServiceName,
        owner: String,
        demand: Resources,
        _ terms: InstanceTerms,
        now: Duration
    ) -> (id: InstanceID, isNew: Bool) {
        let id: InstanceID
        switch offer {
        case .place(let known), .idle(let known): id = known
        case .new: id = add(service, owner: owner, demand: demand, terms, now: now)
        }
        change(id) { instance in
            instance.tickets.insert(ticket)
            instance.served += 1
            instance.idleSince = nil
        }
        seats[ticket] = id
        return (id, offer == .new)
    }

    /// Makes an instance without work.
    mutating func add(
        _ service: ServiceName,
        owner: String,
        demand: Resources,
        _ terms: InstanceTerms,
        now: Duration
    ) -> InstanceID {
        last += 1
        let id = InstanceID(last)
        let instance = Instance(
            service: service, owner: owner, demand: demand, places: max(1, terms.places), generation: terms.generation,
            born: now)
        instances[id] = instance
        byService[service, default: []].append(id)
        held = held + instance.held
        let others = owners[owner] ?? (.zero, .zero, 0)
        owners[owner] = (others.held + instance.held, others.working + instance.working, others.count + 1)
        return id
    }

    // MARK: What happened

    /// An invocation has ended; answers its instance where that is to end now.
    mutating func left(_ ticket: Admission.Ticket, _ terms: InstanceTerms?, now: Duration) -> (
        InstanceID, InstanceEnding
    )? {
        guard let id = seats.removeValue(forKey: ticket), let instance = instances[id] else { return nil }
        change(id) { instance in
            instance.tickets.remove(ticket)
            if instance.tickets.isEmpty { instance.idleSince = now }
        }
        guard instance.tickets.count == 1, instance.phase != .ending else { return nil }
        guard let terms else { return end(id, .replaced) }
        // It was to be started for this invocation, and nobody else waits for it: it goes on as an idle one.
        guard let reason = instance.leaves ?? wear(of: instance, terms, now) else { return nil }
        return end(id, reason)
    }

    /// An instance is ready for its first invocation.
    mutating func ready(_ id: InstanceID, now: Duration) {
        change(id) { instance in
            guard instance.phase == .starting else { return }
            instance.phase = .ready
            if instance.tickets.isEmpty { instance.idleSince = now }
        }
    }

    /// An instance is no more; answers the one that takes its place for the invocations that were in it.
    ///
    /// - Parameter successor: what its service demands now; `nil` where no other one is to be started.
    mutating func ended(
        _ id: InstanceID,
        successor: (owner: String, demand: Resources, terms: InstanceTerms)?,
        now: Duration
    ) -> InstanceID? {
        guard let instance = instances[id] else { return nil }
        let orphans = instance.tickets
        remove(id)
        guard !orphans.isEmpty, let successor else {
            for ticket in orphans { seats[ticket] = nil }
            return nil
        }
        let other = add(
            instance.service, owner: successor.owner, demand: successor.demand, successor.terms, now: now)
        change(other) { instance in
            instance.tickets = orphans
            instance.served = orphans.count
        }
        for ticket in orphans { seats[ticket] = other }
        return other
    }

    private mutating func remove(_ id: InstanceID) {
        guard let instance = instances.removeValue(forKey: id) else { return }
        held = held - instance.held
        spare = spare - instance.spare
        coming = coming - instance.coming
        if let others = owners[instance.owner] {
            owners[instance.owner] =
                others.count <= 1
                ? nil
                : (others.held - instance.held, others.working - instance.working, others.count - 1)
        }
        byService[instance.service]?.removeAll { $0 == id }
        if byService[instance.service]?.isEmpty == true { byService[instance.service] = nil }
    }

    private mutating func change(_ id: InstanceID, _ body: (inout Instance) -> Void) {
        guard var instance = instances[id] else { return }
        let before = instance
        body(&instance)
        instances[id] = instance
        held = held - before.held + instance.held
        spare = spare - before.spare + instance.spare
        coming = coming - before.coming + instance.coming
        guard var others = owners[instance.owner] else { return }
        others.held = others.held - before.held + instance.held
        others.working = others.working - before.working + instance.working
        owners[instance.owner] = others
    }

    // MARK: Ends

    private mutating func end(_ id: InstanceID, _ reason: InstanceEnding) -> (InstanceID, InstanceEnding) {
        change(id) { instance in
            instance.phase = .ending
            instance.leaves = reason
        }
        return (id, reason)
    }

    /// Ends the instances of a service but those of that generation: the idle ones now, the others when they are done.
    mutating func drain(
        _ service: ServiceName,
        keeping generation: Int64?,
        _ reason: InstanceEnding = .replaced
    ) -> [(InstanceID, InstanceEnding)] {
        (byService[service] ?? []).compactMap { id in
            guard let instance = instances[id], instance.phase != .ending, instance.generation != generation else {
                return nil
            }
            if instance.tickets.isEmpty { return end(id, reason) }
            change(id) { $0.leaves = reason }
            return nil
        }
    }

    /// Ends all instances without work, those that start for nobody included.
    mutating func endIdle(_ reason: InstanceEnding) -> [(InstanceID, InstanceEnding)] {
        instances.keys.sorted().compactMap { id in
            guard let instance = instances[id], instance.phase != .ending, instance.tickets.isEmpty else { return nil }
            return end(id, reason)
        }
    }

    /// Marks all instances to end with their last invocation.
    mutating func stop() -> [(InstanceID, InstanceEnding)] {
        byService.keys.sorted().flatMap { drain($0, keeping: nil, .stopping) }
    }

    /// Ends what has had nothing to do for long enough, and what has lived long enough.
    mutating func expire(
        now: Duration,
        terms: (ServiceName) -> InstanceTerms?
    ) -> [(InstanceID, InstanceEnding)] {
        var ends: [(InstanceID, InstanceEnding)] = []
        for service in byService.keys.sorted() {
            guard let terms = terms(service) else { continue }
            var kept = count(of: service).idle + count(of: service).busy
            // Whoever has waited longest goes first.
            for id in idle(of: service) {
                guard let instance = instances[id], let since = instance.idleSince else { continue }
                if let reason = wear(of: instance, terms, now) {
                    ends.append(end(id, reason))
                } else if now - since >= terms.idle, kept > terms.minimum {
                    ends.append(end(id, .idle))
                } else {
                    continue
                }
                kept -= 1
            }
        }
        return ends
    }

    private func idle(of service: ServiceName) -> [InstanceID] {
        (byService[service] ?? []).filter(isIdle)
            .sorted { (instances[$0]?.idleSince ?? .zero, $0) < (instances[$1]?.idleSince ?? .zero, $1) }
    }

    private func isIdle(_ id: InstanceID) -> Bool {
        instances[id].map { $0.phase == .ready && $0.tickets.isEmpty } ?? false
    }

    /// Ends idle instances until that much memory is free, or on its way.
    ///
    /// First those that their service does not insist on; among them whoever has waited longest.
    ///
    /// - Parameter memory: what is missing now.
    mutating func reclaim(
        _ memory: ByteCount,
        minimum: (ServiceName) -> Int
    ) -> [(InstanceID, InstanceEnding)] {
        guard memory > coming else { return [] }
        return reclaim(memory - coming, among: { _ in true }, minimum: minimum)
    }

    /// The same for what one owner keeps too much; those of its instances that end already are counted.
    mutating func reclaim(
        _ memory: ByteCount,
        ofOwner owner: String,
        minimum: (ServiceName) -> Int
    ) -> [(InstanceID, InstanceEnding)] {
        let ending = instances.values.reduce(ByteCount.zero) { $1.owner == owner ? $0 + $1.coming : $0 }
        guard memory > ending else { return [] }
        return reclaim(memory - ending, among: { $0.owner == owner }, minimum: minimum)
    }

    private mutating func reclaim(
        _ memory: ByteCount,
        among isChosen: (Instance) -> Bool,
        minimum: (ServiceName) -> Int
    ) -> [(InstanceID, InstanceEnding)] {
        let wanted = coming + memory
        var candidates: [(isNeeded: Bool, since: Duration, id: InstanceID)] = []
        for service in byService.keys {
            let ids = idle(of: service)
            let (busy, idle) = count(of: service)
            let surplus = busy + idle - minimum(service)
            for (index, id) in ids.enumerated() where instances[id].map(isChosen) ?? false {
                candidates.append((index >= surplus, instances[id]?.idleSince ?? .zero, id))
            }
        }
        candidates.sort { left, right in
            if left.isNeeded != right.isNeeded { return right.isNeeded }
            return (left.since, left.id) < (right.since, right.id)
        }
        var ends: [(InstanceID, InstanceEnding)] = []
        for candidate in candidates {
            guard wanted > coming else { break }
            ends.append(end(candidate.id, .reclaimed))
        }
        return ends
    }

    /// How many instances of a service are missing to those that are to be kept.
    func missing(_ service: ServiceName, _ terms: InstanceTerms) -> Int {
        let count = (byService[service] ?? []).count { id in
            instances[id].map { $0.phase != .ending && $0.leaves == nil && $0.generation == terms.generation } ?? false
        }
        return max(0, min(terms.minimum, terms.maximum ?? .max) - count)
    }
}
