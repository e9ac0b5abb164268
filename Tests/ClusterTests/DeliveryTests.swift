import ClusterTesting
import LoopbackServer
import Model
import NIOCore
import NIOHTTP1
import StateStore
import Synchronization
import SystemPackage
import TestKit
import Testing

@testable import Cluster

@Suite("Delivery to other clusters", .serialized, .timeLimit(.minutes(2)))
struct DeliveryTests {
    /// Output to an S3 store on that port of this machine, or on several.
    static func outputs(_ ports: [String: Int], local: Bool = false) -> JSONObject {
        var output: [JSONValue] = ports.keys.sorted().map {
            .object(["storage_provider": .string("s3.\($0)"), "path": .string("results/\($0)")])
        }
        if local { output.append(.object(["storage_provider": .string("minio.default"), "path": .string("bkt/out")])) }
        let providers = ports.sorted { $0.key < $1.key }.map { id, port in
            (
                id,
                JSONValue.object([
                    "endpoint": .string("http://127.0.0.1:\(port)"), "access_key": .string("access"),
                    "secret_key": .string("secret-key"),
                    "region": .string("us-east-1"),
                ])
            )
        }
        return [
            "output": .array(output),
            "storage_providers": .object(["s3": .object(JSONObject(providers))]),
        ]
    }

    static let script = "cat \"$INPUT_FILE_PATH\" > \"$TMP_OUTPUT_DIR/r.txt\""

    /// Runs `body` with the port of a server of that store.
    private static func serving(
        _ store: FakeStore,
        _ body: @escaping @Sendable (_ port: Int) async throws -> Void
    ) async throws {
        let answer: LoopbackServer.Handler = { store.answer($0) }
        try await LoopbackServer.with(answer, body: body)
    }

    @Test("a result goes to the other store, and the job ends when it has arrived")
    func arrives() async throws {
        let store = FakeStore(buckets: ["results"])
        try await Self.serving(store) { port in
            try await ClusterFixture.serve { cluster in
                try await cluster.create(
                    "s", script: Self.script + "; echo two > \"$TMP_OUTPUT_DIR/two.txt\"",
                    more: Self.outputs(["cloud": port], local: true)
                )
                let job = try await cluster.jobs.post(
                    Array("payload!".utf8), to: try ServiceName("s"), name: nil, principal: "p")
                let ended = try await cluster.wait(job, for: .succeeded)
                #expect(ended.message == nil && ended.exitCode == 0)
                #expect(store.keys("results") == ["cloud/r.txt", "cloud/two.txt"])
                #expect(store.object("results", "cloud/r.txt")?.bytes == Array("payload!".utf8))
                #expect(try await cluster.keys("bkt") == ["out/r.txt", "out/two.txt"])
                try await eventually("nothing is left") {
                    try cluster.names(cluster.data.deliveries).isEmpty && cluster.names(cluster.data.work).isEmpty
                }
                #expect(try await cluster.state.deliveryCount() == 0)
            }
        }
    }

    @Test(
        "a result whose name no storage takes fails the job and says so, and nothing waits",
        arguments: [
            ("printf 'z\\nz'", "control characters"), ("printf 'z\\tz'", "control characters"),
            ("printf 'z\\351'", "not UTF-8"),
            ("a=$(printf '%0250d' 0); mkdir -p $a/$a/$a/$a; printf %s $a/$a/$a/$a/$a", "1024"),
        ])
    func impossibleNames(name: String, message: String) async throws {
        let store = FakeStore(buckets: ["results"])
        try await Self.serving(store) { port in
            try await ClusterFixture.serve { cluster in
                let script = "cd \"$TMP_OUTPUT_DIR\"; echo a > a; name=$(\(name)); echo x > \"$name\""
                try await cluster.create("s", script: script, more: Self.outputs(["cloud": port]))
                let job = try await cluster.jobs.post([], to: try ServiceName("s"), name: nil, principal: "p")
                let ended = try await cluster.wait(job, for: .failed)
                #expect(ended.message?.contains(message) == true && ended.attempts == 1, "\(ended.message ?? "")")
                #expect(try await cluster.state.deliveryCount() == 0 && store.keys("results").isEmpty)
                try await eventually("nothing is left") { try cluster.names(cluster.data.deliveries).isEmpty }
            }
        }
    }

