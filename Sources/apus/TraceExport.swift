import AsyncHTTPClient
import Cluster
import Commands
import Logging
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import Telemetry

/// Sends the spans of jobs to a collector, where the settings name one.
struct TraceExport: Service {
    /// How long the collector may take for a document.
    private static let timeout = TimeAmount.seconds(10)

    private let exporter: TraceExporter?

    init(_ endpoint: String?, httpClient: HTTPClient, logger: Logger) {
        exporter = endpoint.map { endpoint in
            TraceExporter(
                resource: ["service.name": "apus", "service.version": ApusVersion.text, "host.name": HostName.current],
                logger: logger,
                send: { try await Self.post($0, to: "\(endpoint)/v1/traces", httpClient) })
        }
    }

    /// `nil` where nobody wants spans.
    var recorder: SpanRecorder? {
        guard let exporter else { return nil }
        return { exporter.record($0) }
    }

    func run() async throws {
        guard let exporter else { return try await gracefulShutdown() }
        await cancelWhenGracefulShutdown { await exporter.run() }
        await exporter.flush(wasDown: true)
    }

    private static func post(_ body: [UInt8], to url: String, _ httpClient: HTTPClient) async throws {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.body = .bytes(ByteBuffer(bytes: body))
        let answer = try await httpClient.execute(request, timeout: timeout)
        _ = try await answer.body.collect(upTo: 64 << 10)
        guard answer.status.code < 300 else { throw TraceExportError(status: answer.status.code) }
    }
}

/// A collector that did not take spans.
struct TraceExportError: Error, CustomStringConvertible {
    let status: UInt

    var description: String { "it answered \(status)" }
}
