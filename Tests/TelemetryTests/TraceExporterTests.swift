import Logging
import Model
import Synchronization
import TestKit
import Testing

@testable import Telemetry

@Suite("Spans on their way to a collector")
struct TraceExporterTests {
    private struct Down: Error {}

    private func span(_ name: String, parent: UInt64? = nil, failure: String? = nil) throws -> TraceSpan {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        return TraceSpan(
            context: try #require(TraceContext(traceparent: text)), parent: parent, name: name,
            start: Instant(nanoseconds: 1_700_000_000_000_000_001), end: Instant(seconds: 1_700_000_001),
            attributes: ["b": "2", "a": "1"], failure: failure)
    }

    private func exporter(_ send: @escaping @Sendable ([UInt8]) async throws -> Void) -> TraceExporter {
        TraceExporter(
            resource: ["service.name": "apus"], interval: .milliseconds(1),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, send: send)
    }

    @Test("the document has the field names of opentelemetry-proto in JSON, times as texts, identifiers in hexadecimal")
    func document() throws {
        let body = OTLPDocument.body([try span("run", parent: 5, failure: "why")], resource: ["service.name": "apus"])
        #expect(
            body.text() == #"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":"#
                + #"{"stringValue":"apus"}}]},"scopeSpans":[{"scope":{"name":"apus"},"spans":[{"#
                + #""traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","#
                + #""parentSpanId":"0000000000000005","name":"run","kind":1,"#
                + #""startTimeUnixNano":"1700000000000000001","endTimeUnixNano":"1700000001000000000","#
                + #""attributes":[{"key":"a","value":{"stringValue":"1"}},{"key":"b","value":{"stringValue":"2"}}],"#
                + #""status":{"code":2,"message":"why"}}]}]}]}"#)
    }

    @Test("spans come in documents of a bounded size; what a collector does not take is kept, up to a bound")
    func boundedAndPatient() async throws {
        let sizes = Mutex<[Int]>([])
        let isDown = Mutex(true)
        let exporter = exporter { body in
            if isDown.withLock({ $0 }) { throw Down() }
            let spans = try JSONValue.parse(bytes: body)["resourceSpans"]?[0]?["scopeSpans"]?[0]?["spans"]?.arrayValue
            sizes.withLock { $0.append(spans?.count ?? 0) }
        }
        for _ in 0..<5000 { exporter.record(try span("s")) }
        #expect(await exporter.flush())
        isDown.withLock { $0 = false }
        #expect(await !exporter.flush())
        #expect(sizes.withLock { $0 } == Array(repeating: 512, count: 8))
        #expect(await !exporter.flush())
    }

    @Test("it sends by itself, and ends when it is told to")
    func runs() async throws {
        let count = Mutex(0)
        let exporter = exporter { _ in count.withLock { $0 += 1 } }
        let task = Task { await exporter.run() }
        exporter.record(try span("s"))
        try await eventually("it is sent") { count.withLock { $0 } == 1 }
        task.cancel()
        await task.value
    }
}
