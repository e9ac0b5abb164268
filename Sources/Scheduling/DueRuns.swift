package import Model

/// What a schedule asks for at a moment: for which of the instants that have passed jobs are made.
package struct DueRuns: Sendable, Hashable {
    /// What is not later than that is on time, whatever is said of missed runs; in seconds.
    private static let tolerance: Int64 = 60

    /// Oldest first.
    package var instants: [Instant]
    /// Whether there are instants for which no job is made.
    package var hasSkipped: Bool

    /// - Parameters:
    ///   - decided: up to here everything was decided before.
    /// - Returns: `nil` where nothing was due since.
    package init?(_ schedule: ServiceSchedule, in zone: TimeZoneRules, after decided: Instant, now: Instant) {
        let (timing, earliest, latest) = (schedule.timing, decided.seconds, now.seconds)
        guard let first = timing.next(after: earliest, in: zone), first <= latest else { return nil }
        let isLate = first < latest - Self.tolerance
        let punctual = max(earliest, latest - Self.tolerance - 1)
        var instants = timing.last(Int.max, after: punctual, upTo: latest, in: zone)
        // After an absence, the last of those that are on time is enough.
        if isLate, schedule.missed.isAtMostOne { instants = instants.suffix(1) }
        switch schedule.missed {
        case .skip: hasSkipped = isLate
        case .once:
            hasSkipped = isLate
            if isLate, instants.isEmpty {
                instants = timing.last(1, after: earliest, upTo: latest, in: zone)
                hasSkipped = instants.first != first
            }
        case .all(let limit):
            instants = timing.last(max(limit, instants.count), after: earliest, upTo: latest, in: zone)
            hasSkipped = instants.first != first
        }
        self.instants = instants.map { Instant(seconds: $0) }
    }
}

extension ServiceSchedule.MissedRuns {
    fileprivate var isAtMostOne: Bool {
        switch self {
        case .skip, .once: true
        case .all: false
        }
    }
}
