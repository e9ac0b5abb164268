import ClusterTesting
import LoopbackServer
import Model
import NIOCore
import ObjectEngine
import Scheduling
import SystemPackage
import TestKit
import Testing

@testable import Cluster

@Suite("Synchronous runs", .serialized, .timeLimit(.minutes(2)))
struct RunTests {
    /// A body in pieces.
    private static func body(_ pieces: [[UInt8]]) -> AsyncThrowingStream<ByteBuffer, any Error> {
        AsyncThrowingStream { continuation in
            for piece in pieces { continuation.yield(ByteBuffer(bytes: piece)) }
            continuation.finish()
        }
    }

    private func run(
        _ cluster: ClusterFixture,
        _ pieces: [[UInt8]],
        form: RunDispatcher.Form = .oscar,
        service: String = "s"
    ) async throws -> RunAnswer {
        try await cluster.runs.run(try ServiceName(service), body: Self.body(pieces), form: form, principal: "p")
    }

    private func bytes(_ answer: RunAnswer) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        try await answer.write { bytes += Array(buffer: $0) }
        if let length = answer.length { #expect(length == bytes.count) }
        await answer.discard()
        return bytes
    }

    private func text(_ answer: RunAnswer) async throws -> String {
        String(decoding: try await bytes(answer), as: UTF8.self)
    }

    private func nothingIsLeft(_ cluster: ClusterFixture) async throws {
        try await eventually("the work folder is empty") { try cluster.names(cluster.data.work).isEmpty }
        try await eventually("all is free") { cluster.scheduler.free == cluster.scheduler.capacity }
    }

