import Model

/// What the clocks on the wall of a zone show, at every instant: offsets from UTC, and when they change.
///
/// Times are whole seconds since 1970.
package struct TimeZoneRules: Sendable, Hashable {
    /// A time without a change.
    package struct Period: Sendable, Hashable {
        /// `Int64.min` for the first one.
        package var start: Int64
        /// The first second of the next one; `Int64.max` for the last one.
        package var end: Int64
        /// Seconds east of UTC.
        package var offset: Int64
        /// The offset before the start; `offset` for the first one.
        package var previousOffset: Int64
    }

    /// A change: from that second on, that offset.
    struct Transition: Sendable, Hashable {
        var time: Int64
        var offset: Int64
    }

    package static let utc = TimeZoneRules(transitions: [], initialOffset: 0, tail: nil)

    /// In order.
    let transitions: [Transition]
    let initialOffset: Int64
    /// What holds behind the last transition; `nil` where nothing changes any more.
    let tail: YearlyTimeRule?

    init(transitions: [Transition], initialOffset: Int64, tail: YearlyTimeRule?) {
        (self.transitions, self.initialOffset, self.tail) = (transitions, initialOffset, tail)
    }

    /// A zone in the words of POSIX's `TZ`, as `CET-1CEST,M3.5.0,M10.5.0/3`; `nil` for what is no such text.
    package init?(posix text: String) {
        guard let rule = YearlyTimeRule(Array(text.utf8)) else { return nil }
        self.init(transitions: [], initialOffset: rule.standardOffset, tail: rule)
    }

    /// The period in which an instant lies.
    package func period(at time: Int64) -> Period {
        let passed = transitions.partitioningIndex { $0.time > time }
        func offset(_ index: Int) -> Int64 { index < 0 ? initialOffset : transitions[index].offset }
        var period = Period(
            start: passed == 0 ? .min : transitions[passed - 1].time,
            end: passed == transitions.count ? .max : transitions[passed].time,
            offset: offset(passed - 1), previousOffset: offset(max(-1, passed - 2)))
        guard passed == transitions.count, let tail else { return period }
        let bound = period.start
        for change in tail.changes(around: time) where change.time > bound {
            if change.time <= time {
                period.previousOffset = period.offset
                (period.start, period.offset) = (change.time, change.offset)
            } else {
                period.end = min(period.end, change.time)
            }
        }
        return period
    }
}

extension Array {
    /// The first place whose element is as asked, where all behind it are, too; O(log n).
    func partitioningIndex(where isBehind: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
