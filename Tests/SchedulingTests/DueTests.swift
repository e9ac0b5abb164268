import Model
import Scheduling
import SystemPackage
import TestKit
import Testing

/// The system's compiled zones; `nil` where it has none.
private func zone(_ name: String) -> TimeZoneRules? {
    if name == "UTC" { return .utc }
    guard let file = try? FileDescriptor.open(FilePath("/usr/share/zoneinfo/\(name)"), .readOnly) else { return nil }
    defer { try? file.close() }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    guard let count = try? bytes.withUnsafeMutableBytes({ try file.read(into: $0) }) else { return nil }
    return TimeZoneRules(file: Array(bytes[..<count]))
}

private func cron(_ text: String) throws -> ServiceSchedule.Timing { .cron(try CronExpression(text), .utc) }

@Suite("When something is due")
struct DueTests {
    /// `CET-1CEST` as in Madrid; forward on 2026-03-29 at 01:00 UTC, back on 2026-10-25 at 01:00 UTC.
    private let madrid = TimeZoneRules(posix: "CET-1CEST,M3.5.0,M10.5.0/3")

    private func instants(
        _ timing: ServiceSchedule.Timing,
        after start: Int64,
        _ count: Int,
        _ zone: TimeZoneRules
    ) -> [Int64] {
        var (found, time): ([Int64], Int64) = ([], start)
        while found.count < count, let next = timing.next(after: time, in: zone) {
            found.append(next)
            time = next
        }
        return found
    }

