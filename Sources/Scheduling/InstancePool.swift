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

    enum Phase: Sendable {
        case starting
        case ready
        /// Told to end.
        case ending
    }

    struct Instance: Sendable {
        let service: ServiceName
        let owner: String
        let demand: Resources
        let places: Int
        let generation: Int64
        let restart: Int64
        let born: Duration
        var phase = Phase.starting
        var tickets: Set<Admission.Ticket> = []
        var served = 0
        var idleSince: Duration?
        /// Takes no more invocations, and ends after those it has, for that reason.
        var leaves: InstanceEnding?
        /// Started to take the place of one from before a restart, which is still there.
        var isSurge = false

        /// Goes on taking work, so far.
        var stays: Bool { phase != .ending && leaves == nil }

        /// From before the last restart of its service.
        func isOutdated(_ terms: InstanceTerms) -> Bool {
            generation == terms.generation && restart < terms.restart
        }

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

    private(set) var instances: [InstanceID: Instance] = [:]
    private(set) var byService: [ServiceName: [InstanceID]] = [:]
    private var seats: [Admission.Ticket: InstanceID] = [:]
    /// How many instances of a service its use of processors asks for.
    var wanted: [ServiceName: Int] = [:]
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

    /// Those of a service that have started and go on, and how many start.
    func members(of service: ServiceName) -> (ready: [InstanceID], starting: Int) {
        let ids = (byService[service] ?? []).filter { instances[$0]?.stays == true }
        let ready = ids.filter { instances[$0]?.phase == .ready }
        return (ready, ids.count - ready.count)
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
    ///
    /// Those from before a restart serve only where there is no other one.
    ///
    /// - Parameter mayWake: whether there is a processor for one that waits for work.
    func offer(_ service: ServiceName, _ terms: InstanceTerms, mayWake: Bool = true, now: Duration) -> Offer? {
        var place: (id: InstanceID, rank: PlaceRank)?
        var idle: (id: InstanceID, isFresh: Bool, since: Duration)?
        var (count, busy) = (0, 0)
        for id in byService[service] ?? [] {
            guard let instance = instances[id] else { continue }
            if instance.phase != .ending { count += 1 }
            if !instance.tickets.isEmpty { busy += 1 }
            guard isOpen(instance, terms, now) else { continue }
            let isFresh = !instance.isOutdated(terms)
            if instance.phase == .ready, instance.tickets.isEmpty {
                // The one that worked last: the others come to their end.
                let since = instance.idleSince ?? .zero
                if idle.map({ isFresh != $0.isFresh ? isFresh : since > $0.since }) ?? true {
                    idle = (id, isFresh, since)
                }
                continue
            }
            let rank = PlaceRank(
                isReady: instance.phase == .ready, isFresh: isFresh, load: instance.tickets.count)
            if place.map({ rank < $0.rank }) ?? true { place = (id, rank) }
        }
        // One that is ready goes before one that starts; where the use of processors asks for several, the work is
        // spread over them.
        let isBetterIdle = mayWake && (place?.rank.isReady == false || busy < wanted[service] ?? 0)
        if let idle, place == nil || isBetterIdle { return .idle(idle.id) }
        if let place { return .place(place.id) }
        if let maximum = terms.maximum, count >= maximum { return nil }
        return .new
    }

    /// The order of places in instances that have work, or start; less is better.
    private struct PlaceRank: Comparable {
        let isReady: Bool
        let isFresh: Bool
        let load: Int

        static func < (left: PlaceRank, right: PlaceRank) -> Bool {
            if left.isReady != right.isReady { return left.isReady }
            if left.isFresh != right.isFresh { return left.isFresh }
            return left.load < right.load
        }
    }

    private func isOpen(_ instance: Instance, _ terms: InstanceTerms, _ now: Duration) -> Bool {
        guard instance.stays, instance.generation == terms.generation,
            instance.tickets.count < instance.places
        else { return false }
        return wear(of: instance, terms, now) == nil
    }

    func wear(of instance: Instance, _ terms: InstanceTerms, _ now: Duration) -> InstanceEnding? {
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
            service: service, owner: owner, demand: demand, places: max(1, terms.places),
            generation: terms.generation, restart: terms.restart, born: now)
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

    mutating func change(_ id: InstanceID, _ body: (inout Instance) -> Void) {
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
}
