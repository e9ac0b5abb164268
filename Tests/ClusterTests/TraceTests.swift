import ClusterTesting
import Model
import ObjectEngine
import StateStore
import Synchronization
import TestKit
import Testing

@testable import Cluster

@Suite("Traces through jobs", .serialized, .timeLimit(.minutes(2)))
struct TraceTests {
    private static let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test("from the object through the script to the next service, one trace; spans with their parents")
    func chain() async throws {
        let spans = Mutex<[TraceSpan]>([])
        var options = ClusterFixture.Options()
        options.recordSpan = { span in spans.withLock { $0.append(span) } }
        try await ClusterFixture.serve(options) { cluster in
            try await cluster.create(
                "first", script: "echo \"$TRACEPARENT\" > $TMP_OUTPUT_DIR/x", input: ["data/in"], output: ["data/mid"])
            try await cluster.create("second", script: "echo \"trace $TRACEPARENT\"; exit 4", input: ["data/mid"])
            try await TraceContext.$current.withValue(TraceContext(traceparent: Self.parent)) {
                try await cluster.put("1", "in/a", in: "data")
            }
            let jobs = try await cluster.ended(2)
            let script = try #require(try await cluster.text("mid/x", in: "data"))
            #expect(script.hasPrefix("00-4bf92f3577b34da6a3ce929d0e0e4736-") && !script.contains("00f067aa0ba902b7"))
            #expect(try await cluster.log(jobs[1]).contains("trace 00-4bf92f3577b34da6a3ce929d0e0e4736-"))
            let found = try await eventually("all spans") {
                let all = spans.withLock { $0 }
                return all.filter { $0.name.hasPrefix("job ") }.count == 2 ? all : nil
            }
            #expect(
                found.allSatisfy { $0.context.traceText == "4bf92f3577b34da6a3ce929d0e0e4736" && $0.start <= $0.end })
            let first = try #require(found.first { $0.name == "job first" })
            let second = try #require(found.first { $0.name == "job second" })
            #expect(first.parent == 0x00F0_67AA_0BA9_02B7 && first.failure == nil && second.failure != nil)
            // The script's own span is the one that the script was told, and the parent of what its results cause.
            let run = try #require(found.first { $0.name == "run" && $0.parent == first.context.span })
            #expect(script.contains(TraceContext.hexadecimal(run.context.span)))
            #expect(second.parent == run.context.span)
            #expect(
                Set(found.filter { $0.parent == first.context.span }.map(\.name)) == [
                    "queue", "stage in", "run", "stage out",
                ])
        }
    }

    @Test("a result for another cluster takes the trace along; a span tells of its delivery")
    func delivery() async throws {
        try await Receiver.with { receiver in
            let spans = Mutex<[TraceSpan]>([])
            var options = ClusterFixture.Options()
            options.recordSpan = { span in spans.withLock { $0.append(span) } }
            try await ClusterFixture.serve(options) { cluster in
                try await cluster.create(
                    "s", script: "echo > $TMP_OUTPUT_DIR/x", more: DeliveryLinkTests.outputs(receiver.port))
                let job = try await TraceContext.$current.withValue(TraceContext(traceparent: Self.parent)) {
                    try await DeliveryLinkTests.post("x", cluster)
                }
                try await cluster.wait(job, for: .succeeded)
                let delivery = try await eventually("its span") {
                    spans.withLock { $0.first { $0.name == "deliver" } }
                }
                #expect(delivery.attributes["apus.destination"] == "s/minio.cloud")
                let run = try #require(spans.withLock { $0.first { $0.name == "run" } })
                #expect(delivery.parent == run.context.span)
                let event = try #require(try await receiver.store.events(after: 0, limit: 9).first)
                #expect(event.trace == delivery.context.traceparent)
                #expect(delivery.context.traceText == "4bf92f3577b34da6a3ce929d0e0e4736")
            }
        }
    }

    @Test("without a trace and without a collector a script is told nothing")
    func nothing() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create("s", script: "echo \"<$TRACEPARENT>\"")
            _ = try await cluster.jobs.post([], to: try ServiceName("s"), name: nil, principal: "p")
            #expect(try await cluster.log(cluster.ended(1)[0]).contains("<>"))
        }
    }
}
