import Model

/// Which instance: unique while the program runs.
package struct InstanceID: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let number: UInt64

    package init(_ number: UInt64) { self.number = number }

    package static func < (left: InstanceID, right: InstanceID) -> Bool { left.number < right.number }

    package var description: String { "i\(number)" }
}

/// How the instances of a service are kept.
package struct InstanceTerms: Sendable, Hashable {
    /// Differs where the definition differs that instances are made from: those of another one end.
    package var generation: Int64
    /// Grows with each order to replace the instances, which go on serving until new ones are ready.
    package var restart: Int64
    /// Instances that are kept though nothing is to be done.
    package var minimum: Int
    /// The most at once, at least 1; `nil` for no limit.
    package var maximum: Int?
    /// Invocations at once in one instance; at least 1.
    package var places: Int
    /// An instance ends after so long without work.
    package var idle: Duration
    /// An instance takes no more than so many invocations, at least 1; `nil` for no limit.
    package var maximumInvocations: Int?
    /// An instance takes no invocation after so long; `nil` for no limit.
    package var maximumAge: Duration?

    package init(
        generation: Int64,
        restart: Int64 = 0,
        minimum: Int = 0,
        maximum: Int? = nil,
        places: Int = 1,
        idle: Duration = .seconds(300),
        maximumInvocations: Int? = nil,
        maximumAge: Duration? = nil
    ) {
        self.generation = generation
        self.restart = restart
        self.minimum = minimum
        self.maximum = maximum
        self.places = places
        self.idle = idle
        self.maximumInvocations = maximumInvocations
        self.maximumAge = maximumAge
    }
}

/// Why an instance is ended.
package enum InstanceEnding: String, Sendable, Hashable, CaseIterable {
    /// It had nothing to do for as long as its service says.
    case idle
    /// It has taken as many invocations, or lived as long, as its service says.
    case worn
    /// Its service was changed, restarted, paused or removed.
    case replaced
    /// Others need the memory that it keeps.
    case reclaimed
    /// The cluster stops.
    case stopping
}