    @Test("a store that is down: the result waits with a reason, and arrives when the store is there")
    func unreachable() async throws {
        let closed = try await LoopbackServer.closedPort()
        let store = FakeStore(buckets: ["results"])
        try await Self.serving(store) { port in
            try await ClusterFixture.serve { cluster in
                try await cluster.create("s", script: Self.script, more: Self.outputs(["cloud": closed]))
                let service = try ServiceName("s")
                let job = try await cluster.jobs.post(Array("payload!".utf8), to: service, name: nil, principal: "p")
                let waiting = try await eventually("it was tried") {
                    let view = try await cluster.jobs.job(job, of: service)
                    return view.deliveries.first.map { $0.attempts >= 2 ? view : nil } ?? nil
                }
                #expect(waiting.record.state == .delivering && waiting.record.finished == nil)
                #expect(
                    waiting.reason?.hasPrefix("the result \"r.txt\" waits for s3.cloud: ") == true,
                    "\(waiting.reason ?? "")")
                let delivery = try #require(waiting.deliveries.first)
                #expect(
                    delivery.size.bytes == 8 && delivery.lastError?.isEmpty == false && delivery.path == "results/cloud"
                )
                // Other work goes on: nothing is held.
                try await eventually("all is free") { cluster.scheduler.free == cluster.scheduler.capacity }
                try await cluster.registry.update(
                    ClusterFixture.definition("s", script: Self.script, more: Self.outputs(["cloud": port]))
                )
                try await cluster.wait(job, for: .succeeded)
                #expect(store.object("results", "cloud/r.txt")?.bytes == Array("payload!".utf8))
            }
        }
    }

    @Test("what waits survives a restart")
    func restart() async throws {
        let store = FakeStore(buckets: ["results"])
        let isUp = Mutex(false)
        let answer: LoopbackServer.Handler = { request in
            isUp.withLock { $0 }
                ? store.answer(request) : FakeStore.error(.serviceUnavailable, "SlowDown", "down for now")
        }
        try await LoopbackServer.with(answer) { port in
            try await TemporaryFolder.with { folder in
                try await ClusterFixture.serve(at: folder) { cluster in
                    try await cluster.create("s", script: Self.script, more: Self.outputs(["cloud": port]))
                    let job = try await cluster.jobs.post(
                        Array("payload!".utf8), to: try ServiceName("s"), name: nil, principal: "p")
                    try await eventually("it was tried") {
                        try await cluster.jobs.job(job, of: try ServiceName("s")).deliveries.first?.lastError?.isEmpty
                            == false
                    }
                }
                try await ClusterFixture.serve(at: folder) { cluster in
                    let job = try #require(try await cluster.allJobs().first)
                    #expect(job.state == .delivering)
                    isUp.withLock { $0 = true }
                    let ended = try await cluster.wait(job.name, for: .succeeded)
                    #expect(ended.attempts == 1)
                    #expect(store.keys("results") == ["cloud/r.txt"])
                }
            }
        }
    }

    @Test("a store that refuses says why, and holds up no other")
    func refused() async throws {
        let good = FakeStore(buckets: ["results"])
        let refusal: LoopbackServer.Handler = { _ in FakeStore.error(.forbidden, "AccessDenied", "not you") }
        try await LoopbackServer.with(refusal) { bad in
            try await Self.serving(good) { port in
                try await ClusterFixture.serve { cluster in
                    // Each has a name of its own: those of one name would wait for one another.
                    let script = "cat \"$INPUT_FILE_PATH\" > \"$TMP_OUTPUT_DIR/$(tr ' ' - < \"$INPUT_FILE_PATH\").txt\""
                    try await cluster.create("s", script: script, more: Self.outputs(["a": bad, "b": port]))
                    let service = try ServiceName("s")
                    var jobs: [JobName] = []
                    for index in 0..<5 {
                        jobs.append(
                            try await cluster.jobs.post(
                                Array("number \(index)".utf8), to: service, name: nil, principal: "p"))
                    }
                    for job in jobs {
                        let view = try await eventually("only the bad one is left") {
                            let view = try await cluster.jobs.job(job, of: service)
                            return view.deliveries.count == 1 && view.deliveries[0].lastError != nil ? view : nil
                        }
                        #expect(view.deliveries[0].provider == "s3.a")
                        #expect(view.reason?.contains("s3.a") == true)
                    }
                    // Deleting such a job leaves nothing.
                    for job in jobs { try await cluster.jobs.remove(job, of: service) }
                    #expect(try cluster.names(cluster.data.deliveries).isEmpty)
                    #expect(try await cluster.state.deliveryCount() == 0)
                }
            }
        }
    }

    @Test("a run's results are delivered by a job in its name")
    func run() async throws {
        let store = FakeStore(buckets: ["results"])
        try await Self.serving(store) { port in
            try await ClusterFixture.serve { cluster in
                try await cluster.create("s", script: Self.script, more: Self.outputs(["cloud": port]))
                let body = AsyncThrowingStream<ByteBuffer, any Error> {
                    $0.yield(ByteBuffer(string: "payload!"))
                    $0.finish()
                }
                let answer = try await cluster.runs.run(try ServiceName("s"), body: body, form: .bytes, principal: "p")
                await answer.discard()
                #expect(try await cluster.ended(1).first?.state == .succeeded)
                #expect(store.object("results", "cloud/r.txt")?.bytes == Array("payload!".utf8))
            }
        }
    }

    @Test("removing the service drops what waits")
    func removeService() async throws {
        let closed = try await LoopbackServer.closedPort()
        try await ClusterFixture.serve { cluster in
            try await cluster.create("s", script: Self.script, more: Self.outputs(["cloud": closed]))
            let job = try await cluster.jobs.post([1], to: try ServiceName("s"), name: nil, principal: "p")
            try await cluster.wait(job, for: .delivering)
            try await cluster.registry.remove(try ServiceName("s"), deletingData: false)
            #expect(try cluster.names(cluster.data.deliveries).isEmpty)
            #expect(try await cluster.state.deliveryCount() == 0)
        }
    }
}
