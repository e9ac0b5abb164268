import Model
import Scheduling
import TestKit
import Testing

@Suite struct PressureTests {
    private static let start = Instant(seconds: 1_700_000_000)

    private static func level(_ free: Int64, of total: Int64 = 1 << 40) -> [Pressure.Resource: Pressure.Level] {
        [.diskSpace: Pressure.Level(free: free, total: total)]
    }

    @Test func becomesShortOnceAndEnoughOnce() {
        var pressure = Pressure(reserves: [.diskSpace: 100])
        var log: [String] = []
        for (second, free) in [200, 100, 99, 50, 100, 124, 99, 125, 101, 100].enumerated() {
            for change in pressure.observe(Self.level(Int64(free)), at: Self.start + .seconds(second)) {
                log.append("\(second) \(change.check.isShort) \(change.before - Self.start)")
            }
        }
        // 124 is between the marks; 100 is not below the low one.
        #expect(log == ["2 true \(Duration.zero)", "7 false \(Duration.seconds(2))"])
        #expect(pressure.reason == nil && pressure.short.isEmpty)
    }

    @Test func isShortFromTheStart() {
        var pressure = Pressure(reserves: [.diskSpace: 100])
        #expect(pressure.observe(Self.level(3), at: Self.start).map(\.check.isShort) == [true])
        #expect(pressure.observe([:], at: Self.start).isEmpty && pressure.short == [.diskSpace])
        #expect(pressure.storageReason?.hasPrefix("the disk of the data directory has 3 B free") == true)
    }

    @Test(arguments: Pressure.Resource.allCases) func onlyTheDiskKeepsStoringBack(resource: Pressure.Resource) {
        var pressure = Pressure()
        let level = Pressure.Level(free: 0, total: 1 << 40)
        #expect(pressure.observe([resource: level], at: Self.start).map(\.resource) == [resource])
        #expect(pressure.reason?.contains("goes on by itself") == true)
        #expect((pressure.storageReason != nil) == [.diskSpace, .diskFiles].contains(resource))
    }

    /// A file system without a number of files (btrfs) and a total of nothing are never short.
    @Test func nothingIsNeverShort() {
        var pressure = Pressure()
        _ = pressure.observe([.diskFiles: Pressure.Level(free: 0, total: 0)], at: Self.start)
        #expect(pressure.reason == nil)
    }

    private static let reserves: [(Pressure.Resource, Int64, Int64)] = [
        (.diskSpace, 67_108_864, 16_777_216), (.diskSpace, 10_737_418_240, 536_870_912),
        (.diskSpace, 8_796_093_022_208, 1_073_741_824), (.memory, 536_870_912, 16_777_216),
        (.memory, 25_769_803_776, 268_435_456), (.fileDescriptors, 128, 16), (.fileDescriptors, 1_048_576, 256),
        (.diskFiles, 1000, 20),
    ]

    @Test(arguments: reserves) func standardReserves(resource: Pressure.Resource, total: Int64, reserve: Int64) {
        #expect(Pressure.standardReserve(of: resource, total: total) == reserve)
    }

    /// Whatever comes: short and enough alternate, and each has a value on its side of the marks.
    @Test(arguments: 0..<100 as Range<UInt64>) func alternates(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var pressure = Pressure(reserves: [.diskSpace: 1000])
        var isShort = false
        for second in 0..<500 {
            let free = Int64.random(in: 0...2000, using: &random)
            for change in pressure.observe(Self.level(free), at: Self.start + .seconds(second)) {
                #expect(change.check.isShort != isShort, "seed \(seed)")
                isShort = change.check.isShort
                #expect(isShort ? free < 1000 : free >= 1250, "seed \(seed)")
            }
            if free < 1000 { #expect(pressure.short == [.diskSpace]) }
            if free >= 1250 { #expect(pressure.short.isEmpty) }
        }
    }
}

@Suite struct ClockWatchTests {
    private static let start = Instant(seconds: 1_700_000_000)

    @Test func evenClocksJumpNever() {
        var watch = ClockWatch()
        for second in 0..<100 {
            // A time server may slow a clock down or hurry it.
            let wall = Self.start + .milliseconds(second * 1000 + second % 7 * 150)
            #expect(watch.observe(wall: wall, even: .seconds(second)) == nil)
        }
        // The machine slept: both clocks went on.
        #expect(watch.observe(wall: Self.start + .seconds(100_000), even: .seconds(100_000)) == nil)
        #expect(watch.lastJump == nil && watch.trustsAges(even: .zero))
    }

    @Test(arguments: [3600 * 24 * 365, -3600 * 24 * 365, 5, -5]) func seesJumps(seconds: Int) {
        var watch = ClockWatch()
        _ = watch.observe(wall: Self.start, even: .seconds(7))
        let jump = watch.observe(wall: Self.start + .seconds(seconds + 1), even: .seconds(8))
        #expect(jump?.by == .seconds(seconds))
        #expect(watch.lastJump == jump)
        #expect(watch.observe(wall: Self.start + .seconds(seconds + 2), even: .seconds(9)) == nil)
        #expect(watch.trustsAges(even: .seconds(9)) == (seconds < 3600))
    }

    @Test func agesAreTrustedAgainAfterAnHourOrWhenTheClockIsPutBack() {
        var watch = ClockWatch()
        _ = watch.observe(wall: Self.start, even: .zero)
        _ = watch.observe(wall: Self.start + .seconds(1_000_000), even: .zero)
        #expect(!watch.trustsAges(even: .seconds(3599)) && watch.trustsAges(even: .seconds(3600)))
        _ = watch.observe(wall: Self.start, even: .seconds(10))
        #expect(watch.trustsAges(even: .seconds(10)))
    }
}
