/// A point in time on the wall clock, in nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
package struct Instant: Sendable, Hashable, Comparable {
    package let nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
    /// Seconds beyond the years 1678 to 2262 become the nearest instant that there is.
    package init(seconds: Int64) { nanoseconds = seconds.saturatingProduct(with: 1_000_000_000) }

    /// Whole seconds since 1970, rounded down.
    package var seconds: Int64 { nanoseconds.flooredDivision(by: 1_000_000_000) }

    package static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    package static func + (instant: Instant, duration: Duration) -> Instant {
        let (seconds, attoseconds) = duration.components
        let step = seconds.saturatingProduct(with: 1_000_000_000).saturatingSum(
            with: attoseconds / 1_000_000_000
        )
        return Instant(nanoseconds: instant.nanoseconds.saturatingSum(with: step))
    }

    package static func - (later: Instant, earlier: Instant) -> Duration {
        .nanoseconds(later.nanoseconds) - .nanoseconds(earlier.nanoseconds)
    }
}

extension Int64 {
    fileprivate func flooredDivision(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// The sum, or the nearest number that there is.
    func saturatingSum(with other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }

    /// The product with a positive factor, or the nearest number that there is.
    func saturatingProduct(with factor: Int64) -> Int64 {
        let (product, overflow) = multipliedReportingOverflow(by: factor)
        return overflow ? (self < 0 ? .min : .max) : product
    }
}

/// A date and time of day in UTC, in the proleptic Gregorian calendar.
package struct CivilTime: Sendable, Hashable {
    package var year: Int, month: Int, day: Int
    package var hour = 0, minute = 0, second = 0
    package var nanosecond = 0

    package init(
        year: Int,
        month: Int,
        day: Int,
        hour: Int = 0,
        minute: Int = 0,
        second: Int = 0,
        nanosecond: Int = 0
    ) {
        (self.year, self.month, self.day) = (year, month, day)
        (self.hour, self.minute, self.second, self.nanosecond) = (hour, minute, second, nanosecond)
    }

    /// The date and time of day of an instant (Hinnant, chrono-compatible low-level date algorithms, `civil_from_days`).
    package init(_ instant: Instant) {
        let days = instant.seconds.flooredDivision(by: 86_400)
        let secondOfDay = Int(instant.seconds - days * 86_400)
        let shifted = days + 719_468
        let era = shifted.flooredDivision(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
        month = Int(monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9)
        year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
        (hour, minute, second) = (secondOfDay / 3600, secondOfDay / 60 % 60, secondOfDay % 60)
        let remainder = instant.nanoseconds % 1_000_000_000
        nanosecond = Int(remainder < 0 ? remainder + 1_000_000_000 : remainder)
    }

    /// The instant, or `nil` where a field is out of its range (a leap second counts as out of range).
    package var instant: Instant? {
        guard (1...9999).contains(year), (1...12).contains(month), (1...daysInMonth).contains(day),
            (0...23).contains(hour), (0...59).contains(minute), (0...59).contains(second),
            (0..<1_000_000_000).contains(nanosecond), (1700...2250).contains(year)
        else { return nil }
        let seconds = daysSinceEpoch * 86_400 + Int64(hour * 3600 + minute * 60 + second)
        return Instant(nanoseconds: seconds * 1_000_000_000 + Int64(nanosecond))
    }

    /// 0 is Sunday.
    package var weekday: Int { Int((daysSinceEpoch + 4 + 7_000_000) % 7) }

    private var daysInMonth: Int {
        let isLeapYear = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return [31, isLeapYear ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
    }

    private var daysSinceEpoch: Int64 {
        let shiftedYear = Int64(month <= 2 ? year - 1 : year)
        let era = shiftedYear.flooredDivision(by: 400)
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1)
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

extension Instant {
    /// RFC 3339 in UTC with that many digits of fraction: `2026-01-01T10:00:00Z` for 0, `….000Z` for 3.
    package func rfc3339(fractionDigits: Int = 0) -> String {
        let time = CivilTime(self)
        var text = "\(padded(time.year, 4))-\(padded(time.month, 2))-\(padded(time.day, 2))"
        text += "T\(padded(time.hour, 2)):\(padded(time.minute, 2)):\(padded(time.second, 2))"
        if fractionDigits > 0 { text += ".\(padded(time.nanosecond, 9).prefix(min(9, fractionDigits)))" }
        return text + "Z"
    }

    /// Parses RFC 3339 (section 5.6), offsets included; `nil` where the text is not one.
    package init?(rfc3339 text: some StringProtocol) {
        var scanner = DigitScanner(text)
        guard let year = scanner.number(4), scanner.skip("-"), let month = scanner.number(2),
            scanner.skip("-"),
            let day = scanner.number(2), scanner.skip("T") || scanner.skip("t") || scanner.skip(" "),
            let hour = scanner.number(2), scanner.skip(":"), let minute = scanner.number(2),
            scanner.skip(":"),
            let second = scanner.number(2), let fraction = scanner.fraction(), let offset = scanner.offset(),
            scanner.isAtEnd,
            let local = CivilTime(
                year: year,
                month: month,
                day: day,
                hour: hour,
                minute: minute,
                second: second,
                nanosecond: fraction
            ).instant
        else { return nil }
        self.init(nanoseconds: local.nanoseconds - Int64(offset) * 1_000_000_000)
    }
}

/// `value` in decimal with leading zeros up to `width`.
package func padded(_ value: Int, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}

private struct DigitScanner {
    private var rest: Substring.UTF8View

    init(_ text: some StringProtocol) { rest = Substring(text).utf8 }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func number(_ width: Int) -> Int? {
        let digits = rest.prefix(width)
        guard digits.count == width, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        rest = rest.dropFirst(width)
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest = rest.dropFirst()
        return true
    }

    /// Nanoseconds of an optional `.digits`; 0 where there is none, `nil` where no digit follows the point.
    mutating func fraction() -> Int? {
        guard skip(".") else { return 0 }
        let digits = rest.prefix { (0x30...0x39).contains($0) }
        guard !digits.isEmpty else { return nil }
        rest = rest.dropFirst(digits.count)
        let nine = digits.prefix(9)
        return (nine.count..<9).reduce(nine.reduce(0) { $0 * 10 + Int($1 - 0x30) }) { value, _ in value * 10 }
    }

    /// Seconds east of UTC.
    mutating func offset() -> Int? {
        if skip("Z") || skip("z") { return 0 }
        let sign = skip("+") ? 1 : skip("-") ? -1 : 0
        guard sign != 0, let hours = number(2), skip(":"), let minutes = number(2), hours < 24, minutes < 60
        else {
            return nil
        }
        return sign * (hours * 3600 + minutes * 60)
    }
}
