import ClusterTesting
import LoopbackServer
import Model
import NIOCore
import ObjectEngine
import Scheduling
import StateStore
import SystemPackage
import TestKit
import Testing

@testable import Cluster

@Suite("The life of jobs: attempts, retries, dead letters, cancelling", .serialized, .timeLimit(.minutes(3)))
struct JobLifeTests {
    /// Succeeds at its third attempt; each attempt says its number.
    static func thirdTime(_ mark: FilePath, code: Int = 75) -> String {
        """
        n=$(cat '\(mark)' 2>/dev/null || echo 0); n=$((n + 1)); echo $n > '\(mark)'; echo "attempt $n"
        [ $n -ge 3 ] || exit \(code)
        echo done > "$TMP_OUTPUT_DIR/r"
        """
    }

    static func retry(_ members: JSONObject) -> JSONObject {
        var retry: JSONObject = ["backoff": .string("10ms"), "maximum_backoff": .string("20ms")]
        for (key, value) in members.members { retry[key] = value }
        return ["retry": .object(retry)]
    }

    @Test("a script that fails is tried again after a pause, each attempt with its record and its log")
    func retries() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create(
                "s", script: Self.thirdTime(cluster.data.root.appending("n")), input: ["bkt/in"], output: ["bkt/out"],
                more: Self.retry(["script": .integer(5), "exit_codes": .array([.integer(75)])]))
            try await cluster.put("x", "in/1", in: "bkt")
            let job = try #require(try await cluster.ended(1).first)
            #expect(job.state == .succeeded && job.attempts == 3 && job.exitCode == 0, "\(job)")
            let attempts = try await cluster.state.attempts(of: job.number)
            #expect(attempts.map(\.outcome) == [.script, .script, .succeeded])
            #expect(attempts.map(\.exitCode) == [75, 75, 0])
            #expect(attempts.allSatisfy { $0.node == "node" && $0.sandbox == "process" && $0.ended != nil })
            for number in 1...3 {
                #expect(try await cluster.log(job, attempt: number).hasPrefix("attempt \(number)\n"))
            }
            #expect(try await cluster.keys("bkt") == ["in/1", "out/r"])
            try await eventually("the work folder is empty") { try cluster.names(cluster.data.work).isEmpty }
        }
    }

    @Test("an exit code that is not to be tried again fails at once; one that is makes the job dead in the end")
    func deadAndFailed() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create(
                "s", script: "exit $(cat \"$INPUT_FILE_PATH\")", input: ["bkt/in"],
                more: Self.retry(["script": .integer(2), "exit_codes": .array([.integer(75)])]))
            try await cluster.put("3", "in/1", in: "bkt")
            try await cluster.put("75", "in/2", in: "bkt")
            let jobs = try await cluster.ended(2)
            #expect(jobs[0].state == .failed && jobs[0].attempts == 1 && jobs[0].exitCode == 3)
            #expect(jobs[1].state == .dead && jobs[1].attempts == 3 && jobs[1].exitCode == 75)
            #expect(cluster.scheduler.free == cluster.scheduler.capacity)
            // Mended, the dead one succeeds with the event that it had.
            try await cluster.registry.update(
                ClusterFixture.definition("s", script: "cat \"$INPUT_FILE_PATH\"", input: ["bkt/in"]))
            #expect(try await cluster.jobs.sendAgain(JobFilter(states: [.dead])) == 1)
            let again = try await cluster.wait(jobs[1].name, for: .succeeded)
            #expect(again.attempts == 4 && again.round == 3)
            #expect(try await cluster.log(again) == "75")
            #expect(try await cluster.log(again, attempt: 1).contains("exit code 75"))
            try await cluster.jobs.sendAgain(jobs[0].name)
            try await cluster.wait(jobs[0].name, for: .succeeded)
            await #expect(throws: ClusterError.self) { try await cluster.jobs.sendAgain(jobs[0].name) }
        }
    }

    @Test("a time-out and memory have their own words; nobody knows about memory without control groups")
    func endings() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create(
                "slow", script: "sleep 100", more: ["timeout": .string("1s")])
            try await cluster.create("killed", script: "kill -9 $$")
            for name in ["slow", "killed"] {
                _ = try await cluster.jobs.post([], to: try ServiceName(name), name: nil, principal: "p")
            }
            try await cluster.ended(2)
            let slow = try #require(try await cluster.allJobs("slow").first)
            #expect(try await cluster.state.attempts(of: slow.number).map(\.outcome) == [.timeout])
            let killed = try #require(try await cluster.allJobs("killed").first)
            let attempt = try #require(try await cluster.state.attempts(of: killed.number).first)
            #expect(attempt.outcome == .script && attempt.exitCode == 137 && attempt.signal == 9)
            #expect(attempt.isOutOfMemory != true)
        }
    }

    @Test("a waiting job says when it runs next and why; it survives a restart, and runs at once where somebody wants")
    func waiting() async throws {
        try await TemporaryFolder.with { folder in
            let name = try JobName("waiting-1")
            try await ClusterFixture.serve(at: folder) { cluster in
                try await cluster.create(
                    "s", script: Self.thirdTime(cluster.data.root.appending("n")),
                    more: [
                        "retry": .object([
                            "script": .integer(5), "backoff": .string("1h"), "maximum_backoff": .string("1h"),
                        ])
                    ])
                _ = try await cluster.jobs.post([1], to: try ServiceName("s"), name: name, principal: "p")
                let job = try await eventually("it waits") {
                    try await cluster.state.job(named: name).flatMap { $0.notBefore == nil ? nil : $0 }
                }
                #expect(job.state == .queued && job.attempts == 1)
                let view = try await cluster.jobs.job(name)
                #expect(view.reason?.contains("for attempt 2, because the last one failed: the script ended") == true)
                #expect(cluster.scheduler.free == cluster.scheduler.capacity)
                #expect(try cluster.names(cluster.data.work).isEmpty)
            }
            try await ClusterFixture.serve(at: folder) { cluster in
                #expect(try await cluster.state.job(named: name)?.notBefore != nil)
                try await cluster.jobs.sendAgain(name)
                try await eventually("it waits again") {
                    let job = try await cluster.state.job(named: name)
                    return job?.attempts == 2 && job?.notBefore != nil
                }
                try await cluster.jobs.sendAgain(name)
                let ended = try await cluster.wait(name, for: .succeeded)
                #expect(ended.attempts == 3 && ended.round == 0)
            }
        }
    }

    @Test("a stage out that fails is the cluster's failure: tried again, and nothing is left in the delivery folder")
    func stageOutFails() async throws {
        try await ClusterFixture.serve { cluster in
            var more = DeliveryTests.outputs(["cloud": 1])
            for (key, value) in Self.retry(["infrastructure": .integer(1)]).members { more[key] = value }
            // A file where the folder for deliveries is to be made.
            let blocker = cluster.data.deliveries.appending("stuck-1").appending("0")
            _ = try blocker.appending("x").write("in the way".utf8)
            try await cluster.create("s", script: "echo x > \"$TMP_OUTPUT_DIR/r\"", more: more)
            _ = try await cluster.jobs.post([], to: try ServiceName("s"), name: try JobName("stuck-1"), principal: "p")
            let job = try await eventually("the first attempt failed") {
                try await cluster.state.job(named: try JobName("stuck-1")).flatMap { $0.attempts > 1 ? $0 : nil }
            }
            let attempts = try await cluster.state.attempts(of: job.number)
            #expect(attempts.first?.outcome == .infrastructure)
            // The way is free for the second one.
            try await cluster.wait(job.name, for: .delivering)
            try await cluster.jobs.cancel(job.name, by: "me")
            #expect(try cluster.names(cluster.data.deliveries).isEmpty)
        }
    }

    // MARK: Cancelling

    @Test("cancelling: waiting, running, delivering; twice is once; the ended are refused")
    func cancel() async throws {
        let closed = try await LoopbackServer.closedPort()
        try await ClusterFixture.serve { cluster in
            let mark = cluster.data.root.appending("pid")
            var more = DeliveryTests.outputs(["cloud": closed], local: true)
            more["cpu"] = .string("3")
            try await cluster.create(
                "s", script: "echo x > \"$TMP_OUTPUT_DIR/r\"; echo $$ > '\(mark)'; exec sleep 1000",
                more: more)
            try await cluster.create(
                "d", script: "echo x > \"$TMP_OUTPUT_DIR/r\"", more: DeliveryTests.outputs(["cloud": closed]))
            let service = try ServiceName("s")
            let running = try await cluster.jobs.post([], to: service, name: nil, principal: "p")
            try await cluster.wait(running, for: .running)
            let waiting = try await cluster.jobs.post([], to: service, name: nil, principal: "p")
            for _ in 0..<2 { try await cluster.jobs.cancel(waiting, by: "me") }
            let first = try #require(try await cluster.state.job(named: waiting))
            #expect(first.state == .cancelled && first.attempts == 0 && first.message == "cancelled by me")
            let process = try await eventually("the script runs") {
                try mark.readAll().flatMap { Int(String(decoding: $0, as: UTF8.self).prefix { $0 != "\n" }) }
            }
            for _ in 0..<2 { try await cluster.jobs.cancel(running, by: "me") }
            try await eventually("the script is gone, and what it held is free") {
                try FilePath("/proc/\(process)/stat").readAll() == nil
                    && cluster.scheduler.free == cluster.scheduler.capacity
            }
            let second = try #require(try await cluster.state.job(named: running))
            #expect(second.state == .cancelled)
            #expect(try await cluster.state.attempts(of: second.number).map(\.outcome) == [.cancelled])
            #expect(try await cluster.keys("bkt").isEmpty)
            try await eventually("the work folder is empty") { try cluster.names(cluster.data.work).isEmpty }

            let delivering = try await cluster.jobs.post([], to: try ServiceName("d"), name: nil, principal: "p")
            try await cluster.wait(delivering, for: .delivering)
            try await cluster.jobs.cancel(delivering, by: "me")
            #expect(try await cluster.state.deliveryCount() == 0)
            #expect(try cluster.names(cluster.data.deliveries).isEmpty)

            try await cluster.create("ok", script: "true")
            let ended = try await cluster.jobs.post([], to: try ServiceName("ok"), name: nil, principal: "p")
            try await cluster.wait(ended, for: .succeeded)
            await #expect { try await cluster.jobs.cancel(ended, by: "me") } throws: {
                ($0 as? ClusterError)?.code == .conflict
            }
        }
    }

    @Test("a cancelled job runs again where somebody wants, also with a large event; then its event goes")
    func cancelledAgain() async throws {
        var options = ClusterFixture.Options()
        options.capacity = Resources(cpu: MilliCPU(100), memory: ByteCount(1 << 30))
        let body = [UInt8](repeating: 0xE9, count: 100_000)
        try await ClusterFixture.serve(options) { cluster in
            try await cluster.create("s", script: "wc -c < \"$INPUT_FILE_PATH\"", more: ["cpu": .string("64")])
            try await cluster.create("huge", script: "true", more: ["cpu": .string("64")])
            let service = try ServiceName("s")
            let name = try await cluster.jobs.post(body, to: service, name: nil, principal: "p")
            try await cluster.jobs.cancel(name, by: "me")
            #expect(try cluster.names(cluster.data.events) == [name.text])
            try await cluster.registry.update(
                ClusterFixture.definition("s", script: "wc -c < \"$INPUT_FILE_PATH\""))
            try await cluster.jobs.sendAgain(name)
            let ended = try await cluster.wait(name, for: .succeeded)
            #expect(try await cluster.log(ended) == "100000\n")
            // Without its event a job is not run on an empty one.
            let lost = try await cluster.jobs.post(
                body, to: try ServiceName("huge"), name: nil, principal: "p")
            try await cluster.jobs.cancel(lost, by: "me")
            try await Folder.offload { try Folder.removeFile(cluster.data.events.appending(lost.text)) }
            try await cluster.registry.update(ClusterFixture.definition("huge", script: "true"))
            try await cluster.jobs.sendAgain(lost)
            try await cluster.wait(lost, for: .failed)
            try await eventually("the event is gone") { try cluster.names(cluster.data.events).isEmpty }
        }
    }

    // MARK: Failure outputs

    @Test("a failure is told in a bucket, once for each end, and is an event itself")
    func failureBucket() async throws {
        try await ClusterFixture.serve { cluster in
            var more = Self.retry(["script": .integer(1)])
            more["failure_output"] = .object(["storage_provider": .string("minio.default"), "path": .string("dead/s")])
            try await cluster.create(
                "s", script: "echo sorry; exit 9", input: ["bkt/in"], more: more)
            try await cluster.create("reader", script: "cat \"$INPUT_FILE_PATH\"", input: ["dead/s"])
            try await cluster.put("x", "in/1", in: "bkt")
            let reader = try await eventually("it was read") {
                try await cluster.allJobs("reader").first { $0.state == .succeeded }
            }
            let job = try #require(try await cluster.allJobs("s").first)
            #expect(job.state == .dead && reader.input?.key.text == "s/\(job.name).json")
            let json = try JSONValue.parse(try await cluster.log(reader))
            #expect(json["state"]?.stringValue == "dead" && json["attempts"]?.arrayValue?.count == 2)
            #expect(json["log"] == .strings(["sorry", "Apus: the script ended with exit code 9"]))
            #expect(json["event"]?["Records"]?[0]?["s3"]?["object"]?["key"]?.stringValue == "in%2F1")
            try await eventually("nothing is left to be told") {
                let notices = try await cluster.state.failureNotices(after: 0, limit: 9)
                let owners = try await cluster.objects.putOwners(limit: 9)
                return notices.isEmpty && owners.isEmpty
            }
            try await cluster.jobs.sendAgain(job.name)
            try await eventually("it was told again, once") { try await cluster.allJobs("reader").count == 2 }
            try await cluster.wait(job.name, for: .dead)
            #expect(try await cluster.allJobs("reader").count == 2)
        }
    }

    @Test("failure outputs that make no sense are refused")
    func refusedFailureOutputs() async throws {
        let refused: [JSONObject] = [
            ["path": .string("bkt/in/x")], ["webhook": .string("nobody")],
            ["webhook": .string("w"), "path": .string("b/x")], [:],
            ["storage_provider": .string("s3.aws"), "path": .string("b/x")], ["path": .string("Bad_Bucket/x")],
        ]
        try await ClusterFixture.serve { cluster in
            for output in refused {
                await #expect(throws: (any Error).self) {
                    try await cluster.create(
                        "s", script: "true", input: ["bkt/in"], more: ["failure_output": .object(output)])
                }
            }
            #expect(cluster.catalog.all.isEmpty)
        }
    }

    // MARK: Idempotence

    static func event(sequencer: String, key: String = "a") -> [UInt8] {
        Array(
            """
            {"EventName":"s3:ObjectCreated:Put","Key":"far/\(key)","Records":[{"eventName":"s3:ObjectCreated:Put",\
            "eventSource":"minio:s3","eventTime":"2026-01-01T00:00:00Z","s3":{"bucket":{"name":"far"},\
            "object":{"key":"\(key)","sequencer":"\(sequencer)"}}}]}
            """.utf8)
    }

    @Test("an event that another store posts twice makes one job; another place in its order makes another")
    func duplicateEvents() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create("s", script: "true", more: ["file_stage_in": .bool(true)])
            let service = try ServiceName("s")
            func post(_ event: [UInt8]) async throws -> PostedJob {
                try await cluster.jobs.post(event, to: service, name: nil, key: nil, principal: "p")
            }
            let first = try await post(Self.event(sequencer: "0A"))
            #expect(!first.isKnown)
            #expect(try await post(Self.event(sequencer: "0A")) == PostedJob(name: first.name, isKnown: true))
            try await cluster.wait(first.name, for: .succeeded)
            #expect(try await post(Self.event(sequencer: "0A")).isKnown)
            #expect(try await !post(Self.event(sequencer: "0B")).isKnown)
            #expect(try await !post(Self.event(sequencer: "0A", key: "b")).isKnown)
            for _ in 0..<2 { #expect(try await !post(Self.event(sequencer: "")).isKnown) }
            for _ in 0..<2 { #expect(try await !post(Array("plain".utf8)).isKnown) }
            #expect(try await cluster.ended(7).count == 7)
        }
    }

    @Test("results are put once, also where the attempt is made again after a power cut")
    func resultsOnce() async throws {
        try await TemporaryFolder.with { folder in
            try await ClusterFixture.open(at: folder) { cluster in
                try await cluster.create(
                    "s", script: "cat \"$INPUT_FILE_PATH\" > \"$TMP_OUTPUT_DIR/x\"", output: ["bkt/out"])
                try await cluster.create("next", script: "true", input: ["bkt/out"])
                _ = try await cluster.jobs.post(
                    Array("again".utf8), to: try ServiceName("s"), name: try JobName("same"), principal: "p")
                let job = try #require(try await cluster.state.job(named: try JobName("same")))
                // The script ended, its result was put, and the machine died before the end was recorded.
                _ = try await cluster.state.handle(
                    [.started, .scriptStarted, .scriptSucceeded], of: job.number, at: ClusterFixture.now())
                let staged = cluster.objects.stage()
                try await staged.write(ByteBuffer(string: "again"))
                _ = try await staged.finish()
                #expect(
                    try await cluster.objects.put(
                        staged, as: try ObjectKey("out/x"), in: try BucketName("bkt"), attributes: ObjectAttributes(),
                        onceFor: cluster.steps.owner(of: job),
                        origin: RequestOrigin(principal: "p", sourceAddress: "")))
                _ = try cluster.data.root.appending("boot-id").write("an earlier start".utf8)
            }
            try await ClusterFixture.serve(at: folder) { cluster in
                try await cluster.wait(try JobName("same"), for: .succeeded)
                try await cluster.ended(2)
                #expect(try await cluster.allJobs("next").count == 1)
                #expect(try await cluster.allJobs("s").first?.attempts == 2)
            }
            // The next start forgets what was put by jobs that have ended.
            try await ClusterFixture.serve(at: folder) { cluster async throws in
                #expect(try await cluster.objects.putOwners(limit: 9).isEmpty)
            }
        }
    }
}