    @Test("an independent reckoner says the same")
    func oracle() throws {
        var checked = 0
        for line in cronOracle.split(separator: "\n") {
            let parts = line.split(separator: "|").map(String.init)
            let (text, name) = (parts[0], parts[1])
            guard let zone = zone(name) else { continue }
            checked += 1
            let start = try #require(Int64(parts[2])) * 60
            var expected = [start]
            for step in parts[3].split(separator: " ") {
                expected.append((expected.last ?? 0) + (try #require(Int64(step))) * 60)
            }
            expected.removeFirst()
            let found = instants(try cron(text), after: start, expected.count, zone)
            #expect(found == expected, "\(text) in \(name) behind \(start)")
        }
        #expect(checked > 20)
    }

    @Test("a zone's file and its rule in words agree")
    func rulesAgree() throws {
        let rules = try #require(madrid)
        guard let file = zone("Europe/Madrid") else { return }
        var random = SeededGenerator(seed: 1)
        for _ in 0..<2000 {
            let time = Int64.random(in: 1_000_000_000...7_000_000_000, using: &random)
            #expect(file.period(at: time) == rules.period(at: time), "\(time)")
        }
    }

    @Test("periods join without holes")
    func periodsJoin() throws {
        for text in [
            "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT", "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "IST-1GMT0,M10.5.0,M3.5.0/1",
            "XXX-2<+01>-1,0/0,J365/23", "LHST-10:30LHDT-11,M10.1.0,M4.1.0", "AAA0BBB,J60,300/26", "UTC0",
        ] {
            let rules = try #require(TimeZoneRules(posix: text))
            var time: Int64 = 1_700_000_000
            for _ in 0..<30 {
                let period = rules.period(at: time)
                #expect(period.start <= time && time < period.end, "\(text) at \(time)")
                guard period.end != .max else { break }
                let next = rules.period(at: period.end)
                #expect(next.start == period.end && next.previousOffset == period.offset, "\(text) at \(period.end)")
                time = period.end
            }
        }
    }

    @Test("a time that is left out is due at the change; one that comes twice is due once; each hour means each hour")
    func clockChanges() throws {
        let zone = try #require(madrid)
        let (spring, autumn): (Int64, Int64) = (1_774_746_000, 1_792_890_000)
        #expect(instants(try cron("30 2 * * *"), after: spring - 3600, 1, zone) == [spring])
        #expect(
            instants(try cron("30 * * * *"), after: spring - 3600, 3, zone) == [
                spring - 1800, spring + 1800, spring + 5400,
            ])
        #expect(
            instants(try cron("30 2 * * *"), after: autumn - 7200, 2, zone)
                == [autumn - 1800, autumn - 1800 + 25 * 3600])
        #expect(
            instants(try cron("30 * * * *"), after: autumn - 3600, 3, zone)
                == [autumn - 1800, autumn + 1800, autumn + 5400])
    }

    @Test("a rate is due at whole multiples, before 1970 as well")
    func rates() {
        #expect(instants(.rate(seconds: 300), after: -601, 4, .utc) == [-600, -300, 0, 300])
        #expect(instants(.rate(seconds: 300), after: 300, 2, .utc) == [600, 900])
        #expect(ServiceSchedule.Timing.rate(seconds: 5).next(after: .max - 1, in: .utc) == nil)
    }

    @Test("the next instant is behind, and nothing is due between: over random expressions and zones")
    func property() throws {
        var random = SeededGenerator(seed: 42)
        let zones = ["CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT", "LHST-10:30LHDT-11,M10.1.0,M4.1.0"]
            .compactMap { TimeZoneRules(posix: $0) }
        for _ in 0..<300 {
            let minute = Int.random(in: 0...59, using: &random)
            let hours = ["*", "*/3", "1-3", "2", "23"].randomElement(using: &random) ?? "*"
            let timing = try cron("\(minute) \(hours) * * *")
            let zone = zones.randomElement(using: &random) ?? .utc
            let start = Int64.random(in: 1_700_000_000...1_900_000_000, using: &random)
            let next = try #require(timing.next(after: start, in: zone))
            #expect(next > start)
            for earlier in [start, (start + next) / 2, next - 1] {
                #expect(timing.next(after: earlier, in: zone) == next)
            }
            let last = timing.last(3, after: start - 400_000, upTo: next, in: zone)
            #expect(last.last == next && last == last.sorted() && last.count == 3)
        }
    }

    @Test("texts and files that are no zones are refused")
    func hostileZones() {
        for text in [
            "", "CE", "CET", "CET-", "CET-1CEST,", "CET-1CEST,M13.1.0,M1.1.0", "CET-1CEST,M3.5.0", "<CET-1",
            "CET-1CEST,M3.5.0,M10.5.0/3x", "CET-999", "CET1:60", "CET-1CEST,J0,J1", "CET-1CEST,M3.6.0,M10.5.0",
        ] { #expect(TimeZoneRules(posix: text) == nil, "\(text)") }
        let head: [UInt8] = Array("TZif2".utf8) + [UInt8](repeating: 0, count: 15)
        for bytes in [
            [], Array("TZif".utf8), head, head + [UInt8](repeating: 0xFF, count: 24),
            head + [UInt8](repeating: 0, count: 24),
            head + [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x0F, 0x42, 0x40, 0, 0, 0, 1, 0, 0, 0, 4],
        ] as [[UInt8]] { #expect(TimeZoneRules(file: bytes) == nil) }
    }
}

@Suite("What is made of instants that have passed")
struct DueRunsTests {
    private func due(
        _ missed: ServiceSchedule.MissedRuns,
        every seconds: Int64 = 600,
        from decided: Int64,
        to now: Int64
    ) -> [Int64]? {
        let schedule = ServiceSchedule(name: "s", timing: .rate(seconds: seconds), missed: missed)
        return DueRuns(schedule, in: .utc, after: Instant(seconds: decided), now: Instant(seconds: now))?
            .instants.map(\.seconds)
    }

    @Test("on time, every policy makes one")
    func punctual() {
        for missed in [ServiceSchedule.MissedRuns.skip, .once, .all(limit: 5)] {
            #expect(due(missed, from: 1000, to: 1199) == nil)
            #expect(due(missed, from: 1000, to: 1200) == [1200])
            #expect(due(missed, from: 1000, to: 1260) == [1200])
            #expect(due(missed, from: 1200, to: 1799) == nil)
            #expect(due(missed, every: 10, from: 1000, to: 1035) == [1010, 1020, 1030])
        }
    }

    @Test("what was missed is left out, made up for once, or made up for up to a limit")
    func missed() {
        #expect(due(.skip, from: 1000, to: 1300) == [])
        #expect(due(.once, from: 1000, to: 1300) == [1200])
        #expect(due(.once, from: 1000, to: 9999) == [9600])
        #expect(due(.all(limit: 3), from: 1000, to: 9999) == [8400, 9000, 9600])
        #expect(due(.all(limit: 100), from: 1000, to: 2999) == [1200, 1800, 2400])
        // What is on time counts for what was missed.
        #expect(due(.once, from: 1000, to: 9610) == [9600])
        #expect(due(.skip, from: 1000, to: 9610) == [9600])
    }

    @Test("half a century without a look costs no time worth speaking of")
    func longAbsence() {
        for missed in [ServiceSchedule.MissedRuns.skip, .once, .all(limit: 1000)] {
            #expect(due(missed, every: 1, from: 0, to: 1_800_000_000)?.last == 1_800_000_000)
        }
    }
}
