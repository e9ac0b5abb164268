import ClusterTesting
import LoopbackServer
import Model
import NIOHTTP1
import ObjectEngine
import Scheduling
import StateStore
import Synchronization
import SystemPackage
import TestKit
import Testing

@testable import Cluster

/// Two live clusters with a bad link between them: nothing is lost, nothing doubled.
@Suite("Delivery over bad links", .serialized, .timeLimit(.minutes(2)))
struct DeliveryLinkTests {
    /// Each result has the name that its input says first.
    private static let script = """
        name=$(head -c 8 "$INPUT_FILE_PATH"); cat "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$name"
        """
    /// As large as its input says in MiB, and easy to tell apart.
    private static let large = """
        seq 1 9999999 | head -c $(($(cat "$INPUT_FILE_PATH") << 20)) > "$TMP_OUTPUT_DIR/large"
        """

    private static func largeBytes(_ mebibytes: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity((mebibytes << 20) + 16)
        var number = 1
        while bytes.count < mebibytes << 20 {
            bytes += "\(number)\n".utf8
            number += 1
        }
        return Array(bytes.prefix(mebibytes << 20))
    }

    static func outputs(_ port: Int, _ link: JSONObject = [:]) -> JSONObject {
        var provider: JSONObject = [
            "endpoint": .string("http://127.0.0.1:\(port)"), "access_key": .string("access"),
            "secret_key": .string("secret-key"),
        ]
        for (key, value) in link.members { provider[key] = value }
        return [
            "output": .array([.object(["storage_provider": .string("minio.cloud"), "path": .string("results/out")])]),
            "storage_providers": .object(["minio": .object(["cloud": .object(provider)])]),
        ]
    }

    static func post(_ text: String, _ cluster: ClusterFixture) async throws -> JobName {
        try await cluster.jobs.post(Array(text.utf8), to: try ServiceName("s"), name: nil, principal: "p")
    }

    @Test("an answer that is lost makes no second event, small or in parts", arguments: [0, 6])
    func answerIsLost(mebibytes: Int) async throws {
        try await Receiver.with { receiver in
            try await FaultyLink.with(to: receiver.port) { link in
                try await ClusterFixture.serve { cluster in
                    let script = mebibytes == 0 ? Self.script : Self.large
                    try await cluster.create("s", script: script, more: Self.outputs(link.port))
                    link.set { ($0.bytesDown, $0.breaks) = (0, 3) }
                    // In parts, the first answers get through: those to the parts, not that to their completion.
                    if mebibytes > 0 { link.set { ($0.bytesDown, $0.breaks) = (1000, 3) } }
                    let job = try await Self.post(mebibytes == 0 ? "result-1" : "\(mebibytes)", cluster)
                    try await cluster.wait(job, for: .succeeded)
                    #expect(link.broken == 3)
                    let key = mebibytes == 0 ? "out/result-1" : "out/large"
                    #expect(try await receiver.events() == [key])
                    let bytes = try await receiver.bytes(key)
                    #expect(bytes == (mebibytes == 0 ? Array("result-1".utf8) : Self.largeBytes(mebibytes)))
                    #expect(try await receiver.openUploads() == 0)
                }
            }
        }
    }

    @Test("what the consumer has deleted meanwhile does not come a second time")
    func deletedMeanwhile() async throws {
        try await Receiver.with { receiver in
            try await FaultyLink.with(to: receiver.port) { link in
                try await ClusterFixture.serve { cluster in
                    try await cluster.create("s", script: Self.script, more: Self.outputs(link.port))
                    link.set { $0.bytesDown = 0 }
                    let job = try await Self.post("result-1", cluster)
                    try await eventually("it is there") { try await receiver.events().count == 1 }
                    _ = try await receiver.store.delete([try ObjectKey("out/result-1")], in: try BucketName("results"))
                    link.set { $0.bytesDown = nil }
                    try await cluster.wait(job, for: .succeeded)
                    #expect(try await receiver.events() == ["out/result-1"])
                    #expect(try await receiver.bytes("out/result-1") == nil)
                }
            }
        }
    }

