import ClusterTesting
import LoopbackServer
import Model
import NIOCore
import ObjectEngine
import StateStore
import SystemPackage
import TestKit
import Testing

@testable import Cluster

@Suite("What is remembered, and for how long", .serialized, .timeLimit(.minutes(2)))
struct EventsAndRetentionTests {
    @Test("events say what they came to, or why nobody was told")
    func events() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create("s", script: "exit 3", input: ["data/in"])
            _ = try await cluster.objects.createBucket(try BucketName("alone"), owner: "o", tags: [:])
            for (key, bucket) in [("in/a", "data"), ("in/f/", "data"), ("x", "data"), ("x", "alone")] {
                try await cluster.put("1", key, in: bucket)
            }
            try await cluster.ended(1)
            let events = try await eventually("all events") {
                let found = try await cluster.events.events(EventFilter())
                return found.count == 4 ? found : nil
            }
            #expect(events.map(\.event.reason) == [.noInput, .otherFolder, .folder, nil])
            #expect(events.last?.jobs.map(\.exitCode) == [3])
            #expect(events.last?.jobs.map(\.state) == [.failed])
        }
    }

    @Test("a service keeps as many jobs as it says, and as much log")
    func perService() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create(
                "s", script: "echo hi", more: ["retention": .object(["jobs": .integer(2), "bytes": .integer(60)])])
            try await cluster.create("t", script: "echo hi")
            for name in ["s", "s", "s", "t", "t", "t"] {
                _ = try await cluster.jobs.post([], to: try ServiceName(name), name: nil, principal: "p")
            }
            try await cluster.ended(6)
            try await cluster.housekeeper.cleanUp()
            #expect(try await cluster.allJobs("s").count == 2)
            #expect(try await cluster.allJobs("t").count == 3)
            // A record of "hi" has some 40 bytes.
            #expect(try cluster.names(cluster.data.logs.appending("s")).count == 1)
            #expect(try cluster.names(cluster.data.logs.appending("t")).count == 3)
        }
    }

    @Test("logs are trimmed the oldest first, with a window however small")
    func trimming() async throws {
        try await TemporaryFolder.with { folder in
            for number in 0..<20 {
                let path = folder.appending("\(number + 10).log")
                try path.write([UInt8](repeating: 0, count: 10))
            }
            #expect(try LogTrimmer.trim([folder], to: 1000, window: 3) == 0)
            #expect(try LogTrimmer.trim([folder], to: 75, window: 3) == 13)
            #expect(try Folder.entries(folder).map(\.name) == (23..<30).map { "\($0).log" })
            #expect(try LogTrimmer.trim([folder, folder.appending("none")], to: 0, window: 3) == 7)
        }
    }

    @Test("a run's streams are bounded: a noisy one ends in words, an answer is never cut in silence")
    func noisyRuns() async throws {
        var options = ClusterFixture.Options()
        options.logLimit = ByteCount(1000)
        try await ClusterFixture.serve(options) { cluster in
            func run(_ script: String, _ name: String) async throws -> (Bool, String) {
                try await cluster.create(name, script: script)
                let body = AsyncThrowingStream<ByteBuffer, any Error> { $0.finish() }
                let answer = try await cluster.runs.run(try ServiceName(name), body: body, form: .bytes, principal: "p")
                var bytes: [UInt8] = []
                try await answer.write { bytes += Array(buffer: $0) }
                await answer.discard()
                return (answer.isFailure, String(decoding: bytes, as: UTF8.self))
            }
            let many = "head -c 100000 /dev/zero | tr '\\0' x"
            let noisy = try await run("\(many) >&2; exit 5", "noisy")
            #expect(noisy.0 && noisy.1.utf8.count < 2000)
            #expect(noisy.1.contains("Apus: the output has reached its limit of 1000 B; what follows is not kept"))
            let answer = try await run(many, "answer")
            #expect(answer.0 && answer.1.contains("write files to $TMP_OUTPUT_DIR instead"))
            #expect(
                try await run("head -c 9000 /dev/zero | tr '\\0' x", "fits") == (
                    false, String(repeating: "x", count: 9000)
                ))
        }
    }
}
