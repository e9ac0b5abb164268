package import Model

/// Processor and memory, demanded or available.
package struct Resources: Sendable, Hashable {
    package var cpu: MilliCPU
    package var memory: ByteCount

    package init(cpu: MilliCPU, memory: ByteCount) {
        self.cpu = cpu
        self.memory = memory
    }

    package static let zero = Resources(cpu: .zero, memory: .zero)

    /// Whether this much fits into that much.
    package func fits(in available: Resources) -> Bool { cpu <= available.cpu && memory <= available.memory }

    package static func + (left: Resources, right: Resources) -> Resources {
        Resources(cpu: left.cpu + right.cpu, memory: left.memory + right.memory)
    }

    /// The difference; never below zero.
    package static func - (left: Resources, right: Resources) -> Resources {
        Resources(cpu: left.cpu - right.cpu, memory: left.memory - right.memory)
    }
}