    @Test("a transfer that breaks off goes on where it was, also after a restart")
    func resume() async throws {
        try await Receiver.with { receiver in
            try await FaultyLink.with(to: receiver.port) { link in
                try await TemporaryFolder.with { folder in
                    // Three parts of 5 MiB go side by side on connections of their own; none gets far.
                    link.set { $0.bytesUp = 6 << 20 }
                    try await ClusterFixture.serve(at: folder) { cluster in
                        try await cluster.create("s", script: Self.large, more: Self.outputs(link.port))
                        _ = try await Self.post("32", cluster)
                        try await eventually("some parts have arrived") {
                            let backlog = try await cluster.state.deliveryBacklogs()
                            guard backlog.first?.attempts ?? 0 >= 1 else { return false }
                            let id = try await cluster.state.newestDelivery()
                            return try await cluster.state.parts(ofDelivery: id).count >= 2
                        }
                    }
                    link.set { $0.bytesUp = nil }
                    let before = link.bytesUp
                    try await ClusterFixture.serve(at: folder) { cluster in
                        let id = try await cluster.state.newestDelivery()
                        let parts = id == 0 ? 7 : try await cluster.state.parts(ofDelivery: id).count
                        try await cluster.ended(1)
                        // Without what was there already, and with room for heads.
                        #expect(link.bytesUp - before < (32 - parts * 5) << 20 + (1 << 20))
                    }
                    #expect(try await receiver.events() == ["out/large"])
                    #expect(try await receiver.bytes("out/large") == Self.largeBytes(32))
                    #expect(try await receiver.openUploads() == 0)
                }
            }
        }
    }

    @Test("a link that flaps loses and doubles nothing", arguments: [1, 2] as [UInt64])
    func flaps(seed: UInt64) async throws {
        try await Receiver.with { receiver in
            try await FaultyLink.with(to: receiver.port) { link in
                try await ClusterFixture.serve { cluster in
                    var random = SeededGenerator(seed: seed)
                    try await cluster.create("s", script: Self.script, more: Self.outputs(link.port))
                    var texts: [String] = []
                    for index in 100..<140 {
                        let text =
                            "file-\(index)" + String(repeating: "x", count: Int.random(in: 0...20_000, using: &random))
                        texts.append(text)
                        _ = try await Self.post(text, cluster)
                    }
                    // Until all has arrived over a link that gets better with time.
                    for round in 1...1000 {
                        if try await cluster.allJobs().allSatisfy(\.state.isFinal) { break }
                        let isUp = Int.random(in: 0..<4, using: &random) > 0
                        link.set { faults in
                            faults.isDown = !isUp
                            faults.bytesUp = Int.random(in: 0...(1000 * round), using: &random)
                            faults.bytesDown = Int.random(in: 0...(500 * round), using: &random)
                        }
                        try await Task.sleep(for: .milliseconds(5))
                    }
                    link.set { $0 = FaultyLink.Faults() }
                    #expect(try await cluster.ended(40).allSatisfy { $0.state == .succeeded })
                    #expect(link.broken > 0)
                    #expect(try await receiver.events().sorted() == texts.map { "out/\($0.prefix(8))" }, "seed \(seed)")
                    for text in texts {
                        #expect(try await receiver.bytes("out/\(text.prefix(8))") == Array(text.utf8), "seed \(seed)")
                    }
                    try await eventually("nothing is left") {
                        try cluster.names(cluster.data.deliveries).isEmpty
                    }
                }
            }
        }
    }

    @Test("results for one place arrive in the order in which they were made")
    func order() async throws {
        try await Receiver.with { receiver in
            try await FaultyLink.with(to: receiver.port) { link in
                try await ClusterFixture.serve { cluster in
                    let script = "cat \"$INPUT_FILE_PATH\" > \"$TMP_OUTPUT_DIR/latest\""
                    try await cluster.create("s", script: script, more: Self.outputs(link.port))
                    link.set { $0.isDown = true }
                    for number in 1...8 {
                        let job = try await Self.post("\(number)", cluster)
                        try await cluster.wait(job, for: .delivering)
                    }
                    link.set { ($0.isDown, $0.bytesDown, $0.breaks) = (false, 0, 4) }
                    try await cluster.ended(8)
                    #expect(try await receiver.events() == Array(repeating: "out/latest", count: 8))
                    #expect(try await receiver.bytes("out/latest") == Array("8".utf8))
                }
            }
        }
    }

