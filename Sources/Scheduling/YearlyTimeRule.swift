import Model

/// How a zone's clocks change every year: POSIX's `TZ` (IEEE 1003.1, section 8.3), with the times of RFC 9636,
/// section 3.3.1.
struct YearlyTimeRule: Sendable, Hashable {
    /// A day of the year and a time of that day, by the clock that shows before the change.
    private struct Moment: Sendable, Hashable {
        enum Day: Sendable, Hashable {
            /// 1 to 365; 29 February is never counted.
            case julian(Int)
            /// 0 to 365.
            case ordinal(Int)
            /// Week 5 is the last one; weekday 0 is Sunday.
            case weekday(month: Int, week: Int, weekday: Int)
        }

        var day: Day
        /// Seconds since midnight; may be negative or more than a day.
        var time: Int64
    }

    /// Seconds east of UTC.
    let standardOffset: Int64
    private let summer: SummerTime?

    private struct SummerTime: Sendable, Hashable {
        var offset: Int64
        var start: Moment
        var end: Moment
    }

    init?(_ text: [UInt8]) {
        var scanner = Scanner(text)
        guard scanner.skipName(), let west = scanner.offset() else { return nil }
        standardOffset = -west
        if scanner.isAtEnd {
            summer = nil
            return
        }
        guard scanner.skipName() else { return nil }
        var offset = standardOffset + 3600
        if !scanner.isAtEnd, !scanner.sees(",") {
            guard let west = scanner.offset() else { return nil }
            offset = -west
        }
        // What the standard leaves open is by custom the rule of the United States.
        var rules = scanner
        if scanner.isAtEnd { rules = Scanner(Array(",M3.2.0,M11.1.0".utf8)) }
        guard rules.skip(","), let start = rules.moment(), rules.skip(","), let end = rules.moment(), rules.isAtEnd
        else { return nil }
        summer = SummerTime(offset: offset, start: start, end: end)
    }

    /// The changes of the year in which an instant lies and of its neighbours, in order.
    func changes(around time: Int64) -> [TimeZoneRules.Transition] {
        guard let summer else { return [] }
        let year = CivilTime(Instant(seconds: time)).year
        var changes: [TimeZoneRules.Transition] = []
        for year in (year - 1)...(year + 1) {
            changes.append(
                .init(time: Self.seconds(summer.start, year) - standardOffset, offset: summer.offset))
            changes.append(.init(time: Self.seconds(summer.end, year) - summer.offset, offset: standardOffset))
        }
        changes.sort { $0.time < $1.time }
        // Summer that ends when it begins again has no end.
        return changes.reduce(into: []) { kept, change in
            if kept.last?.time == change.time { kept.removeLast() }
            kept.append(change)
        }
    }

    /// In local time.
    private static func seconds(_ moment: Moment, _ year: Int) -> Int64 {
        let isLeapYear = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let newYear = Self.day(year, 1, 1)
        let day: Int64 =
            switch moment.day {
            case .julian(let number): newYear + Int64(number - 1) + (isLeapYear && number >= 60 ? 1 : 0)
            case .ordinal(let number): newYear + Int64(number)
            case .weekday(let month, let week, let weekday):
                Self.day(year, month, week, weekday)
            }
        return day * 86_400 + moment.time
    }

    private static func day(_ year: Int, _ month: Int, _ week: Int, _ weekday: Int) -> Int64 {
        let first = CivilTime(year: year, month: month, day: 1)
        let begin = Self.day(year, month, 1)
        var day = begin + Int64((weekday - first.weekday + 7) % 7 + (week - 1) * 7)
        let next = month == 12 ? Self.day(year + 1, 1, 1) : Self.day(year, month + 1, 1)
        while day >= next { day -= 7 }
        return day
    }

    /// Days since 1970; years beyond those that an instant can be in become the nearest one.
    private static func day(_ year: Int, _ month: Int, _ day: Int) -> Int64 {
        let year = min(max(year, 1700), 2250)
        return (CivilTime(year: year, month: month, day: day).instant?.seconds ?? 0) / 86_400
    }

    private struct Scanner {
        private var rest: ArraySlice<UInt8>

        init(_ text: [UInt8]) { rest = text[...] }

        var isAtEnd: Bool { rest.isEmpty }

        func sees(_ character: Unicode.Scalar) -> Bool { rest.first == UInt8(ascii: character) }

        mutating func skip(_ character: Unicode.Scalar) -> Bool {
            guard sees(character) else { return false }
            rest = rest.dropFirst()
            return true
        }

        /// `CET`, or anything in `<` and `>`.
        mutating func skipName() -> Bool {
            if skip("<") {
                rest = rest.drop { $0 != UInt8(ascii: ">") }
                return skip(">")
            }
            let name = rest.prefix { (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) }
            rest = rest.dropFirst(name.count)
            return name.count >= 3
        }

        mutating func number(_ range: ClosedRange<Int>) -> Int? {
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            guard (1...3).contains(digits.count) else { return nil }
            rest = rest.dropFirst(digits.count)
            let value = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
            return range.contains(value) ? value : nil
        }

        /// `[+-]hh[:mm[:ss]]` in seconds.
        mutating func offset() -> Int64? {
            let isNegative = skip("-")
            if !isNegative { _ = skip("+") }
            guard let hours = number(0...167) else { return nil }
            var (minutes, seconds) = (0, 0)
            if skip(":") {
                guard let value = number(0...59) else { return nil }
                minutes = value
                if skip(":") {
                    guard let value = number(0...59) else { return nil }
                    seconds = value
                }
            }
            let value = Int64(hours * 3600 + minutes * 60 + seconds)
            return isNegative ? -value : value
        }

        mutating func moment() -> Moment? {
            let day: Moment.Day
            if skip("M") {
                guard let month = number(1...12), skip("."), let week = number(1...5), skip("."),
                    let weekday = number(0...6)
                else { return nil }
                day = .weekday(month: month, week: week, weekday: weekday)
            } else if skip("J") {
                guard let number = number(1...365) else { return nil }
                day = .julian(number)
            } else {
                guard let number = number(0...365) else { return nil }
                day = .ordinal(number)
            }
            guard skip("/") else { return Moment(day: day, time: 7200) }
            return offset().map { Moment(day: day, time: $0) }
        }
    }
}
