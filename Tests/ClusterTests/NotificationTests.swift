import ClusterTesting
import DurableSQLite
import LoopbackServer
import Model
import NIOCore
import NIOHTTP1
import ObjectEngine
import S3Wire
import StateStore
import Synchronization
import SystemPackage
import TestKit
import Testing

@testable import Cluster

@Suite("Notifications of buckets", .serialized, .timeLimit(.minutes(2)))
struct NotificationTests {
    static func rule(
        _ target: String,
        _ events: NotificationEvent...,
        prefix: String? = nil,
        suffix: String? = nil
    ) -> NotificationRule {
        NotificationRule(
            id: target, arn: "arn:minio:sqs::\(target):webhook", events: events.isEmpty ? [.created] : events,
            prefix: prefix, suffix: suffix
        )
    }

    /// Writes a bucket's configuration, as the S3 face does.
    static func notify(_ cluster: ClusterFixture, _ bucket: String, _ rules: NotificationRule...) async throws {
        let name = try BucketName(bucket)
        _ = try await cluster.objects.createBucket(name, owner: "o")
        let configuration = NotificationConfiguration(rules: rules)
        try await cluster.objects.set(
            [
                .notification: String(decoding: configuration.xml, as: UTF8.self),
                .removalEvents: configuration.asks(for: ["s3:ObjectRemoved:"]) ? "asked" : nil,
            ],
            of: name
        )
    }

    /// What a webhook has got, and how it answers.
    final class Ear: Sendable {
        struct Heard: Sendable, Hashable {
            let key: String
            let event: String
            let authorization: String?
            let trace: String?
        }

        private let heard = Mutex<[Heard]>([])
        private let answers = Mutex<[HTTPResponseStatus]>([])

        /// What it answers first; then it is content.
        init(answering first: [HTTPResponseStatus] = []) { answers.withLock { $0 = first } }

        var all: [Heard] { heard.withLock { $0 } }
        var keys: [String] { all.map(\.key) }
        var handler: LoopbackServer.Handler { { self.answer($0) } }

        func answer(_ request: LoopbackRequest) -> LoopbackResponse {
            let document = try? JSONValue.parse(request.text)
            let next = answers.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            if let next { return LoopbackResponse(next, text: "not now") }
            heard.withLock {
                $0.append(
                    Heard(
                        key: document?["Key"]?.stringValue ?? "", event: document?["EventName"]?.stringValue ?? "",
                        authorization: request.headers.first(name: "authorization"),
                        trace: request.headers.first(name: "traceparent")
                    )
                )
            }
            return LoopbackResponse(.noContent)
        }
    }

    static func options(_ webhooks: Webhook...) -> ClusterFixture.Options {
        var options = ClusterFixture.Options()
        options.webhooks = webhooks
        return options
    }

    // MARK: Services

