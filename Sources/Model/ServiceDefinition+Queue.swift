extension ServiceDefinition {
    /// Ours: how the service's invocations wait for their turn.
    package struct QueueRules: Sendable, Hashable {
        /// The range of priorities.
        package static let priorities = -100...100

        /// Among the services of an owner, those with a higher one go first; 0 where nothing is said.
        package var priority = 0
        /// `max_parallel`: how many jobs and runs may be under way at once; at least 1, `nil` for no limit.
        package var maximumParallel: Int?
        /// `queue.limit`: how many jobs may wait before `/job` refuses more; at least 1, `nil` for no limit.
        package var limit: Int?

        package init(priority: Int = 0, maximumParallel: Int? = nil, limit: Int? = nil) {
            self.priority = priority
            self.maximumParallel = maximumParallel
            self.limit = limit
        }
    }

    /// How many runs may be under way at once (OSCAR's `synchronous.max_scale`); `nil` for no limit.
    package var maximumRuns: Int? { synchronous.maximumScale > 0 ? synchronous.maximumScale : nil }

    /// What all invocations together may use of the processors (OSCAR's `total_cpu`); `nil` for no limit.
    package var totalCPULimit: MilliCPU? { try? totalCPU?.milliCPU() }

    /// What all invocations together may use of the memory (OSCAR's `total_memory`); `nil` for no limit.
    package var totalMemoryLimit: ByteCount? { try? totalMemory?.byteCount() }

    /// Refuses caps below which not even one invocation fits.
    func checkTotals() throws(ServiceSpecificationError) {
        if let total = totalCPULimit, total < cpuLimit {
            throw ServiceSpecificationError(
                .invalid, field: "total_cpu", "\(total) is less than the cpu of one invocation, \(cpuLimit)")
        }
        if let total = totalMemoryLimit, total < memoryLimit {
            throw ServiceSpecificationError(
                .invalid, field: "total_memory", "\(total) is less than the memory of one invocation, \(memoryLimit)")
        }
    }
}

extension ServiceDefinition.QueueRules {
    init(_ reader: FieldReader) throws(ServiceSpecificationError) {
        if let value = reader.value("priority") {
            let range = Self.priorities
            guard case .number = value else { throw reader.wrongType("priority", "a whole number", value) }
            guard let number = value.integerValue, let priority = Int(exactly: number), range.contains(priority) else {
                throw reader.invalid(
                    "priority", "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
            }
            self.priority = priority
        }
        maximumParallel = try Self.limit(reader, "max_parallel")
        if let queue = try reader.object("queue") { limit = try Self.limit(queue, "limit") }
    }

    /// Nothing and 0 are no limit.
    private static func limit(_ reader: FieldReader, _ key: String) throws(ServiceSpecificationError) -> Int? {
        let count = try reader.count(key)
        return count > 0 ? count : nil
    }

    /// What is not as it is by itself.
    var members: ServiceDefinition.Members {
        [
            ("priority", priority == 0 ? nil : .integer(priority)),
            ("max_parallel", maximumParallel.map { .integer($0) }),
            ("queue", limit.map { .object(["limit": .integer($0)]) }),
        ]
    }
}
