import Model

/// What the quotas of owners have to do with who starts when.
///
/// An owner's quota bounds what its jobs and runs hold together, those of instances that work or start included. Instances
/// that wait for work are not counted, since they give way; but they are ended where the owner would keep more than its
/// quota with them. Jobs and runs that only the quota keeps back are passed over `Patience.misfits` times by others of the
/// same owner; then room in the quota is kept for them.
extension Admission {
    /// From now on these quotas hold; what runs goes on.
    package mutating func quotasChanged(_ new: OwnerQuotas) -> [Action] {
        quotas = new
        hasQuotas = !new.isEmpty
        var actions: [Action] = []
        for owner in Set(lines.values.map(\.terms.owner)).sorted() { trimIdle(of: owner, &actions) }
        return actions + admit()
    }

    /// What the jobs and runs of an owner hold now, and its instances that start.
    package func held(by owner: String) -> Resources { (heldByOwner[owner] ?? .zero) + pool.working(of: owner) }

    /// Why one more invocation of a service would be too much for its owner; `nil` where it would not.
    func excess(of terms: AdmissionTerms, _ offer: InstancePool.Offer?) -> QuotaExcess? {
        guard hasQuotas, let quota = quotas[terms.owner] else { return nil }
        // A place in an instance that works takes nothing more.
        if case .place = offer { return nil }
        let held = held(by: terms.owner)
        return quota.limit(below: held + terms.demand).map { QuotaExcess(limit: $0, held: held) }
    }

    /// Which limit of its owner's quota a demand can never keep to; `nil` where it can.
    func limitBeyondReach(of demand: Resources, _ owner: String) -> OwnerLimit? {
        hasQuotas ? quotas[owner]?.limit(below: demand) : nil
    }

    /// Whether an owner may keep one more instance without work.
    func mayKeep(_ demand: Resources, _ owner: String) -> Bool {
        guard hasQuotas, let quota = quotas[owner] else { return true }
        return quota.limit(below: (heldByOwner[owner] ?? .zero) + pool.held(byOwner: owner) + demand) == nil
    }

    /// Ends instances of an owner that have no work, as long as it keeps more memory than its quota.
    mutating func trimIdle(of owner: String, _ actions: inout [Action]) {
        guard hasQuotas, let most = quotas[owner]?.memory else { return }
        let kept = (heldByOwner[owner] ?? .zero).memory + pool.held(byOwner: owner).memory
        guard kept > most else { return }
        let lines = lines
        actions += pool.reclaim(kept - most, ofOwner: owner) { lines[$0]?.terms.instances }
            .map(Action.end)
    }

    // MARK: Patience

    /// For whom room in the quota of an owner is kept.
    struct Reservation: Sendable, Hashable {
        let service: ServiceName
        let isRun: Bool
    }

    /// Who of each owner has been passed over so often that nothing else of that owner starts before it.
    var reservations: [String: Reservation] {
        guard hasQuotas else { return [:] }
        var longest: [String: (count: Int, reservation: Reservation)] = [:]
        for (reservation, count) in quotaMisfits where count > patience.misfits {
            guard let line = lines[reservation.service], mayEverStart(reservation, line) else { continue }
            let owner = line.terms.owner
            if let known = longest[owner] {
                let others = (known.reservation.service.text, known.reservation.isRun ? 0 : 1)
                let own = (reservation.service.text, reservation.isRun ? 0 : 1)
                guard count > known.count || count == known.count && own < others else { continue }
            }
            longest[owner] = (count, reservation)
        }
        return longest.mapValues(\.reservation)
    }

    /// Whether nothing but room keeps it from starting.
    private func mayEverStart(_ reservation: Reservation, _ line: Line) -> Bool {
        guard reservation.isRun ? !line.runs.isEmpty : !line.waiting.isEmpty, !line.terms.isPaused,
            line.terms.demand.fits(in: capacity), limitBeyondReach(of: line.terms.demand, line.terms.owner) == nil
        else { return false }
        switch need(of: reservation.service, line, isRun: reservation.isRun) {
        case .success, .failure(.quota): return true
        case .failure(.limit): return false
        }
    }

    /// An invocation of a service has started: remembers who of the same owner its quota has kept back.
    mutating func haveStarted(_ started: ServiceName, isRun: Bool, _ actions: inout [Action]) {
        guard hasQuotas, let owner = lines[started]?.terms.owner, quotas[owner] != nil else { return }
        trimIdle(of: owner, &actions)
        let own = Reservation(service: started, isRun: isRun)
        quotaMisfits[own] = nil
        for (names, isRun) in [(active, false), (withRuns, true)] {
            for name in names {
                let reservation = Reservation(service: name, isRun: isRun)
                guard reservation != own, let line = lines[name], line.terms.owner == owner,
                    isRun || !line.waiting.isEmpty, case .failure(.quota) = need(of: name, line, isRun: isRun),
                    limitBeyondReach(of: line.terms.demand, owner) == nil
                else { continue }
                quotaMisfits[reservation, default: 0] += 1
            }
        }
    }
}
