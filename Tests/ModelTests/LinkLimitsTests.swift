import Testing

@testable import Model

@Suite("Limits of links")
struct LinkLimitsTests {
    @Test(
        arguments: [
            ("500k", 500_000), ("2Mi", 2 << 20), ("2MiB/s", 2 << 20), ("10Mbit/s", 1_250_000), ("1", 1), ("8bit", 1),
            (" 1.5k B/s ", 1500),
        ] as [(String, Int64)])
    func rates(text: String, bytes: Int64) { #expect(LinkLimits.rate(text)?.bytes == bytes) }

    @Test(arguments: ["", "0", "7bit", "-1", "fast", "2MiB/h", "2 MB per s", "B/s", "9E9Ei"])
    func noRates(text: String) { #expect(LinkLimits.rate(text) == nil) }

    @Test(arguments: [
        ("22:00-06:00", 1320, 360), ("00:00-24:00", 0, 1440), (" 08:15 - 12:30 ", 495, 750),
        ("22:00-00:00", 1320, 1440),
    ])
    func windows(text: String, start: Int, end: Int) throws {
        let window = try #require(DailyWindow(text))
        #expect(window.start == start && window.end == end)
        #expect(DailyWindow(window.description) == window)
    }

    @Test(arguments: [
        "", "22:00", "22-06", "22:00-22:00", "24:00-06:00", "22:60-23:00", "25:00-01:00", "2:00-3:00",
        "22:00-06:00-07:00",
        "aa:bb-cc:dd", "22:00--6:00", "00:00-00:00", "２２:00-06:00",
    ])
    func noWindows(text: String) { #expect(DailyWindow(text) == nil) }

    /// Minutes since midnight in UTC, and until it opens.
    @Test(
        arguments: [
            (22 * 60, nil), (23 * 60, nil), (0, nil), (359, nil), (360, 16 * 60), (12 * 60, 10 * 60), (1319, 1),
        ] as [(Int64, Int64?)])
    func overMidnight(minute: Int64, wait: Int64?) throws {
        let limits = LinkLimits(windows: [try #require(DailyWindow("22:00-06:00"))])
        let now = Instant(seconds: 20_000 * 86_400 + minute * 60)
        #expect(limits.opening(at: now) { _ in 0 } == wait.map { now + .seconds($0 * 60) })
    }

    @Test func theFirstOfSeveralWindowsInItsZone() throws {
        let limits = LinkLimits(
            windows: [try #require(DailyWindow("06:00-07:00")), try #require(DailyWindow("12:00-13:00"))])
        let noon = Instant(seconds: 12 * 3600)
        #expect(limits.opening(at: noon) { _ in 0 } == nil)
        // Two hours ahead it is 14:00, and the next one is at 6:00, which is 4:00 in UTC.
        #expect(limits.opening(at: noon) { _ in 7200 } == Instant(seconds: 28 * 3600))
        #expect(limits.opening(at: noon) { _ in -3600 * 5 } == Instant(seconds: 17 * 3600))
        #expect(LinkLimits().opening(at: noon) { _ in 0 } == nil)
    }

    @Test(arguments: [("UTC", 0), ("Z", 0), ("+02:00", 7200), ("-05:30", -19_800), ("+00:00", 0)] as [(String, Int64)])
    func offsets(zone: String, seconds: Int64) { #expect(LinkLimits.fixedOffset(zone) == seconds) }

    @Test(arguments: ["", "CET", "+2:00", "+02", "+24:00", "02:00", "+ab:cd"])
    func noOffsets(zone: String) { #expect(LinkLimits.fixedOffset(zone) == nil) }

    @Test("are read, written and kept with a service's providers")
    func roundTrip() throws {
        let text = """
            {"name": "s", "script": "x", "image": "i", "storage_providers": {
              "minio": {"m": {"endpoint": "http://h", "access_key": "a", "secret_key": "b", "bandwidth": "2MiB/s",
                "windows": ["22:00-06:00", "12:00-13:00"], "time_zone": "+02:00"}},
              "webdav": {"w": {"hostname": "h", "login": "l", "password": "p", "bandwidth": 1000}}}}
            """
        let definition = try ServiceDefinition.parse(try JSONValue.parse(text))
        let link = definition.storageProviders.link(ProviderID(.minio, "m"))
        #expect(link.bandwidth == ByteCount(2 << 20) && link.windows.count == 2 && link.timeZone == "+02:00")
        #expect(definition.storageProviders.link(ProviderID(.webdav, "w")).bandwidth == ByteCount(1000))
        let again = try ServiceDefinition(stored: definition.storedJSON())
        #expect(again.storageProviders == definition.storageProviders)
    }

    @Test(arguments: [
        #""bandwidth": "fast""#, #""windows": "always""#,
        #""windows": ["22:00-06:00"], "time_zone": "../../etc/passwd""#,
        #""time_zone": "/etc""#, #""time_zone": "CET""#, #""windows": 7"#,
    ])
    func refused(member: String) throws {
        let text = """
            {"name": "s", "script": "x", "image": "i", "storage_providers": {"minio": {"m": {
              "endpoint": "http://h", "access_key": "a", "secret_key": "b", \(member)}}}}
            """
        #expect(throws: ServiceSpecificationError.self) { try ServiceDefinition.parse(try JSONValue.parse(text)) }
    }
}
