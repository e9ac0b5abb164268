import Model

/// Who has had how much of the cluster, by owner: start-time fair queueing over weights.
///
/// After Goyal, Vin and Cheng, "Start-time Fair Queuing", SIGCOMM 1996: each owner has a virtual time that grows with what
/// it uses, the slower the greater its weight; whoever is furthest behind goes next. Who was away comes back at the
/// time of the others, so that nobody saves up a claim. What an invocation uses is its dominant share of the machine (Ghodsi
/// et al., "Dominant Resource Fairness", NSDI 2011, section 3) times seconds: what is expected at its start, put right at its end.
struct FairShare: Sendable {
    private static let smallestShare = 1e-6
    private static let shortest = 1e-3

    private let weights: [String: Int]
    private let capacity: Resources
    private var virtual: [String: Double] = [:]
    private var present: Set<String> = []
    /// The virtual time of whoever went last, before it was charged.
    private var system = 0.0

    /// - Parameter weights: at least 1 each; owners without one have 1.
    init(capacity: Resources, weights: [String: Int]) {
        self.capacity = capacity
        self.weights = weights.mapValues { max(1, $0) }
    }

    /// How far an owner is; the least goes next.
    func position(of owner: String) -> Double { virtual[owner] ?? system }

    /// Says who has something waiting now.
    mutating func setPresent(_ owners: Set<String>) {
        guard owners != present else { return }
        for owner in owners where !present.contains(owner) { virtual[owner] = max(virtual[owner] ?? 0, system) }
        present = owners
        // Who is gone and behind is treated as a newcomer when it comes back.
        virtual = virtual.filter { owners.contains($0.key) || $0.value > system }
    }

    /// Charges an owner for what starts now; answers the charge.
    mutating func start(_ owner: String, _ demand: Resources, expected seconds: Double) -> Double {
        let position = position(of: owner)
        system = max(system, position)
        let charge = cost(demand, seconds) / weight(owner)
        virtual[owner] = position + charge
        return charge
    }

    /// Puts a charge right, now that it is known how long the invocation took.
    mutating func end(_ owner: String, _ demand: Resources, charged: Double, seconds: Double) {
        guard let position = virtual[owner] else { return }
        virtual[owner] = max(0, position + cost(demand, seconds) / weight(owner) - charged)
    }

    private func weight(_ owner: String) -> Double { Double(weights[owner] ?? 1) }

    private func cost(_ demand: Resources, _ seconds: Double) -> Double {
        let cpu = Self.share(demand.cpu.thousandths, of: capacity.cpu.thousandths)
        let memory = Self.share(demand.memory.bytes, of: capacity.memory.bytes)
        return max(cpu, memory, Self.smallestShare) * max(seconds, Self.shortest)
    }

    private static func share(_ part: Int64, of whole: Int64) -> Double { whole > 0 ? Double(part) / Double(whole) : 0 }
}
