import Model

/// The restart of a service's instances: new ones are ready before old ones end, one by one, where there is room for one more.
///
/// Old instances serve until their turn comes, so nobody waits for a restart. Where the memory is short, an old one without work
/// ends first. Where the processors are, the restart waits for them, but not for ever.
extension Admission {
    /// How long a restart waits for room before an old instance goes without a new one.
    package static let restartPatience = Duration.seconds(30)

    /// Remembers that there are instances from before a restart; ends those that are of no use yet.
    mutating func beginRestart(_ name: ServiceName, _ terms: InstanceTerms) -> [(InstanceID, InstanceEnding)] {
        let ends = pool.endOutdatedStarts(name, terms)
        if pool.hasOutdated(name, terms), restarting[name] == nil { restarting[name] = now }
        return ends
    }

    /// Goes on with the restarts.
    mutating func replaceOutdated(_ actions: inout [Action]) {
        for name in restarting.keys.sorted() {
            guard let line = lines[name], let instances = line.terms.instances, !line.terms.isPaused else {
                restarting[name] = nil
                continue
            }
            if pool.takeSurge(name) { retire(name, instances, &actions) }
            guard pool.hasOutdated(name, instances) else {
                restarting[name] = nil
                continue
            }
            guard !pool.isChanging(name, instances), now >= line.startsAheadFrom else { continue }
            replaceNext(name, line, instances, &actions)
        }
    }

    private mutating func replaceNext(
        _ name: ServiceName,
        _ line: Line,
        _ terms: InstanceTerms,
        _ actions: inout [Action]
    ) {
        let demand = line.terms.demand
        let held = line.underWay.held + pool.held(by: name) + demand
        if demand.fits(in: free), line.terms.limit(of: held) == nil {
            let id = pool.addSurge(name, owner: line.terms.owner, demand: demand, terms, now: now)
            restarting[name] = now
            actions.append(.startInstance(id, name))
        } else if pool.hasIdleOutdated(name, terms), demand.cpu <= free.cpu {
            retire(name, terms, &actions)
        } else if let since = restarting[name], now - since >= Self.restartPatience {
            retire(name, terms, &actions)
        }
    }

    /// Has an outdated instance go: now, or after its work.
    private mutating func retire(_ name: ServiceName, _ terms: InstanceTerms, _ actions: inout [Action]) {
        restarting[name] = now
        if let (id, reason) = pool.retire(name, terms) { actions.append(.end(id, reason)) }
    }
}
