package import Model

/// Dates in HTTP (RFC 9110, section 5.6.7).
package enum HTTPDate {
    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Writes a date in the preferred form, `Sun, 06 Nov 1994 08:49:37 GMT`.
    package static func text(_ instant: Instant) -> String {
        let time = CivilTime(instant)
        let day = "\(weekdays[time.weekday]), \(padded(time.day, 2)) \(months[time.month - 1]) \(padded(time.year, 4))"
        return "\(day) \(padded(time.hour, 2)):\(padded(time.minute, 2)):\(padded(time.second, 2)) GMT"
    }

    /// Parses the form above and the two old ones, `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`;
    /// `nil` for anything else.
    ///
    /// The day of the week is not compared with the date; years of two digits are from 1970 to 2069.
    package static func parse(_ text: some StringProtocol) -> Instant? {
        guard text.utf8.count <= 40 else { return nil }
        let words = text.split { $0 == " " || $0 == "," || $0 == "-" }
        guard words.count >= 5, weekdays.contains(where: { words[0].hasPrefix($0) }) else { return nil }
        switch words.count {
        case 6 where words[5] == "GMT":
            return instant(year: words[3], month: words[2], day: words[1], time: words[4])
        case 5: return instant(year: words[4], month: words[1], day: words[2], time: words[3])
        default: return nil
        }
    }

    private static func instant<Word: StringProtocol>(year: Word, month: Word, day: Word, time: Word) -> Instant? {
        let clock = time.split(separator: ":", omittingEmptySubsequences: false)
        guard var year = number(year), let month = months.firstIndex(where: { month == $0 }), let day = number(day),
            clock.count == 3, let hour = number(clock[0]), let minute = number(clock[1]), let second = number(clock[2])
        else { return nil }
        if year < 100 { year += year < 70 ? 2000 : 1900 }
        return CivilTime(year: year, month: month + 1, day: day, hour: hour, minute: minute, second: second).instant
    }

    /// One to four digits, nothing else.
    private static func number(_ text: some StringProtocol) -> Int? {
        guard (1...4).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(text)
    }
}