    @Test("a limit and a closed window hold for a link, and say so")
    func limits() async throws {
        try await Receiver.with { receiver in
            try await ClusterFixture.serve { cluster in
                let minute = ClusterFixture.now().seconds / 60 % 1440
                func time(_ offset: Int64) -> String {
                    let minute = (minute + offset) % 1440
                    return "\(minute / 600)\(minute / 60 % 10):\(minute % 60 / 10)\(minute % 10)"
                }
                let later: JSONObject = ["windows": .array([.string("\(time(120))-\(time(180))")])]
                let closed = ClusterFixture.definition(
                    "s", script: Self.script, more: Self.outputs(receiver.port, later))
                try await cluster.registry.create(closed, owner: "o")
                let job = try await Self.post("result-1", cluster)
                try await cluster.wait(job, for: .delivering)
                let service = try ServiceName("s")
                let reason = try await eventually("it says why") {
                    try await cluster.jobs.job(job, of: service).reason.flatMap { $0.contains("closed") ? $0 : nil }
                }
                #expect(reason.hasPrefix("the link to minio.cloud is closed until "))
                #expect(try await cluster.desk.destinations().first?.state.activity == .closed)
                #expect(try await receiver.events() == [])
                // Open now, and slow.
                let open: JSONObject = [
                    "windows": .array([.string("\(time(1380))-\(time(180))")]), "bandwidth": .string("200B/s"),
                ]
                try await cluster.registry.update(
                    ClusterFixture.definition("s", script: Self.script, more: Self.outputs(receiver.port, open)))
                try await cluster.wait(job, for: .succeeded)
                #expect(try await receiver.events() == ["out/result-1"])
            }
        }
    }

    @Test("a store that asks to wait is left alone until then, or until somebody says otherwise")
    func retryAfter() async throws {
        let isBusy = Mutex(true)
        let store = FakeStore(buckets: ["results"])
        let answer: LoopbackServer.Handler = { request in
            guard isBusy.withLock({ $0 }) else { return store.answer(request) }
            var response = FakeStore.error(.serviceUnavailable, "SlowDown", "later")
            response.headers.add(name: "Retry-After", value: "1800")
            return response
        }
        try await LoopbackServer.with(answer) { port in
            try await ClusterFixture.serve { cluster in
                try await cluster.create("s", script: Self.script, more: Self.outputs(port))
                let job = try await Self.post("result-1", cluster)
                let view = try await eventually("it rests") {
                    try await cluster.desk.destinations().first.flatMap { $0.state.activity == .resting ? $0 : nil }
                }
                #expect(view.name == "s/minio.cloud" && view.waiting == 1 && view.bytes?.bytes == 8)
                let pause = try #require(view.state.next) - ClusterFixture.now()
                #expect(pause > .seconds(1700) && pause <= .seconds(1800))
                isBusy.withLock { $0 = false }
                #expect(try await cluster.desk.retry("s/minio.cloud") == 1)
                try await cluster.wait(job, for: .succeeded)
                #expect(try await cluster.desk.destinations().isEmpty)
                await #expect(throws: ClusterError.self) { try await cluster.desk.retry("s/minio.cloud") }
                await #expect(throws: ClusterError.self) { try await cluster.desk.drop("nobody", principal: "p") }
            }
        }
    }

    @Test("twenty thousand results for a dead storage hold up nobody else")
    func starvation() async throws {
        let closed = try await LoopbackServer.closedPort()
        try await Receiver.with { receiver in
            try await ClusterFixture.serve { cluster in
                var more = Self.outputs(closed)
                let live = Self.outputs(receiver.port)["storage_providers"]?["minio"]?["cloud"] ?? .null
                more["storage_providers"] = .object([
                    "minio": .object([
                        "cloud": more["storage_providers"]?["minio"]?["cloud"] ?? .null, "live": live,
                    ])
                ])
                try await cluster.create("s", script: Self.script, more: more)
                let many = (0..<20_000).map {
                    NewDelivery(
                        provider: "minio.cloud", path: "results/x", name: "n\($0)", file: "0", size: ByteCount(8))
                }
                let one = NewDelivery(
                    provider: "minio.live", path: "results/out", name: "live", file: "0", size: ByteCount(8))
                let bulk = try JobName("s-bulk")
                try cluster.data.deliveries.appending(bulk.text).appending("0").write("12345678".utf8)
                try await cluster.state.enqueueDelivering(
                    NewJob(
                        name: bulk, service: try ServiceName("s"), eventSequence: nil, input: nil, principal: "p",
                        event: nil, created: ClusterFixture.now()), many + [one])
                _ = try await cluster.desk.retry(nil)
                try await eventually("it arrives") { try await receiver.events() == ["out/live"] }
                let backlog = try await eventually("its arrival is recorded") {
                    let backlog = try await cluster.desk.destinations()
                    return backlog.count == 1 ? backlog : nil
                }
                #expect(backlog.map(\.name) == ["s/minio.cloud"] && backlog[0].waiting == 20_000)
                // Given up for good: the job fails and says so, nothing is left.
                #expect(try await cluster.desk.drop("s/minio.cloud", principal: "me") == 20_000)
                let ended = try await cluster.wait(bulk, for: .failed)
                #expect(ended.message == "results for s/minio.cloud were given up by me")
                #expect(try cluster.names(cluster.data.deliveries).isEmpty)
                #expect(try await cluster.state.deliveryBytes() == .zero)
            }
        }
    }