    @Test("what the script wrote, where it made no file")
    func output() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create("s", script: "echo noise >&2; printf 'got '; cat \"$INPUT_FILE_PATH\"")
            let answer = try await run(cluster, [Array("{\"a\":".utf8), Array("1}".utf8)])
            #expect(!answer.isFailure && answer.contentType.hasPrefix("text/plain"))
            #expect(try await text(answer) == "got {\"a\":1}\n")
            #expect(try await text(run(cluster, [[0xFF, 0]], form: .bytes)) == "got \u{FFFD}\u{0}")
            try await nothingIsLeft(cluster)
            #expect(try await cluster.allJobs().isEmpty)
        }
    }

    @Test("one file comes in base 64, or as it is for those who want bytes")
    func oneFile() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create("s", script: "cp \"$INPUT_FILE_PATH\" \"$TMP_OUTPUT_DIR/result.png\"; echo noise")
            var random = SeededGenerator(seed: 3)
            for size in [0, 1, 2, 3, 1000, 700_001] {
                let content = random.bytes(size)
                let plain = try await run(cluster, [content], form: .bytes)
                #expect(plain.contentType == "image/png")
                #expect(try await bytes(plain) == content)
                let encoded = try await run(cluster, [Array(Base64.encode(content).utf8)])
                let answer = try await text(encoded)
                #expect(answer.last == "\n")
                #expect(Base64.decode(answer.dropLast()) == content, "\(size)")
            }
            try await nothingIsLeft(cluster)
        }
    }

    @Test("several files come in an archive")
    func archive() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create("s", script: "cd \"$TMP_OUTPUT_DIR\"; echo a > a; mkdir d; echo b > d/b")
            let plain = try await run(cluster, [[1]], form: .bytes)
            #expect(plain.contentType == "application/zip" && plain.length == nil)
            let archive = try await bytes(plain)
            #expect(Array(archive.prefix(4)) == [0x50, 0x4B, 3, 4])
            let encoded = try await text(run(cluster, [[0x7B]]))
            #expect(Base64.decode(encoded.dropLast())?.count == archive.count)
            try await nothingIsLeft(cluster)
        }
    }

    @Test("a failure answers with the exit code and both streams, without results")
    func failure() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create(
                "s", script: "echo out; echo err >&2; echo x > \"$TMP_OUTPUT_DIR/x\"; exit 3", output: ["bkt/out"]
            )
            let answer = try await run(cluster, [])
            #expect(answer.isFailure)
            #expect(try await text(answer) == "exit status 3\nerr\nout\n")
            #expect(try await cluster.keys("bkt").isEmpty)
            try await cluster.registry.update(
                ClusterFixture.definition("s", script: "sleep 100", more: ["timeout": .string("1s")])
            )
            let late = try await text(run(cluster, []))
            #expect(late.hasPrefix("exit status 124\n") && late.contains("timeout of 1s"))
            try await nothingIsLeft(cluster)
        }
    }

    @Test("results also go to the service's outputs")
    func outputs() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create("s", script: "echo x > \"$TMP_OUTPUT_DIR/x\"", output: ["bkt/out"])
            #expect(try await bytes(run(cluster, [], form: .bytes)) == Array("x\n".utf8))
            #expect(try await cluster.text("out/x", in: "bkt") == "x\n")
        }
    }

    @Test("an event of the store stages its object in and answers with the script's output")
    func event() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create(
                "s", script: "cat \"$INPUT_FILE_PATH\"; echo x > \"$TMP_OUTPUT_DIR/x\"", input: ["bkt/in"])
            try await cluster.put("content", "in/a", in: "bkt")
            try await cluster.ended(1)
            let event = try #require(try await cluster.objects.events(after: 0, limit: 1).first ?? nil)
            #expect(try await text(run(cluster, [event.minioJSON().bytes()])) == "content\n")
            _ = try await cluster.objects.delete([try ObjectKey("in/a")], in: try BucketName("bkt"))
            await #expect { _ = try await run(cluster, [event.minioJSON().bytes()]) } throws: {
                ($0 as? ClusterError)?.code == .invalid
            }
            try await nothingIsLeft(cluster)
        }
    }

    @Test("refusals: no service, too large a body, more than the cluster has")
    func refusals() async throws {
        var options = ClusterFixture.Options()
        options.maximumEvent = ByteCount(1000)
        try await ClusterFixture.serve(options) { cluster in
            func code(_ body: () async throws -> Void) async -> ClusterError.Code? {
                do { try await body() } catch { return (error as? ClusterError)?.code }
                return nil
            }
            try await cluster.create("s", script: "wc -c < \"$INPUT_FILE_PATH\"")
            try await cluster.create("huge", script: "true", more: ["cpu": .string("64")])
            #expect(await code { _ = try await run(cluster, [], service: "none") } == .notFound)
            #expect(await code { _ = try await run(cluster, [[UInt8](repeating: 1, count: 1001)]) } == .tooLarge)
            #expect(await code { _ = try await run(cluster, [], service: "huge") } == .invalid)
            // Plain bytes are streamed, so they have no such limit.
            let answer = try await run(
                cluster, Array(repeating: [UInt8](repeating: 1, count: 1000), count: 50), form: .bytes)
            #expect(try await text(answer) == "50000\n")
            try await nothingIsLeft(cluster)
        }
    }

    @Test("a body that breaks off leaves nothing")
    func brokenBody() async throws {
        struct Gone: Error {}
        try await ClusterFixture.serve { cluster in
            try await cluster.create("s", script: "true")
            for form in [RunDispatcher.Form.oscar, .bytes] {
                let body = AsyncThrowingStream<ByteBuffer, any Error> { continuation in
                    continuation.yield(ByteBuffer(string: "begin"))
                    continuation.finish(throwing: Gone())
                }
                await #expect(throws: Gone.self) {
                    try await cluster.runs.run(try ServiceName("s"), body: body, form: form, principal: "p")
                }
            }
            try await nothingIsLeft(cluster)
        }
    }

    @Test("cancelling ends the script and leaves nothing")
    func cancel() async throws {
        try await ClusterFixture.serve { cluster in
            let place = "$TMP_INPUT_DIR/../../.."
            let script = "echo $$ > \"\(place)/written\"; mv \"\(place)/written\" \"\(place)/process\"; exec sleep 1000"
            try await cluster.create("s", script: script)
            let task = Task { try await run(cluster, []) }
            let path = cluster.data.root.appending("process")
            let text = try await eventually("the script says who it is") { try Folder.readSmallFile(path) }
            let process = try #require(Int(text.prefix { $0 != "\n" }))
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(try !Folder.isFolder(FilePath("/proc/\(process)")))
            try await nothingIsLeft(cluster)
        }
    }

    @Test("cancelling a run that waits takes it out of the line")
    func cancelWaiting() async throws {
        try await ClusterFixture.serve(SchedulingTests.narrow) { cluster in
            try cluster.makeGate()
            try await cluster.create("s", script: SchedulingTests.gated)
            let job = try await cluster.jobs.post([], to: try ServiceName("s"), name: nil, principal: "p")
            try await cluster.wait(job, for: .running)
            let tasks = (0..<5).map { _ in Task { try await run(cluster, []) } }
            for task in tasks { task.cancel() }
            for task in tasks { await #expect(throws: CancellationError.self) { try await task.value } }
            try await cluster.openGate()
            try await cluster.wait(job, for: .succeeded)
            try await nothingIsLeft(cluster)
        }
    }

    @Test("a run that waits when the cluster stops is told so, and so is one that comes later")
    func stop() async throws {
        try await TemporaryFolder.with { folder in
            try await ClusterFixture.open(at: folder, SchedulingTests.narrow) { cluster in
                try await cluster.recover()
                let waiting = try await cluster.whileServing {
                    try cluster.makeGate()
                    try await cluster.create("s", script: SchedulingTests.gated)
                    let job = try await cluster.jobs.post([], to: try ServiceName("s"), name: nil, principal: "p")
                    try await cluster.wait(job, for: .running)
                    let waiting = Task { await stopCode { _ = try await run(cluster, []) } }
                    try await eventually("the run has its folder") { try cluster.names(cluster.data.work).count == 2 }
                    // Goes on when the run was told, so that the job can end.
                    Task {
                        _ = await waiting.value
                        try await cluster.openGate()
                    }
                    return waiting
                }
                #expect(await waiting.value == .stopping)
                #expect(await stopCode { _ = try await run(cluster, []) } == .stopping)
            }
        }
    }

    private func stopCode(_ body: () async throws -> Void) async -> ClusterError.Code? {
        do { try await body() } catch { return (error as? ClusterError)?.code }
        return nil
    }

    @Test("an answer that nobody reads does not keep its folder")
    func droppedAnswer() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create("s", script: "echo x > \"$TMP_OUTPUT_DIR/x\"")
            var answer: RunAnswer? = try await run(cluster, [])
            #expect(try cluster.names(cluster.data.work).count == 1)
            #expect(answer?.isFailure == false)
            answer = nil
            try await nothingIsLeft(cluster)
        }
    }

    @Test("many at once all get their own answer")
    func concurrent() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create("s", script: "cat \"$INPUT_FILE_PATH\"")
            let answers = try await withThrowingTaskGroup(of: (Int, String).self) { group in
                for index in 0..<60 {
                    group.addTask {
                        (index, try await text(run(cluster, [Array("number \(index)!".utf8)], form: .bytes)))
                    }
                }
                return try await group.reduce(into: [Int: String]()) { $0[$1.0] = $1.1 }
            }
            for index in 0..<60 { #expect(answers[index] == "number \(index)!") }
            try await nothingIsLeft(cluster)
        }
    }
}
