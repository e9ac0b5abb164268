import Model
import TestKit
import Testing

@testable import Cluster

@Suite("Log records")
struct LogRecordTests {
    static func record(_ text: String, _ stream: LogRecord.Stream = .output, at seconds: Int64 = 1_767_261_600)
        -> LogRecord
    {
        LogRecord(time: Instant(seconds: seconds), stream: stream, bytes: Array(text.utf8))
    }

    /// What a parser takes out of bytes that come in those pieces.
    static func parse(_ bytes: [UInt8], cuts: [Int] = []) -> (records: [LogRecord], isDamaged: Bool, consumed: Int64) {
        var parser = LogParser()
        var records: [LogRecord] = []
        var start = 0
        for end in cuts + [bytes.count] {
            parser.append(bytes[start..<end])
            start = end
            while let record = parser.next() { records.append(record) }
        }
        return (records, parser.isDamaged, parser.consumed)
    }

    @Test("the form in the file")
    func form() {
        let encoded = Self.record("hello", .error).encoded
        #expect(String(decoding: encoded, as: UTF8.self) == "2026-01-01T10:00:00.000000000Z e 5\nhello\n")
    }

    @Test("any bytes come back, however the file is cut", arguments: 0..<40 as Range<UInt64>)
    func roundTrip(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let streams: [LogRecord.Stream] = [.output, .error, .system]
        let records = (0..<Int.random(in: 1...30, using: &random)).map { _ in
            LogRecord(
                time: Instant(nanoseconds: Int64.random(in: 0...4_000_000_000_000_000_000, using: &random)),
                stream: streams[Int.random(in: 0..<3, using: &random)],
                bytes: random.bytes(Int.random(in: 0...300, using: &random))
            )
        }
        let bytes = records.flatMap(\.encoded)
        let cuts = (0..<Int.random(in: 0...40, using: &random)).map { _ in
            Int.random(in: 0...bytes.count, using: &random)
        }.sorted()
        let parsed = Self.parse(bytes, cuts: cuts)
        #expect(parsed.records == records, "seed \(seed)")
        #expect(!parsed.isDamaged && parsed.consumed == Int64(bytes.count))
    }

    @Test("a file that ends anywhere yields the whole records before")
    func truncated() {
        let records = ["one\n", "", "three \n 3\n"].map { Self.record($0) }
        let bytes = records.flatMap(\.encoded)
        var ends: [Int] = []
        for record in records { ends.append((ends.last ?? 0) + record.encoded.count) }
        for length in 0...bytes.count {
            let parsed = Self.parse(Array(bytes[..<length]))
            let whole = ends.count { $0 <= length }
            #expect(parsed.records == Array(records[..<whole]))
            #expect(!parsed.isDamaged)
            #expect(parsed.consumed == Int64(whole == 0 ? 0 : ends[whole - 1]))
        }
    }

    @Test(
        "a damaged head ends the reading, after what was whole",
        arguments: [
            "\n", "x\n", "2026-01-01T10:00:00Z o\n", "2026-01-01T10:00:00Z o 5 6\n",
            "2026-01-01T10:00:00Z q 5\nhello\n",
            "2026-01-01T10:00:00Z oo 5\nhello\n", "2026-01-01T10:00:00Z o -1\n\n", "2026-01-01T10:00:00Z o 5x\nhello\n",
            "yesterday o 5\nhello\n", "2026-01-01T10:00:00Z o 99999999999999999999\n",
            "2026-01-01T10:00:00Z o 1073741823\n",
            "2026-01-01T10:00:00Z  o 5\nhello\n", String(repeating: "z", count: 80), "\u{0}\u{0}\u{0}\n",
        ]
    )
    func damaged(head: String) {
        let good = Self.record("good")
        let parsed = Self.parse(good.encoded + Array(head.utf8) + good.encoded)
        #expect(parsed.records == [good])
        #expect(parsed.isDamaged)
        #expect(parsed.consumed == Int64(good.encoded.count))
    }

    @Test("random bytes never make the parser fail", arguments: 0..<50 as Range<UInt64>)
    func garbage(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let good = Self.record("good")
        let parsed = Self.parse(good.encoded + random.bytes(Int.random(in: 0...2000, using: &random)))
        #expect(parsed.records.first == good, "seed \(seed)")
    }

    @Test("without times the bytes are as the script wrote them")
    func plain() {
        var renderer = LogRenderer(timestamps: false)
        let bytes: [UInt8] = [0, 255, 10, 10, 65]
        #expect(renderer.render(LogRecord(time: Instant(seconds: 0), stream: .output, bytes: bytes)) == bytes)
    }

    @Test("with times each line has one, also a line of several records")
    func timestamps() {
        var renderer = LogRenderer(timestamps: true)
        let texts = ["a", "b\nc\n", "\n", "d"].enumerated().map { index, text in
            String(decoding: renderer.render(Self.record(text, at: Int64(index))), as: UTF8.self)
        }
        func stamp(_ second: Int) -> String { "1970-01-01T00:00:0\(second).000000000Z " }
        #expect(texts == [stamp(0) + "a", "b\n" + stamp(1) + "c\n", stamp(2) + "\n", stamp(3) + "d"])
    }
}
