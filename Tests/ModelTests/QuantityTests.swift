import Testing

@testable import Model

struct QuantityTests {
    @Test(arguments: [
        ("0", Int64(0), Int64(0)), ("1", 1, 1000), ("0.2", 1, 200), ("500m", 1, 500), (".5", 1, 500),
        ("5.", 5, 5000),
        ("+2", 2, 2000), ("1.0", 1, 1000), ("0.0001", 1, 1), ("1n", 1, 1), ("1000001n", 1, 2), ("100u", 1, 1),
        ("256Mi", 268_435_456, 268_435_456_000), ("1Ki", 1024, 1_024_000),
        ("1.5Gi", 1_610_612_736, 1_610_612_736_000),
        ("0.1Ki", 103, 102_400), ("1k", 1000, 1_000_000), ("2M", 2_000_000, 2_000_000_000),
        ("1e3", 1000, 1_000_000),
        ("1E3", 1000, 1_000_000), ("1e-3", 1, 1), ("12e+2", 1200, 1_200_000), ("1.5e1", 15, 15_000),
        ("0.5Ti", 549_755_813_888, 549_755_813_888_000),
        ("1Pi", 1_125_899_906_842_624, 1_125_899_906_842_624_000),
        ("00012", 12, 12_000), ("0.000000000000000001", 1, 1), ("1e-40", 1, 1), ("0e99", 0, 0),
    ])
    func reads(_ text: String, _ bytes: Int64, _ thousandths: Int64) throws {
        let quantity = try Quantity(text)
        #expect(try quantity.byteCount().bytes == bytes)
        #expect(try quantity.milliCPU().thousandths == thousandths)
        #expect(quantity.text == text)
    }

    @Test(arguments: [
        ("1E", Int64(1_000_000_000_000_000_000)), ("7Ei", 8_070_450_532_247_928_832),
        ("1P", 1_000_000_000_000_000),
    ])
    func readsLarge(_ text: String, _ bytes: Int64) throws {
        #expect(try Quantity(text).byteCount().bytes == bytes)
    }

    @Test(arguments: [
        "", " ", ".", "-", "m", "Mi", "1 Mi", "1mi", "1KI", "1K", "1ki", "1MB", "1e", "1e1.5", "1e+", "1ee3",
        "1e1001", "1e99999999999",
        "0x10", "1_000", "1,5", "1.2.3", "-1", "-0.5", "- 1", "1Mi ", "NaN", "inf", "١",
        "12345678901234567890123",
        String(repeating: "0", count: 100),
    ])
    func refuses(_ text: String) {
        #expect(throws: QuantityError.self) { try Quantity(text) }
    }

    @Test(arguments: ["8Ei", "10E", "1e30", "99999999999999999999", "1e400"])
    func saysWhatIsTooLarge(_ text: String) {
        #expect(throws: QuantityError.self) { try Quantity(text).byteCount() }
        #expect(throws: QuantityError.self) { try Quantity(text).milliCPU() }
    }

    @Test func defaultsAreWhatTheirTextSays() throws {
        #expect(try ServiceDefaults.memory.byteCount() == ServiceDefaults.memoryLimit)
        #expect(try ServiceDefaults.cpu.milliCPU() == ServiceDefaults.cpuLimit)
        #expect(try Quantity(ServiceDefaults.memory.text).byteCount() == ServiceDefaults.memoryLimit)
        #expect(try Quantity(ServiceDefaults.cpu.text).milliCPU() == ServiceDefaults.cpuLimit)
    }

    @Test(arguments: [
        (Int64(0), "0 B"), (1, "1 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"),
        (1_048_575, "1 MiB"),
        (1 << 20, "1 MiB"), (5_368_709_120, "5 GiB"), (.max, "8 EiB"), (-5, "0 B"),
    ])
    func writesByteCountsForPeople(_ bytes: Int64, _ text: String) {
        #expect(ByteCount(bytes).description == text)
    }

    @Test(arguments: [(Int64(0), "0"), (200, "0.2"), (1000, "1"), (1250, "1.25"), (1001, "1.001"), (-3, "0")])
    func writesProcessorsForPeople(_ thousandths: Int64, _ text: String) {
        #expect(MilliCPU(thousandths).description == text)
    }

    @Test func arithmeticNeitherWrapsNorTraps() {
        #expect(ByteCount(.max) + ByteCount(1) == ByteCount(.max))
        #expect(ByteCount(1) - ByteCount(2) == .zero)
        #expect(MilliCPU(.max) + MilliCPU(.max) == MilliCPU(.max))
        #expect(MilliCPU(1) - MilliCPU(2) == .zero)
    }

    @Test(arguments: [
        ("90s", Duration?.some(.seconds(90))), ("90", .seconds(90)), ("10m", .seconds(600)),
        ("1h30m", .seconds(5400)),
        ("250ms", .milliseconds(250)), ("1d", .seconds(86_400)), ("0", .zero),
        ("1s500ms", .milliseconds(1500)), ("", nil), ("s", nil),
        ("-1s", nil), ("1.5s", nil), ("10 m", nil), ("1w", nil), ("5m30", nil),
        ("99999999999999999999s", nil),
        ("9223372036854775807d", nil), ("1S", nil), ("٣s", nil),
    ])
    func readsDurations(_ text: String, _ duration: Duration?) {
        #expect(Duration(text: text) == duration)
        if let duration { #expect(Duration(text: duration.shortText) == duration) }
    }
}
