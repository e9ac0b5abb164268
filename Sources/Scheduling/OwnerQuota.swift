package import Model

/// How much of the machine the jobs and runs of one owner may hold together; what is `nil` has no limit.
package struct OwnerQuota: Sendable, Hashable {
    package var cpu: MilliCPU?
    package var memory: ByteCount?

    package init(cpu: MilliCPU? = nil, memory: ByteCount? = nil) { (self.cpu, self.memory) = (cpu, memory) }

    package var isUnlimited: Bool { cpu == nil && memory == nil }

    /// Which limit is less than that; `nil` where none is.
    func limit(below held: Resources) -> OwnerLimit? {
        if let cpu, held.cpu > cpu { return .cpu(cpu) }
        if let memory, held.memory > memory { return .memory(memory) }
        return nil
    }
}

/// One limit of an owner's quota.
package enum OwnerLimit: Sendable, Hashable, CustomStringConvertible {
    case cpu(MilliCPU)
    case memory(ByteCount)

    package var description: String {
        switch self {
        case .cpu(let cpu): "\(cpu) cpu"
        case .memory(let memory): "\(memory) of memory"
        }
    }
}

/// The quotas of all owners.
package struct OwnerQuotas: Sendable, Hashable {
    /// Of those that are not named.
    private let standard: OwnerQuota
    private let named: [String: OwnerQuota]

    /// Nobody has a limit.
    package static let none = OwnerQuotas(standard: OwnerQuota(), named: [:])

    /// - Parameters:
    ///   - standard: of whoever is not named.
    ///   - named: by owner; the administrator is one, with a quota that has no limit.
    package init(standard: OwnerQuota, named: [String: OwnerQuota]) {
        self.standard = standard
        self.named = named
    }

    /// Whether nobody has a limit.
    var isEmpty: Bool { standard.isUnlimited && named.values.allSatisfy(\.isUnlimited) }

    /// The quota of an owner; `nil` where it has no limit.
    subscript(_ owner: String) -> OwnerQuota? {
        let quota = named[owner] ?? standard
        return quota.isUnlimited ? nil : quota
    }
}

/// Why an owner's quota keeps an invocation from starting.
package struct QuotaExcess: Error, Sendable, Hashable {
    package let limit: OwnerLimit
    /// What the owner's jobs and runs hold now.
    package let held: Resources

    package init(limit: OwnerLimit, held: Resources) { (self.limit, self.held) = (limit, held) }
}
