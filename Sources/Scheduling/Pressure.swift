package import Model

/// Whether the machine has enough of what the cluster cannot do without: disk, memory, file descriptors.
///
/// A pure state machine: samples in, changes out. Each resource has a mark below which it is short, and a higher one from
/// which it is enough again, so that a value that goes to and fro over a mark changes nothing.
package struct Pressure: Sendable {
    package enum Resource: String, Sendable, Hashable, CaseIterable {
        /// Bytes free on the file system of the data directory.
        case diskSpace = "disk_space"
        /// Files that this file system has room for.
        case diskFiles = "disk_files"
        /// Memory that the kernel can give without swapping, in bytes.
        case memory
        /// Files and connections that the process may still open.
        case fileDescriptors = "file_descriptors"
    }

    /// What there is of a resource.
    package struct Level: Sendable, Hashable {
        package let free: Int64
        package let total: Int64

        package init(free: Int64, total: Int64) {
            self.free = max(0, free)
            self.total = max(0, total)
        }
    }

    /// Between short and enough.
    package struct Marks: Sendable, Hashable {
        /// Below this much free the resource is short.
        package let low: Int64
        /// From this much free it is enough again; above `low`.
        package let enough: Int64

        package init(low: Int64) {
            self.low = max(0, low)
            enough = self.low + max(1, self.low / 4)
        }
    }

    /// What is known of one resource.
    package struct Check: Sendable, Hashable {
        package var level: Level
        package var marks: Marks
        package var isShort: Bool
        /// Since when it is short, or enough.
        package var since: Instant
    }

    /// A resource that has become short, or enough again.
    package struct Change: Sendable, Hashable {
        package let resource: Resource
        package let check: Check
        /// Since when the state before had held.
        package let before: Instant
    }

    /// What the operator keeps back of a resource, in place of the standard.
    private let reserves: [Resource: Int64]
    package private(set) var checks: [Resource: Check] = [:]

    package init(reserves: [Resource: Int64] = [:]) { self.reserves = reserves }

    /// How much of a resource is kept back where nobody says otherwise: a share of all, within limits.
    package static func standardReserve(of resource: Resource, total: Int64) -> Int64 {
        switch resource {
        case .diskSpace: min(1 << 30, max(16 << 20, total / 20))
        case .diskFiles: min(10_000, total / 50)
        case .memory: min(256 << 20, max(16 << 20, total / 32))
        case .fileDescriptors: min(256, total / 8)
        }
    }

    /// Takes in what is free now; a resource that is not in the sample stays as it was.
    ///
    /// - Returns: what has become short or enough again, none for what was enough from the start.
    package mutating func observe(_ sample: [Resource: Level], at now: Instant) -> [Change] {
        var changes: [Change] = []
        for resource in Resource.allCases {
            guard let level = sample[resource] else { continue }
            let marks = Marks(low: reserves[resource] ?? Self.standardReserve(of: resource, total: level.total))
            let old = checks[resource]
            let isShort = level.free < ((old?.isShort ?? false) ? marks.enough : marks.low)
            var check = Check(level: level, marks: marks, isShort: isShort, since: now)
            if let old, old.isShort == isShort { check.since = old.since }
            checks[resource] = check
            if isShort != (old?.isShort ?? false) {
                changes.append(Change(resource: resource, check: check, before: old?.since ?? now))
            }
        }
        return changes
    }

    /// The resources that are short, in a fixed order.
    package var short: [Resource] { Resource.allCases.filter { checks[$0]?.isShort == true } }

    /// Why nothing starts, in words; `nil` where all is enough.
    package var reason: String? { short.first.map(reason) }

    /// Why nothing new is stored, in words; `nil` where the disk has room.
    package var storageReason: String? {
        short.first { $0 == .diskSpace || $0 == .diskFiles }.map(reason)
    }

    private func reason(_ resource: Resource) -> String {
        guard let check = checks[resource] else { return "" }
        return resource.shortage(check)
    }
}

extension Pressure.Resource {
    /// What is short of a resource, and what helps, in words.
    package func shortage(_ check: Pressure.Check) -> String {
        let (free, kept, enough) = (text(check.level.free), text(check.marks.low), text(check.marks.enough))
        return switch self {
        case .diskSpace:
            "the disk of the data directory has \(free) free and \(kept) are kept back: delete what is not needed or give it "
                + "more room; it goes on by itself from \(enough)"
        case .diskFiles:
            "the disk of the data directory has room for \(free) files and \(kept) are kept back: delete what is not needed; "
                + "it goes on by itself from \(enough)"
        case .memory:
            "the machine has \(free) of memory left and \(kept) are kept back: stop other programs or lower the cluster's "
                + "memory; it goes on by itself from \(enough)"
        case .fileDescriptors:
            "Apus may open \(free) more files and connections and \(kept) are kept back: raise its limit (ulimit -n, "
                + "LimitNOFILE) or close connections; it goes on by itself from \(enough)"
        }
    }

    private func text(_ amount: Int64) -> String {
        switch self {
        case .diskSpace, .memory: "\(ByteCount(amount))"
        case .diskFiles, .fileDescriptors: "\(amount)"
        }
    }
}
