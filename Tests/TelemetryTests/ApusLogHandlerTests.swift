import Logging
import Model
import Synchronization
import Testing

@testable import Telemetry

/// Keeps what a handler writes, one element a call.
private final class Lines: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func handler(
        _ format: LogFormat,
        colors: Bool = false,
        provider: Logger.MetadataProvider? = nil
    ) -> ApusLogHandler {
        ApusLogHandler(
            label: "apus",
            format: format,
            level: .info,
            metadataProvider: provider,
            usesColors: colors,
            now: { Instant(nanoseconds: 1_700_000_000_123_456_789) },
            write: { bytes in self.lines.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) } }
        )
    }

    func logger(_ format: LogFormat, colors: Bool = false) -> Logger {
        Logger(label: "apus") { _ in self.handler(format, colors: colors) }
    }
}

private struct Failure: Error, CustomStringConvertible {
    let description: String
}

@Suite struct ApusLogHandlerTests {
    @Test func writesTextForPeople() {
        let lines = Lines()
        lines.logger(.text).info(
            "Job started",
            metadata: ["job.id": "a-1", "bytes": "12", "why": "no reason", "empty": ""]
        )
        lines.logger(.text).critical("Out of disk")
        #expect(
            lines.all == [
                "2023-11-14T22:13:20.123Z info     apus: Job started bytes=12 empty=\"\" job.id=a-1 "
                    + "why=\"no reason\"\n",
                "2023-11-14T22:13:20.123Z critical apus: Out of disk\n",
            ]
        )
    }

    @Test func keepsOneRecordOnOneLine() {
        let lines = Lines()
        let hostile = "x\n2026-01-01T00:00:00.000Z info apus: forged\r\u{1B}[2J\u{2028}\u{9B}"
        lines.logger(.text).warning(
            "\(hostile)",
            metadata: ["k\n": "\(hostile)", "q": "say \"hi\" \\ there"]
        )
        let line = lines.all[0]
        #expect(line.utf8.filter { $0 == UInt8(ascii: "\n") }.count == 1)
        #expect(line.hasSuffix("\n"))
        #expect(
            !line.unicodeScalars.dropLast().contains {
                $0.value < 0x20 || (0x7F...0x9F).contains($0.value) || $0.value == 0x2028
            }
        )
        #expect(line.contains("\\n2026-01-01"))
        #expect(line.contains("q=\"say \\\"hi\\\" \\\\ there\""))
    }

    @Test func colorsOnlyWhenAsked() {
        let lines = Lines()
        lines.logger(.text, colors: true).error("No", metadata: ["a": "1"])
        #expect(
            lines.all[0]
                == "2023-11-14T22:13:20.123Z \u{1B}[31merror   \u{1B}[0m apus: No \u{1B}[2ma=1\u{1B}[0m\n"
        )
    }

    @Test func writesJSONForPrograms() throws {
        let lines = Lines()
        lines.logger(.json).notice(
            "Done \"so\"\n",
            metadata: ["z": "1", "a": ["x", "y"], "m": ["k2": "v", "k1": .stringConvertible(7)]]
        )
        #expect(
            lines.all == [
                #"{"time":"2023-11-14T22:13:20.123Z","level":"notice","logger":"apus","message":"#
                    + #""Done \"so\"\n","#
                    + #""metadata":{"a":["x","y"],"m":{"k1":"7","k2":"v"},"z":"1"}}"# + "\n"
            ]
        )
        #expect(try JSONValue.parse(lines.all[0])["metadata"]?["m"]?["k1"]?.stringValue == "7")
    }

    @Test func mergesMetadataWithTheRecordLast() {
        let lines = Lines()
        let provider = Logger.MetadataProvider { ["trace": "t1", "a": "provider"] }
        var logger = Logger(label: "apus") { _ in lines.handler(.text, provider: provider) }
        logger[metadataKey: "a"] = "handler"
        logger[metadataKey: "b"] = "handler"
        #expect(logger[metadataKey: "b"] == "handler")
        logger.info("x", metadata: ["b": "record"])
        logger.error("y", error: Failure(description: "broken"))
        #expect(lines.all[0].hasSuffix("apus: x a=provider b=record trace=t1\n"))
        #expect(lines.all[1].hasSuffix("apus: y a=provider b=handler error=broken trace=t1\n"))
    }

    @Test func dropsWhatIsBelowTheLevel() {
        let lines = Lines()
        var logger = lines.logger(.text)
        logger.debug("no")
        logger.logLevel = .debug
        logger.debug("yes")
        #expect(lines.all.count == 1)
    }

    @Test func takesAHugeMessageWhole() {
        let lines = Lines()
        lines.logger(.json).info("\(String(repeating: "ä", count: 1_000_000))")
        #expect(lines.all[0].utf8.count > 2_000_000)
    }

    @Test(arguments: [
        ("info", Logger.Level.info), ("WARN", .warning), ("Warning", .warning), ("trace", .trace),
        ("debug", .debug),
        ("notice", .notice), ("error", .error), ("critical", .critical),
    ])
    func readsLevels(name: String, level: Logger.Level) { #expect(Logger.Level(name: name) == level) }

    @Test(arguments: ["", "loud", "info ", "5", "érror"])
    func refusesOtherLevels(name: String) { #expect(Logger.Level(name: name) == nil) }

    @Test(arguments: [("text", LogFormat.text), ("json", .json)])
    func readsFormats(name: String, format: LogFormat) { #expect(LogFormat(rawValue: name) == format) }
}
