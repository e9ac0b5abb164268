package import Model

/// What decides when the invocations of a service start.
package struct AdmissionTerms: Sendable, Hashable {
    /// Of one invocation.
    package var demand: Resources
    /// Whose share of the cluster the invocations use.
    package var owner: String
    /// Among the services of one owner, those with a higher one go first; from -100 to 100.
    package var priority: Int
    /// How many jobs and runs may be under way at once; at least 1, `nil` for no limit.
    package var maximumParallel: Int?
    /// How many of them may be runs; at least 1, `nil` for no limit.
    package var maximumRuns: Int?
    /// What all invocations together may hold; `nil` for no limit.
    package var totalCPU: MilliCPU?
    package var totalMemory: ByteCount?
    /// Nothing of a paused service starts.
    package var isPaused: Bool
    /// How instances are kept; `nil` where each invocation has a sandbox of its own.
    package var instances: InstanceTerms?

    package init(
        demand: Resources,
        owner: String = "",
        priority: Int = 0,
        maximumParallel: Int? = nil,
        maximumRuns: Int? = nil,
        totalCPU: MilliCPU? = nil,
        totalMemory: ByteCount? = nil,
        isPaused: Bool = false,
        instances: InstanceTerms? = nil
    ) {
        self.demand = demand
        self.owner = owner
        self.priority = priority
        self.maximumParallel = maximumParallel
        self.maximumRuns = maximumRuns
        self.totalCPU = totalCPU
        self.totalMemory = totalMemory
        self.isPaused = isPaused
        self.instances = instances
    }

    /// Which limit of the service keeps one more invocation from starting while these are under way; `nil` for none.
    func limit(under way: UnderWay, isRun: Bool) -> ServiceLimit? {
        if let maximumParallel, way.count >= maximumParallel { return .parallel(maximumParallel) }
        if isRun, let maximumRuns, way.runs >= maximumRuns { return .runs(maximumRuns) }
        return nil
    }

    /// Which limit of the service keeps it from holding that much; `nil` for none.
    func limit(of held: Resources) -> ServiceLimit? {
        if let totalCPU, held.cpu > totalCPU { return .cpu(totalCPU) }
        if let totalMemory, held.memory > totalMemory { return .memory(totalMemory) }
        return nil
    }
}

/// A service's own limit of what is under way at once.
package enum ServiceLimit: Sendable, Hashable, CustomStringConvertible {
    case parallel(Int)
    case runs(Int)
    case cpu(MilliCPU)
    case memory(ByteCount)
    case instances(Int)

    package var description: String {
        switch self {
        case .instances(let count): "instances.max: \(count)"
        case .parallel(let count): "max_parallel: \(count)"
        case .runs(let count): "synchronous.max_scale: \(count)"
        case .cpu(let cpu): "total_cpu: \(cpu)"
        case .memory(let memory): "total_memory: \(memory)"
        }
    }
}

/// What a service has under way.
struct UnderWay: Sendable {
    var count = 0
    var runs = 0
    /// By invocations that have no instance.
    var held = Resources.zero

    mutating func add(_ demand: Resources, isRun: Bool) {
        count += 1
        if isRun { runs += 1 }
        held = held + demand
    }

    mutating func remove(_ demand: Resources, isRun: Bool) {
        count = max(0, count - 1)
        if isRun { runs = max(0, runs - 1) }
        held = held - demand
    }
}
