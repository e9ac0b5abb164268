package import Model

extension ServiceSchedule.Timing {
    /// How far ahead a calendar is searched: from 29 February on a certain day of the week to the next one.
    private static let horizon: Int64 = 50 * 366 * 86_400

    /// The first instant behind `time`, in whole seconds, at which something is due; `nil` where none comes.
    ///
    /// Where clocks are put forward, a time of day that is left out is due at the moment of the change. Where they are
    /// put back, a time of day that comes twice is due the first time. Expressions whose hour begins with `*` mean so
    /// and so often instead: what is left out is not due, and what comes twice is due twice.
    package func next(after time: Int64, in zone: TimeZoneRules) -> Int64? {
        switch self {
        case .rate(let seconds):
            let (quotient, remainder) = time.quotientAndRemainder(dividingBy: seconds)
            let (next, isBeyond) = ((remainder < 0 ? quotient - 1 : quotient) + 1)
                .multipliedReportingOverflow(by: seconds)
            return isBeyond ? nil : next
        case .cron(let cron, _): return Self.next(cron, after: time, zone)
        }
    }

    private static func next(_ cron: CronExpression, after time: Int64, _ zone: TimeZoneRules) -> Int64? {
        var begin = time + 1
        let end = time + horizon
        while begin < end {
            let period = zone.period(at: begin)
            if period.start == begin, period.previousOffset < period.offset, !cron.isEachHour {
                let skipped = (begin + period.previousOffset)..<(begin + period.offset)
                if cron.first(in: skipped) != nil { return begin }
            }
            var first = begin + period.offset
            if period.previousOffset > period.offset, !cron.isEachHour {
                first = max(first, period.start + period.previousOffset)
            }
            let last = min(period.end, end) + period.offset
            if first < last, let found = cron.first(in: first..<last) { return found - period.offset }
            begin = period.end
        }
        return nil
    }

    /// The last `count` instants behind `earliest` and not behind `latest`, in order.
    package func last(_ count: Int, after earliest: Int64, upTo latest: Int64, in zone: TimeZoneRules) -> [Int64] {
        var window: Int64 = 3600
        while true {
            let begin = max(earliest, latest.subtractingReportingOverflow(window).partialValue)
            var found: [Int64] = []
            var time = begin
            while let next = next(after: time, in: zone), next <= latest {
                found.append(next)
                time = next
            }
            if found.count >= count || begin == earliest { return found.suffix(count) }
            window *= 8
        }
    }
}

extension CronExpression {
    /// The first full minute in a range of local time at which something is due, as seconds.
    fileprivate func first(in range: Range<Int64>) -> Int64? {
        var minute = (range.lowerBound + 59).dividedDown(by: 60)
        let lastDay = (range.upperBound - 1).dividedDown(by: 86_400)
        var day = minute.dividedDown(by: 1440)
        while day <= lastDay {
            let date = CivilTime(Instant(seconds: day * 86_400))
            if months >> UInt64(date.month) & 1 == 0 {
                // Not beyond the month's end.
                day += Int64(max(1, 28 - date.day))
            } else if isDue(month: date.month, day: date.day, weekday: date.weekday),
                let found = first(fromMinute: max(0, Int(minute - day * 1440)))
            {
                let time = day * 86_400 + Int64(found) * 60
                return time < range.upperBound ? time : nil
            } else {
                day += 1
            }
            minute = max(minute, day * 1440)
        }
        return nil
    }

    /// The first minute of a day, not before that one.
    private func first(fromMinute minute: Int) -> Int? {
        guard minute < 1440 else { return nil }
        let hour = minute / 60
        if hours >> UInt64(hour) & 1 == 1 {
            let later = (minutes >> UInt64(minute % 60)) << UInt64(minute % 60)
            if later != 0 { return hour * 60 + later.trailingZeroBitCount }
        }
        let laterHours = (hours >> UInt64(hour + 1)) << UInt64(hour + 1)
        guard laterHours != 0 else { return nil }
        return laterHours.trailingZeroBitCount * 60 + minutes.trailingZeroBitCount
    }
}

extension Int64 {
    fileprivate func dividedDown(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