    @Test("a service is triggered as by an input of its own, once for each event")
    func service() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create(
                "s", script: "cat \"$INPUT_FILE_PATH\" > \"$TMP_OUTPUT_DIR/$(basename \"$INPUT_FILE_PATH\").out\"",
                input: ["bkt/in"], output: ["results/out"]
            )
            try await Self.notify(cluster, "bkt", Self.rule("s", prefix: "more/"))
            try await cluster.put("one", "in/1", in: "bkt")
            try await cluster.put("two", "more/2", in: "bkt")
            try await cluster.put("folder", "more/", in: "bkt")
            try await cluster.put("three", "other/3", in: "bkt")
            let jobs = try await cluster.ended(2, of: "s")
            #expect(jobs.map(\.state) == [.succeeded, .succeeded])
            #expect(try await cluster.text("out/2.out", in: "results") == "two")
            // A rule for what the input covers anyway makes no second job.
            try await Self.notify(cluster, "bkt", Self.rule("s", prefix: "in/"))
            try await cluster.put("four", "in/4", in: "bkt")
            try await cluster.put("five", "in/5", in: "bkt")
            #expect(try await cluster.ended(4, of: "s").count == 4)
        }
    }

    @Test("a service that wants to know of removals gets the event; inputs are not triggered by them")
    func removal() async throws {
        try await ClusterFixture.serve { cluster in
            let script = "cat \"$INPUT_FILE_PATH\" > \"$TMP_OUTPUT_DIR/event.json\"; echo \"$STORAGE_OBJECT_KEY\""
            try await cluster.create("s", script: script, output: ["results/out"])
            try await cluster.create("by-input", script: "true", input: ["bkt/in"])
            try await Self.notify(cluster, "bkt", Self.rule("s", .removed))
            try await cluster.put("one", "in/1", in: "bkt")
            try await cluster.ended(1, of: "by-input")
            _ = try await cluster.objects.delete([try ObjectKey("in/1")], in: try BucketName("bkt"))
            let job = try #require(try await cluster.ended(1, of: "s").first)
            #expect(job.state == .succeeded, "\(job)")
            #expect(try await cluster.log(job).contains("in/1"))
            let text = try #require(try await cluster.text("out/event.json", in: "results"))
            let event = try JSONValue.parse(text)
            #expect(event["EventName"]?.stringValue == "s3:ObjectRemoved:Delete")
            #expect(try await cluster.allJobs("by-input").count == 1)
        }
    }

    @Test("names that nobody has, and services that would trigger themselves, are refused")
    func refusals() async throws {
        try await ClusterFixture.serve(Self.options(Webhook(name: "audit", url: "http://127.0.0.1:1"))) { cluster in
            let bucket = try BucketName("results")
            try await cluster.create("s", script: "true", output: ["results/out"])
            func refusal(_ rule: NotificationRule) -> String? {
                cluster.notifications.refusal(of: rule, in: bucket, by: .administrator(name: "a"))
            }
            #expect(refusal(Self.rule("audit")) == nil)
            #expect(refusal(Self.rule("nobody"))?.contains("\"nobody\"") == true)
            var foreign = Self.rule("s")
            foreign.arn = "arn:aws:sqs:us-east-1:1:q"
            #expect(refusal(foreign)?.contains("not well formed") == true)
            #expect(refusal(Self.rule("s"))?.contains("trigger it again") == true)
            #expect(refusal(Self.rule("s", prefix: "out/deeper/"))?.contains("trigger it again") == true)
            #expect(refusal(Self.rule("s", prefix: "in/")) == nil)
            #expect(refusal(Self.rule("s", .removed)) == nil)
            // And the other way round: the notification is there first.
            try await Self.notify(cluster, "later", Self.rule("t", prefix: "x/"))
            await #expect(throws: ClusterError.self) {
                try await cluster.create("t", script: "true", output: ["later/x"])
            }
            try await cluster.create("t", script: "true", output: ["later/y"])
        }
    }

    // MARK: Webhooks

    @Test("a webhook is told in order, with its token, of what it asked for")
    func webhook() async throws {
        let ear = Ear()
        try await LoopbackServer.with(ear.handler) { port in
            let hook = Webhook(name: "audit", url: "http://127.0.0.1:\(port)/hook", token: "secret")
            try await ClusterFixture.serve(Self.options(hook)) { cluster in
                try await Self.notify(
                    cluster, "bkt", Self.rule("audit", .createdByPut, .removed, prefix: "in/", suffix: ".txt"),
                    Self.rule("unknown", prefix: "other/")
                )
                for number in 0..<40 { try await cluster.put("x", "in/\(number).txt", in: "bkt") }
                try await cluster.put("x", "in/no.jpg", in: "bkt")
                try await cluster.put("x", "other/no.txt", in: "bkt")
                let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
                try await TraceContext.$current.withValue(TraceContext(traceparent: trace)) {
                    _ = try await cluster.objects.delete(
                        [try ObjectKey("in/0.txt")], in: try BucketName("bkt"),
                        origin: RequestOrigin(principal: "tester", sourceAddress: "192.0.2.1"))
                }
                try await eventually("all was told") { ear.keys.count == 41 }
                #expect(ear.keys == (0..<40).map { "bkt/in/\($0).txt" } + ["bkt/in/0.txt"])
                #expect(ear.all.last?.event == "s3:ObjectRemoved:Delete")
                #expect(Set(ear.all.map(\.authorization)) == ["Bearer secret"])
                #expect(ear.all.map(\.trace) == Array(repeating: nil, count: 40) + [trace])
                try await eventually("nothing waits") { try await cluster.state.webhookDeliveryCounts().isEmpty }
            }
        }
    }

    @Test("a webhook that flaps gets everything, in order, at least once")
    func flapping() async throws {
        let ear = Ear(answering: [.internalServerError, .serviceUnavailable, .found, .badRequest, .tooManyRequests])
        let calls = Mutex(0)
        let answer: LoopbackServer.Handler = { request in
            let call = calls.withLock { count in
                count += 1
                return count
            }
            // Every fifth answer breaks off, after the event was heard.
            let heard = ear.answer(request)
            return call > 5 && call % 5 == 0 ? LoopbackResponse(body: .truncated(.init(), length: 10)) : heard
        }
        try await LoopbackServer.with(answer) { port in
            let hook = Webhook(name: "audit", url: "http://127.0.0.1:\(port)")
            try await ClusterFixture.serve(Self.options(hook)) { cluster in
                try await Self.notify(cluster, "bkt", Self.rule("audit"))
                for number in 0..<30 { try await cluster.put("x", "\(number)", in: "bkt") }
                try await eventually("nothing waits") {
                    try await cluster.state.webhookDeliveryCounts().isEmpty && Set(ear.keys).count == 30
                }
                var first: [String] = []
                for key in ear.keys where !first.contains(key) { first.append(key) }
                #expect(first == (0..<30).map { "bkt/\($0)" })
            }
        }
    }

    @Test("what waits survives a restart, and is told first")
    func restart() async throws {
        let ear = Ear()
        let closed = try await LoopbackServer.closedPort()
        try await TemporaryFolder.with { folder in
            let down = Webhook(name: "audit", url: "http://127.0.0.1:\(closed)")
            try await ClusterFixture.serve(at: folder, Self.options(down)) { cluster in
                try await Self.notify(cluster, "bkt", Self.rule("audit"))
                for number in 0..<20 { try await cluster.put("x", "\(number)", in: "bkt") }
                try await eventually("all wait") {
                    try await cluster.state.webhookDeliveryCounts() == ["audit": 20]
                }
            }
            // Not declared for once: nothing is lost.
            try await ClusterFixture.serve(at: folder) { cluster in
                try await cluster.put("x", "20", in: "bkt")
                try await eventually("it waits") { try await cluster.state.webhookDeliveryCounts() == ["audit": 21] }
            }
            try await LoopbackServer.with(ear.handler) { port in
                let up = Webhook(name: "audit", url: "http://127.0.0.1:\(port)")
                try await ClusterFixture.serve(at: folder, Self.options(up)) { cluster in
                    try await cluster.put("x", "21", in: "bkt")
                    try await eventually("all was told") {
                        try await cluster.state.webhookDeliveryCounts().isEmpty && ear.keys.count == 22
                    }
                }
            }
        }
        #expect(ear.keys == (0...21).map { "bkt/\($0)" })
    }

    @Test("a webhook that is neither declared nor named any more is given up at a start")
    func givenUp() async throws {
        let closed = try await LoopbackServer.closedPort()
        try await TemporaryFolder.with { folder in
            let hook = Webhook(name: "audit", url: "http://127.0.0.1:\(closed)")
            try await ClusterFixture.serve(at: folder, Self.options(hook)) { cluster in
                try await Self.notify(cluster, "bkt", Self.rule("audit"))
                try await cluster.put("x", "1", in: "bkt")
                try await eventually("it waits") { try await cluster.state.webhookDeliveryCounts() == ["audit": 1] }
                try await cluster.objects.set([.notification: nil], of: try BucketName("bkt"))
            }
            try await ClusterFixture.serve(at: folder) { cluster in
                let counts = try await cluster.state.webhookDeliveryCounts()
                #expect(counts.isEmpty)
            }
        }
    }

    @Test("a bucket that is deleted before its last events are routed: they go where its configuration said")
    func deletedBucket() async throws {
        let closed = try await LoopbackServer.closedPort()
        let hooks = ["first", "second"].map { Webhook(name: $0, url: "http://127.0.0.1:\(closed)") }
        try await TemporaryFolder.with { folder in
            let cluster = try await ClusterFixture(at: folder, Self.options(hooks[0], hooks[1]))
            let bucket = try BucketName("bkt")
            // Nobody routes yet.
            try await Self.notify(cluster, "bkt", Self.rule("first", .created, .removed, prefix: "in/"))
            try await cluster.put("x", "in/1", in: "bkt")
            try await cluster.put("x", "out/1", in: "bkt")
            _ = try await cluster.objects.delete(["in/1", "out/1"].map { try ObjectKey($0) }, in: bucket)
            try await cluster.objects.deleteBucket(bucket)
            // Others of the same name, the first of which tells nobody.
            _ = try await cluster.objects.createBucket(bucket, owner: "o")
            try await cluster.put("x", "in/2", in: "bkt")
            try await cluster.objects.deleteBucket(bucket, includingContent: true)
            try await Self.notify(cluster, "bkt", Self.rule("second"))
            try await cluster.put("x", "in/3", in: "bkt")
            try await cluster.whileServing {
                try await eventually("all wait for their webhooks") {
                    try await cluster.state.webhookDeliveryCounts() == ["first": 2, "second": 1]
                }
            }
            let last = try await cluster.state.routerPosition()
            #expect(try await cluster.objects.departures(since: 0).isEmpty, "behind \(last) nobody needs them")
            await cluster.close()
        }
    }

    @Test("routed events are kept until what they came to is on the disk")
    func discard() async throws {
        let closed = try await LoopbackServer.closedPort()
        let isBroken = Mutex(false)
        var options = Self.options(Webhook(name: "audit", url: "http://127.0.0.1:\(closed)"))
        options.stateDurability = .batch
        options.aroundStateSync = { _, sync in
            if isBroken.withLock({ $0 }) { throw Errno.ioError }
            try sync()
        }
        try await TemporaryFolder.with { [options] folder in
            for isLost in [true, false] {
                isBroken.withLock { $0 = false }
                let cluster = try await ClusterFixture(at: folder, options)
                try await cluster.whileServing {
                    try await Self.notify(cluster, "bkt", Self.rule("audit"))
                    isBroken.withLock { $0 = isLost }
                    try await cluster.put("x", "1", in: "bkt")
                    try await eventually("it waits") {
                        try await cluster.state.webhookDeliveryCounts() != [:]
                    }
                }
                #expect(try await cluster.objects.events(after: 0, limit: 9).isEmpty == !isLost)
                await cluster.close()
            }
        }
    }

    @Test("an event whose answer begins well and never ends is told once")
    func endlessAnswer() async throws {
        let ear = Ear()
        let answer: LoopbackServer.Handler = { request in
            _ = ear.answer(request)
            return LoopbackResponse(body: .stream(AsyncStream { _ in }))
        }
        try await LoopbackServer.with(answer) { port in
            var options = Self.options(Webhook(name: "audit", url: "http://127.0.0.1:\(port)"))
            options.webhookTimeout = .seconds(1)
            try await ClusterFixture.serve(options) { cluster in
                try await Self.notify(cluster, "bkt", Self.rule("audit"))
                for number in 0..<3 { try await cluster.put("x", "\(number)", in: "bkt") }
                try await eventually("nothing waits") {
                    try await cluster.state.webhookDeliveryCounts().isEmpty && ear.keys.count >= 3
                }
            }
            #expect(ear.keys == (0..<3).map { "bkt/\($0)" })
        }
    }

    @Test("a webhook that never answers holds up no other, and does not hold up the end")
    func slow() async throws {
        let ear = Ear()
        let silent: LoopbackServer.Handler = { _ in
            try? await Task.sleep(for: .seconds(3600))  // Until the server is stopped.
            return LoopbackResponse()
        }
        try await LoopbackServer.with(silent) { slow in
            try await LoopbackServer.with(ear.handler) { quick in
                let hooks = [
                    Webhook(name: "quick", url: "http://127.0.0.1:\(quick)", token: "Basic abc"),
                    Webhook(name: "slow", url: "http://127.0.0.1:\(slow)"),
                ]
                var options = ClusterFixture.Options()
                options.webhooks = hooks
                options.webhookTimeout = .milliseconds(50)
                try await ClusterFixture.serve(options) { cluster in
                    try await Self.notify(
                        cluster, "bkt", Self.rule("slow", prefix: "s/"), Self.rule("quick", prefix: "q/"))
                    for number in 0..<10 {
                        try await cluster.put("x", "s/\(number)", in: "bkt")
                        try await cluster.put("x", "q/\(number)", in: "bkt")
                    }
                    try await eventually("the quick one was told") {
                        try await cluster.state.webhookDeliveryCounts() == ["slow": 10]
                    }
                    #expect(Set(ear.keys).count == 10 && ear.all.first?.authorization == "Basic abc")
                }
            }
        }
    }
}
