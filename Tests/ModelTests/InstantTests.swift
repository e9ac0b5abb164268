import TestKit
import Testing

@testable import Model

struct InstantTests {
    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"),
        (1_767_261_600, "2026-01-01T10:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"), (4_107_542_399, "2100-02-28T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
        (1_709_164_800, "2024-02-29T00:00:00Z"), (2_147_483_647, "2038-01-19T03:14:07Z"),
        (-2_208_988_800, "1900-01-01T00:00:00Z"), (7_258_118_400, "2200-01-01T00:00:00Z"),
    ])
    func knownInstants(_ seconds: Int64, _ text: String) {
        #expect(Instant(seconds: seconds).rfc3339() == text)
        #expect(Instant(rfc3339: text) == Instant(seconds: seconds))
    }

    @Test(arguments: [
        ("2026-01-01T10:00:00.5Z", Int64(1_767_261_600_500_000_000)),
        ("2026-01-01t10:00:00z", 1_767_261_600_000_000_000),
        ("2026-01-01 10:00:00Z", 1_767_261_600_000_000_000),
        ("2026-01-01T12:30:00+02:30", 1_767_261_600_000_000_000),
        ("2026-01-01T00:00:00-10:00", 1_767_261_600_000_000_000),
        ("1970-01-01T00:00:00.123456789123Z", 123_456_789),
    ])
    func readsForms(_ text: String, _ nanoseconds: Int64) {
        #expect(Instant(rfc3339: text)?.nanoseconds == nanoseconds)
    }

    @Test(arguments: [
        "", "2026", "2026-01-01", "2026-01-01T10:00Z", "2026-01-01T10:00:00", "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-01-32T00:00:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+2:00",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00Z ", "0000-01-01T00:00:00Z", "9999-01-01T00:00:00Z", "２０２６-01-01T00:00:00Z",
        "-026-01-01T00:00:00Z", "1970-01-01T00:00:00+0a:00",
    ])
    func refuses(_ text: String) { #expect(Instant(rfc3339: text) == nil) }

    @Test func writesFractions() {
        let instant = Instant(nanoseconds: 1_767_261_600_007_890_123)
        #expect(instant.rfc3339(fractionDigits: 3) == "2026-01-01T10:00:00.007Z")
        #expect(instant.rfc3339(fractionDigits: 9) == "2026-01-01T10:00:00.007890123Z")
        #expect(instant.rfc3339(fractionDigits: 12) == "2026-01-01T10:00:00.007890123Z")
        #expect(Instant(nanoseconds: -1).rfc3339(fractionDigits: 9) == "1969-12-31T23:59:59.999999999Z")
    }

    /// Counts days by hand over 230 years, and compares each with the algorithm, both ways.
    @Test func everyDayFrom1970To2200() throws {
        var (year, month, day, weekday) = (1970, 1, 1, 4)
        var seconds: Int64 = 0
        var wrong = 0
        while year <= 2200 {
            let time = CivilTime(Instant(seconds: seconds + 86_399))
            if (time.year, time.month, time.day, time.weekday) != (year, month, day, weekday) { wrong += 1 }
            if (time.hour, time.minute, time.second) != (23, 59, 59) { wrong += 1 }
            if CivilTime(year: year, month: month, day: day).instant != Instant(seconds: seconds) {
                wrong += 1
            }
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            let length = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
            (day, weekday, seconds) = (day + 1, (weekday + 1) % 7, seconds + 86_400)
            if day > length { (day, month) = (1, month + 1) }
            if month > 12 { (month, year) = (1, year + 1) }
        }
        #expect(wrong == 0)
    }

    @Test(arguments: 0..<5)
    func survivesWritingAndReading(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            let instant = Instant(
                nanoseconds: Int64.random(
                    in: -8_000_000_000_000_000_000...8_000_000_000_000_000_000,
                    using: &generator
                )
            )
            #expect(Instant(rfc3339: instant.rfc3339(fractionDigits: 9)) == instant, "seed \(seed)")
        }
    }

    @Test func extremesDoNotTrap() {
        for nanoseconds in [Int64.min, .min + 1, .max, 0] {
            _ = Instant(nanoseconds: nanoseconds).rfc3339(fractionDigits: 9)
        }
        #expect(Instant(seconds: .max) == Instant(nanoseconds: .max))
        #expect(Instant(seconds: .min) == Instant(nanoseconds: .min))
        #expect(Instant(nanoseconds: .max) + .seconds(1) == Instant(nanoseconds: .max))
        #expect(Instant(nanoseconds: .max) + .seconds(Int64.max / 2) == Instant(nanoseconds: .max))
        #expect(Instant(nanoseconds: .max) - Instant(nanoseconds: .min) > .zero)
    }

    @Test func arithmetic() {
        let start = Instant(seconds: 100)
        #expect(start + .milliseconds(1500) == Instant(nanoseconds: 101_500_000_000))
        #expect((start + .milliseconds(-1)) - start == .milliseconds(-1))
        #expect(Instant(nanoseconds: -1).seconds == -1)
        #expect(padded(7, 3) == "007")
        #expect(padded(12345, 3) == "12345")
    }
}