@Suite("Keys of runs")
struct RunKeyTests {
    static func key(_ text: String) throws -> RunKeyTable.Key { .init(service: try ServiceName("s"), text: text) }
    static func answer(_ size: Int) -> KeptAnswer {
        KeptAnswer(contentType: "text/plain", isFailure: false, body: [UInt8](repeating: 1, count: size))
    }

    @Test("new, under way, known; what came to nothing is new again")
    func life() throws {
        var table = RunKeyTable()
        let key = try Self.key("k")
        let now = Instant(seconds: 100)
        #expect(table.begin(key, at: now) == .new)
        #expect(table.begin(key, at: now) == .underWay)
        table.abandoned(key)
        #expect(table.begin(key, at: now) == .new)
        table.answered(key, digest: [1], Self.answer(3), at: now)
        #expect(table.begin(key, at: now) == .known(digest: [1], Self.answer(3)))
        #expect(table.begin(try Self.key("l"), at: now) == .new)
        table.answered(try Self.key("l"), digest: [2], nil, at: now)
        #expect(table.begin(try Self.key("l"), at: now) == .known(digest: [2], nil))
    }

    @Test("bounded in time, number and bytes: the oldest go first")
    func bounds() throws {
        var table = RunKeyTable(limits: .init(count: 3, bytes: 100, age: .seconds(10)))
        for index in 0..<5 {
            table.answered(try Self.key("\(index)"), digest: [], Self.answer(10), at: Instant(seconds: 100))
        }
        #expect(table.count == 3 && table.bytes == 30)
        #expect(table.begin(try Self.key("1"), at: Instant(seconds: 100)) == .new)
        #expect(table.begin(try Self.key("4"), at: Instant(seconds: 110)) != .new)
        table.answered(try Self.key("large"), digest: [], Self.answer(95), at: Instant(seconds: 110))
        #expect(table.count == 1 && table.bytes == 95)
        #expect(table.begin(try Self.key("large"), at: Instant(seconds: 121)) == .new)
        #expect(table.count == 0 && table.bytes == 0)
        // A clock that was set back does not keep answers for ever.
        table.answered(try Self.key("a"), digest: [], Self.answer(1), at: Instant(seconds: 200))
        #expect(table.begin(try Self.key("a"), at: Instant(seconds: 150)) == .new)
    }

    @Test("memory stays bounded over many keys")
    func many() throws {
        var table = RunKeyTable(limits: .init(count: 50, bytes: 1 << 20, age: .seconds(10)))
        for index in 0..<20_000 {
            let key = try Self.key("\(index)")
            #expect(table.begin(key, at: Instant(seconds: 1)) == .new)
            table.answered(key, digest: [], Self.answer(1), at: Instant(seconds: 1))
        }
        #expect(table.count == 50 && table.bytes == 50)
    }
}