    @Test("where more waits than may, the oldest is given up if that was chosen")
    func dropsOldest() async throws {
        let closed = try await LoopbackServer.closedPort()
        var options = ClusterFixture.Options()
        options.deliveryQuota = DeliveryQuota(limit: ByteCount(16), policy: .dropOldest)
        try await ClusterFixture.serve(options) { cluster in
            try await cluster.create("s", script: Self.script, more: Self.outputs(closed))
            var jobs: [JobName] = []
            for number in 1...3 {
                jobs.append(try await Self.post("result-\(number)", cluster))
                try await cluster.wait(jobs[number - 1], for: .delivering)
            }
            let lost = try await cluster.wait(jobs[0], for: .failed)
            #expect(lost.message?.contains("given up: more than 16 B") == true, "\(lost.message ?? "")")
            #expect(try await cluster.state.deliveryBytes() == ByteCount(16))
            try await eventually("its file is gone") { try cluster.names(cluster.data.deliveries).count == 2 }
        }
    }

    @Test("where more waits than may, jobs that would make more wait, and say so; others go on")
    func holdsBack() async throws {
        try await Receiver.with { receiver in
            try await FaultyLink.with(to: receiver.port) { link in
                var options = ClusterFixture.Options()
                options.deliveryQuota = DeliveryQuota(limit: ByteCount(16))
                try await ClusterFixture.serve(options) { cluster in
                    try await cluster.create("s", script: Self.script, more: Self.outputs(link.port))
                    try await cluster.create("own", script: "true")
                    link.set { $0.isDown = true }
                    for number in 1...2 {
                        try await cluster.wait(try await Self.post("result-\(number)", cluster), for: .delivering)
                    }
                    let service = try ServiceName("s")
                    try await eventually("it is held") {
                        cluster.scheduler.reason(for: service, demand: .zero, isFirst: true).description
                            .contains("more than 16 B wait")
                    }
                    let third = try await Self.post("result-3", cluster)
                    let own = try await cluster.jobs.post([], to: try ServiceName("own"), name: nil, principal: "p")
                    try await cluster.wait(own, for: .succeeded)
                    let waiting = try await cluster.jobs.job(third, of: service)
                    #expect(waiting.record.state == .queued)
                    #expect(waiting.reason?.hasPrefix("its results go to another storage") == true)
                    link.set { $0.isDown = false }
                    try await cluster.wait(third, for: .succeeded)
                    #expect(try await receiver.events().count == 3)
                }
            }
        }
    }

    @Test("an upload that was given up is aborted at the other side")
    func abandoned() async throws {
        try await Receiver.with { receiver in
            try await FaultyLink.with(to: receiver.port) { link in
                try await ClusterFixture.serve { cluster in
                    try await cluster.create("s", script: Self.large, more: Self.outputs(link.port))
                    link.set { $0.bytesUp = 1 << 20 }
                    let job = try await Self.post("6", cluster)
                    try await eventually("an upload is under way") { try await receiver.openUploads() == 1 }
                    try await eventually("and known") {
                        let id = try await cluster.state.newestDelivery()
                        return try await cluster.state.delivery(id)?.upload != nil
                    }
                    try await cluster.jobs.remove(job, of: try ServiceName("s"))
                    link.set { $0.bytesUp = nil }
                    // With the next news of any kind.
                    _ = try await cluster.desk.retry(nil)
                    try await eventually("it is aborted") {
                        if try await receiver.openUploads() == 0 { return true }
                        _ = try await cluster.desk.retry(nil)
                        return false
                    }
                    #expect(try await receiver.events().isEmpty)
                }
            }
        }
    }
}
