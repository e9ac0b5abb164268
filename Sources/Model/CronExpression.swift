/// When something is due by the calendar: the five fields of crontab(5), each as the set of values that match.
///
/// Fields are `*`, numbers, names (`MON`, `JAN`), ranges and lists of them, each with an optional step; `@yearly`,
/// `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight` and `@hourly` stand for whole expressions. Days match as in
/// crontab(5): where neither the day of the month nor the day of the week begins with `*`, one of both is enough; else
/// both must match.
package struct CronExpression: Sendable, Hashable {
    /// The fields as they were written, separated by single spaces, or the word with `@`.
    package let text: String
    /// Bit n stands for minute n; the other sets likewise.
    package let minutes: UInt64
    package let hours: UInt64
    /// Days of the month, from 1.
    package let days: UInt64
    /// From 1.
    package let months: UInt64
    /// 0 is Sunday.
    package let weekdays: UInt64
    /// Whether the hour begins with `*`: such an expression means so and so often, not a time of day.
    package let isEachHour: Bool
    private let isEachDay: Bool
    private let isEachWeekday: Bool

    private static let words = [
        "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
        "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
    ]

    /// - Throws: `CronError` that names the field.
    package init(_ text: some StringProtocol) throws(CronError) {
        let written = String(text).split { $0 == " " || $0 == "\t" }.map(String.init)
        guard written.joined(separator: " ").utf8.count <= 500 else {
            throw CronError("a cron expression has at most 500 characters")
        }
        self.text = written.joined(separator: " ")
        var fields = written
        if written.count == 1, let word = written.first, word.hasPrefix("@") {
            guard let meaning = Self.words[word.lowercased()] else {
                let known = Self.words.keys.sorted().joined(separator: ", ")
                throw CronError("\"\(word)\" is not one of \(known)")
            }
            fields = meaning.split(separator: " ").map(String.init)
        }
        guard fields.count == 5 else {
            throw CronError(
                "\"\(self.text)\" must have five fields: minute, hour, day of the month, month, day of the week")
        }
        minutes = try CronField.minute.set(fields[0])
        hours = try CronField.hour.set(fields[1])
        days = try CronField.day.set(fields[2])
        months = try CronField.month.set(fields[3])
        // 7 is Sunday, too.
        let weekdays = try CronField.weekday.set(fields[4])
        self.weekdays = (weekdays | weekdays >> 7) & 0x7F
        isEachHour = fields[1].hasPrefix("*")
        isEachDay = Self.isEach(fields[2])
        isEachWeekday = Self.isEach(fields[4])
        guard isEverDue else {
            throw CronError("\"\(self.text)\" is never due: none of its months has such a day")
        }
    }

    private static func isEach(_ field: String) -> Bool { field.hasPrefix("*") || field == "?" }

    private var isEverDue: Bool {
        guard isEachWeekday, !isEachDay else { return true }
        let lengths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        return (1...12).contains { months >> UInt64($0) & 1 == 1 && days.trailingZeroBitCount <= lengths[$0 - 1] }
    }

    /// Whether something is due on that date.
    ///
    /// - Parameter weekday: 0 is Sunday.
    package func isDue(month: Int, day: Int, weekday: Int) -> Bool {
        guard months >> UInt64(month) & 1 == 1 else { return false }
        let isDay = days >> UInt64(day) & 1 == 1
        let isWeekday = weekdays >> UInt64(weekday) & 1 == 1
        return isEachDay || isEachWeekday ? isDay && isWeekday : isDay || isWeekday
    }
}

/// A cron expression that cannot be understood.
package struct CronError: Error, Hashable, CustomStringConvertible {
    package let message: String
    package var description: String { message }

    init(_ message: String) { self.message = message }
}

/// One of the five fields: its range and its names.
private struct CronField {
    let name: String
    let range: ClosedRange<Int>
    /// The names of the values from the range's lower bound.
    var names: [String] = []

    static let minute = CronField(name: "minute", range: 0...59)
    static let hour = CronField(name: "hour", range: 0...23)
    static let day = CronField(name: "day of the month", range: 1...31)
    static let month = CronField(
        name: "month", range: 1...12,
        names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
    static let weekday = CronField(
        name: "day of the week", range: 0...7, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"])

    /// The set that a text stands for.
    func set(_ text: String) throws(CronError) -> UInt64 {
        var set: UInt64 = 0
        for part in text.split(separator: ",", omittingEmptySubsequences: false) { set |= try element(part, text) }
        return set
    }

    private func element(_ part: Substring, _ text: String) throws(CronError) -> UInt64 {
        let halves = part.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        var values: ClosedRange<Int>
        if halves[0] == "*" || (halves[0] == "?" && (name.hasPrefix("day"))) {
            // 7 is only another name of 0.
            values = range.lowerBound...min(range.upperBound, names.count == 7 ? 6 : range.upperBound)
        } else {
            let ends = halves[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            let first = try value(ends[0], text)
            // `5/10` begins at 5 and goes on to the end.
            let last = ends.count == 2 ? try value(ends[1], text) : halves.count == 2 ? range.upperBound : first
            guard first <= last else {
                throw CronError("\(name): the range \"\(part)\" ends before it begins; write two, with a comma")
            }
            values = first...last
        }
        var step = 1
        if halves.count == 2 {
            guard let number = number(halves[1]), number >= 1, number <= range.upperBound else {
                throw CronError("\(name): \"\(halves[1])\" is not a step from 1 to \(range.upperBound)")
            }
            step = number
        }
        return stride(from: values.lowerBound, through: values.upperBound, by: step).reduce(0) { $0 | 1 << UInt64($1) }
    }

    private func value(_ text: Substring, _ field: String) throws(CronError) -> Int {
        let lowercased = text.lowercased()
        if let index = names.firstIndex(of: lowercased) { return range.lowerBound + index }
        guard let number = number(text), range.contains(number) else {
            let words = names.isEmpty ? "" : " or a name such as \(names[0].uppercased())"
            throw CronError(
                "\(name): \"\(text)\" in \"\(field)\" is not a number from \(range.lowerBound) to "
                    + "\(range.upperBound)\(words)")
        }
        return number
    }

    private func number(_ text: Substring) -> Int? {
        guard (1...2).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(text)
    }
}
