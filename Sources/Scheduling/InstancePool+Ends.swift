import Model

/// Which instances end when, and which are kept.
extension InstancePool {
    mutating func end(_ id: InstanceID, _ reason: InstanceEnding) -> (InstanceID, InstanceEnding) {
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
            let (busy, idle) = count(of: service)
            var kept = busy + idle
            let minimum = minimum(of: service, terms)
            // Whoever has waited longest goes first.
            for id in self.idle(of: service) {
                guard let instance = instances[id], let since = instance.idleSince else { continue }
                if let reason = wear(of: instance, terms, now) {
                    ends.append(end(id, reason))
                } else if now - since >= terms.idle, kept > minimum {
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
    /// - Parameters:
    ///   - memory: what is missing now.
    ///   - terms: those of a service.
    mutating func reclaim(
        _ memory: ByteCount,
        terms: (ServiceName) -> InstanceTerms?
    ) -> [(InstanceID, InstanceEnding)] {
        guard memory > coming else { return [] }
        return reclaim(memory - coming, among: { _ in true }, terms: terms)
    }

    /// The same for what one owner keeps too much; those of its instances that end already are counted.
    mutating func reclaim(
        _ memory: ByteCount,
        ofOwner owner: String,
        terms: (ServiceName) -> InstanceTerms?
    ) -> [(InstanceID, InstanceEnding)] {
        let ending = instances.values.reduce(ByteCount.zero) { $1.owner == owner ? $0 + $1.coming : $0 }
        guard memory > ending else { return [] }
        return reclaim(memory - ending, among: { $0.owner == owner }, terms: terms)
    }

    private mutating func reclaim(
        _ memory: ByteCount,
        among isChosen: (Instance) -> Bool,
        terms: (ServiceName) -> InstanceTerms?
    ) -> [(InstanceID, InstanceEnding)] {
        let goal = coming + memory
        var candidates: [(isNeeded: Bool, since: Duration, id: InstanceID)] = []
        for service in byService.keys {
            let ids = idle(of: service)
            let (busy, idle) = count(of: service)
            let surplus = busy + idle - (terms(service).map { minimum(of: service, $0) } ?? 0)
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
            guard goal > coming else { break }
            ends.append(end(candidate.id, .reclaimed))
        }
        return ends
    }

    // MARK: What is kept

    /// How many instances of a service are kept though nothing is to be done: as many as it says, or as its use of
    /// processors asks for.
    func minimum(of service: ServiceName, _ terms: InstanceTerms) -> Int {
        min(max(terms.minimum, wanted[service] ?? 0), terms.maximum ?? .max)
    }

    /// How many instances of a service are missing to those that are to be kept.
    func missing(_ service: ServiceName, _ terms: InstanceTerms) -> Int {
        let count = (byService[service] ?? []).count { id in
            instances[id].map { $0.stays && $0.generation == terms.generation } ?? false
        }
        return max(0, minimum(of: service, terms) - count)
    }
}
