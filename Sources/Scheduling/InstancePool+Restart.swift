import Model

/// What a restart of a service does to its instances.
extension InstancePool {
    /// Whether instances from before the last restart go on taking work.
    func hasOutdated(_ service: ServiceName, _ terms: InstanceTerms) -> Bool {
        !outdated(service, terms).isEmpty
    }

    /// Whether one of them has no work.
    func hasIdleOutdated(_ service: ServiceName, _ terms: InstanceTerms) -> Bool {
        outdated(service, terms).first.flatMap { instances[$0] }.map(\.tickets.isEmpty) ?? false
    }

    /// Those that go next come first: without work, and of those the one that has waited longest.
    private func outdated(_ service: ServiceName, _ terms: InstanceTerms) -> [InstanceID] {
        let ids = (byService[service] ?? []).filter { id in
            instances[id].map { $0.stays && $0.isOutdated(terms) } ?? false
        }
        func rank(_ id: InstanceID) -> (Int, Duration, InstanceID) {
            guard let instance = instances[id] else { return (0, .zero, id) }
            return (instance.tickets.count, instance.idleSince ?? .zero, id)
        }
        return ids.sorted { rank($0) < rank($1) }
    }

    /// Whether an instance of the service ends, or a new one starts.
    func isChanging(_ service: ServiceName, _ terms: InstanceTerms) -> Bool {
        (byService[service] ?? []).contains { id in
            guard let instance = instances[id] else { return false }
            return instance.phase == .ending || (instance.phase == .starting && !instance.isOutdated(terms))
        }
    }

    /// Ends outdated instances that start for nobody.
    mutating func endOutdatedStarts(
        _ service: ServiceName,
        _ terms: InstanceTerms
    ) -> [(InstanceID, InstanceEnding)] {
        outdated(service, terms).compactMap { id in
            guard let instance = instances[id], instance.phase == .starting, instance.tickets.isEmpty else {
                return nil
            }
            return end(id, .replaced)
        }
    }

    /// Makes an instance that takes the place of an outdated one when it is ready.
    mutating func addSurge(
        _ service: ServiceName,
        owner: String,
        demand: Resources,
        _ terms: InstanceTerms,
        now: Duration
    ) -> InstanceID {
        let id = add(service, owner: owner, demand: demand, terms, now: now)
        change(id) { $0.isSurge = true }
        return id
    }

    /// Whether an instance that takes the place of an outdated one has become ready; says so once.
    mutating func takeSurge(_ service: ServiceName) -> Bool {
        let id = (byService[service] ?? []).first { id in
            instances[id].map { $0.isSurge && $0.phase == .ready } ?? false
        }
        guard let id else { return false }
        change(id) { $0.isSurge = false }
        return true
    }

    /// Has the next outdated instance go: now, which is answered, or after its work.
    mutating func retire(_ service: ServiceName, _ terms: InstanceTerms) -> (InstanceID, InstanceEnding)? {
        guard let id = outdated(service, terms).first else { return nil }
        if instances[id]?.tickets.isEmpty == true { return end(id, .replaced) }
        change(id) { $0.leaves = .replaced }
        return nil
    }
}
