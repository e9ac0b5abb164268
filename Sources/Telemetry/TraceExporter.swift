package import Logging
import Metrics
package import Model
import Synchronization

/// Takes spans and sends them to a collector, some at a time; whoever records one never waits.
///
/// What comes while the collector is down or slow is kept up to a bound; beyond it spans are dropped and counted.
package final class TraceExporter: Sendable {
    /// How many spans wait at most.
    private static let capacity = 4096
    private static let batch = 512

    private struct State {
        var waiting: [TraceSpan] = []
        var dropped = 0
    }

    private let state = Mutex(State())
    private let resource: [String: String]
    private let interval: Duration
    private let send: @Sendable ([UInt8]) async throws -> Void
    private let logger: Logger
    private let droppedCounter = Counter(label: "apus_trace_spans_dropped_total")

    /// - Parameters:
    ///   - resource: who the spans are from, as `service.name`.
    ///   - interval: how long spans are gathered.
    ///   - send: posts a document of OTLP/JSON; throws where the collector does not take it.
    package init(
        resource: [String: String],
        interval: Duration = .seconds(2),
        logger: Logger,
        send: @escaping @Sendable ([UInt8]) async throws -> Void
    ) {
        (self.resource, self.interval, self.logger, self.send) = (resource, interval, logger, send)
    }

    /// Takes a span.
    package func record(_ span: TraceSpan) {
        let isTaken = state.withLock { state in
            guard state.waiting.count < Self.capacity else {
                state.dropped += 1
                return false
            }
            state.waiting.append(span)
            return true
        }
        if !isTaken { droppedCounter.increment() }
    }

    /// Sends what comes until the task is cancelled, then what is left, once.
    package func run() async {
        var wasDown = false
        while !Task.isCancelled {
            try? await Task.sleep(for: interval)  // Cancellation is seen by the loop.
            wasDown = await flush(wasDown: wasDown)
        }
    }

    /// Sends what waits.
    ///
    /// - Returns: whether the collector did not take it.
    @discardableResult
    package func flush(wasDown: Bool = false) async -> Bool {
        while true {
            let spans = state.withLock { Array($0.waiting.prefix(Self.batch)) }
            guard !spans.isEmpty else { return false }
            let body = OTLPDocument.body(spans, resource: resource).bytes()
            // A task of its own, awaited here: what is left is sent when this one is cancelled, too.
            let outcome = await Task { [send] in try await send(body) }.result
            switch outcome {
            case .success: state.withLock { $0.waiting.removeFirst(min(spans.count, $0.waiting.count)) }
            case .failure(let error):
                if !wasDown {
                    logger.warning(
                        "the collector of traces does not take spans; trying again", metadata: ["error": "\(error)"])
                }
                return true
            }
        }
    }
}
