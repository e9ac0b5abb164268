import ClusterTesting
import LoopbackServer
import Model
import ObjectEngine
import Scheduling
import StateStore
import SystemPackage
import TestKit
import Testing

@testable import Cluster

/// What a crash leaves is made by hand: a state, a folder, and then a start.
@Suite("The start after a crash", .serialized, .timeLimit(.minutes(2)))
struct RecoveryTests {
    /// Makes a service and one job on a directory, changes them with `damage`, then starts a cluster on it.
    private func afterCrash(
        script: String = "cat \"$INPUT_FILE_PATH\" > \"$TMP_OUTPUT_DIR/x\"; echo ran",
        body: [UInt8] = Array("again".utf8),
        _ damage: @escaping @Sendable (ClusterFixture, JobRecord) async throws -> Void,
        _ check: @escaping @Sendable (ClusterFixture, JobName) async throws -> Void
    ) async throws {
        try await TemporaryFolder.with { folder in
            try await ClusterFixture.open(at: folder) { cluster in
                try await cluster.create("s", script: script, output: ["bkt/out"])
                let name = try await cluster.jobs.post(body, to: try ServiceName("s"), name: nil, principal: "p")
                try await damage(cluster, try #require(try await cluster.state.job(named: name)))
            }
            try await ClusterFixture.serve(at: folder) { cluster in
                let name = try #require(try await cluster.allJobs().first?.name)
                try await check(cluster, name)
            }
        }
    }

    @Test("a job that was under way runs again", arguments: [JobState.stagingIn, .running])
    func underWay(state: JobState) async throws {
        try await afterCrash { cluster, job in
            try await cluster.take(job, state == .running ? [.started, .scriptStarted] : [.started])
            let work = cluster.data.work.appending(job.name.text)
            _ = try work.appending("output/half").write("x".utf8)
            _ = try work.appending("input/old").write("x".utf8)
        } _: { cluster, name in
            let job = try await cluster.wait(name, for: .succeeded)
            #expect(job.attempts == 2)
            #expect(try await cluster.keys("bkt") == ["out/x"])
            #expect(try await cluster.text("out/x", in: "bkt") == "again")
            #expect(try await cluster.log(job) == "ran\n")
        }
    }

    @Test("a job that waited runs, also with a large event in a file; half an event's file goes")
    func queued() async throws {
        let body = [UInt8](repeating: 0xE9, count: 100_000)
        try await afterCrash(body: body) { cluster, _ in
            for name in ["s-0.new", "x", "hidden.\(UniqueID.uuid()).new"] {
                _ = try cluster.data.events.appending(name).write("half".utf8)
            }
        } _: { cluster, name in
            #expect(try cluster.names(cluster.data.events).count <= 1)
            try await cluster.wait(name, for: .succeeded)
            let record = try await cluster.objects.list(bucket: try BucketName("bkt")).objects.first
            #expect(record?.size.bytes == 100_000)
            try await eventually("the event is gone") { try cluster.names(cluster.data.events).isEmpty }
        }
    }

    @Test("staging out goes on from the results; the script does not run again")
    func stagingOut() async throws {
        try await afterCrash { cluster, job in
            try await cluster.take(
                job, [.started, .scriptStarted, .scriptSucceeded], AttemptResult(run: .seconds(3)))
            _ = try cluster.data.work.appending(job.name.text).appending("output/result").write("kept".utf8)
        } _: { cluster, name in
            let job = try await cluster.wait(name, for: .succeeded)
            #expect(job.attempts == 1 && job.exitCode == 0 && job.run == .seconds(3))
            #expect(try await cluster.keys("bkt") == ["out/result"])
            #expect(try await cluster.log(job) == "")
            #expect(try cluster.names(cluster.data.work).isEmpty)
        }
    }

    @Test("after a restart of the machine half-written results are not trusted; the script runs again")
    func stagingOutAfterPowerCut() async throws {
        try await afterCrash { cluster, job in
            try await cluster.take(job, [.started, .scriptStarted, .scriptSucceeded])
            _ = try cluster.data.work.appending(job.name.text).appending("output/result").write("cut sho".utf8)
            _ = try cluster.data.root.appending("boot-id").write("an earlier start".utf8)
        } _: { cluster, name in
            let job = try await cluster.wait(name, for: .succeeded)
            #expect(job.attempts == 2)
            #expect(try await cluster.keys("bkt") == ["out/x"])
        }
    }

    @Test("results that were lost make the job run again, not succeed with nothing")
    func lostResults() async throws {
        try await afterCrash { cluster, job in
            try await cluster.take(job, [.started, .scriptStarted, .scriptSucceeded])
        } _: { cluster, name in
            let job = try await cluster.wait(name, for: .succeeded)
            #expect(job.attempts == 2)
            #expect(try await cluster.text("out/x", in: "bkt") == "again")
        }
    }

    @Test("an output bucket that is gone fails the job with what to do")
    func lostBucket() async throws {
        try await afterCrash { cluster, job in
            try await cluster.take(job, [.started, .scriptStarted, .scriptSucceeded])
            _ = try cluster.data.work.appending(job.name.text).appending("output/result").write("kept".utf8)
            try await cluster.objects.deleteBucket(try BucketName("bkt"))
        } _: { cluster, name in
            let job = try await cluster.wait(name, for: .failed)
            #expect(job.message == "the output bucket \"bkt\" does not exist any more; create it again")
        }
    }

    @Test("what has ended stays as it is; folders that nobody needs go")
    func ended() async throws {
        try await afterCrash { cluster, job in
            let failure = AttemptFailure.script(exitCode: 9)
            try await cluster.take(
                job, [.started, .attemptFailed(failure, policy: RetryPolicy(), jitter: 0)], AttemptResult(exitCode: 9))
            for folder in [cluster.data.work, cluster.data.deliveries] {
                _ = try folder.appending(job.name.text).appending("output/x").write("x".utf8)
                _ = try folder.appending("unknown").appending("x").write("x".utf8)
            }
        } _: { cluster, name async throws in
            #expect(try await cluster.state.job(named: name)?.exitCode == 9)
            #expect(try cluster.names(cluster.data.work).isEmpty)
            #expect(try cluster.names(cluster.data.deliveries).isEmpty)
        }
    }

    @Test("events that were not routed yet are routed, each once")
    func events() async throws {
        try await TemporaryFolder.with { folder in
            try await ClusterFixture.open(at: folder) { cluster in
                try await cluster.create("s", script: "true", input: ["bkt/in"])
                for index in 0..<5 { try await cluster.put("x", "in/\(index)", in: "bkt") }
                // Two of them were routed, but the position was not read by anybody since.
                let events = try await cluster.objects.events(after: 0, limit: 2)
                let jobs = try events.map { event in
                    NewJob(
                        name: try JobName("first-\(event.sequence)"), service: try ServiceName("s"),
                        eventSequence: event.sequence,
                        input: ObjectLocation(bucket: event.bucket, key: event.key), principal: event.principal,
                        event: event.minioJSON().bytes(), created: ClusterFixture.now()
                    )
                }
                try await cluster.state.route(jobs, upTo: 0)
            }
            for _ in 0..<2 {
                try await ClusterFixture.serve(at: folder) { cluster in
                    let jobs = try await cluster.ended(5)
                    #expect(jobs.count == 5 && jobs.allSatisfy { $0.state == .succeeded })
                    #expect(Set(jobs.map { $0.input?.key.text }).count == 5)
                    #expect(jobs.count { $0.name.text.hasPrefix("first-") } == 2)
                }
            }
            try await ClusterFixture.open(at: folder) { cluster async throws in
                #expect(try await cluster.objects.events(after: 0, limit: 10).isEmpty)
            }
        }
    }

    @Test("a service that cannot be read is left in the store, and the others are there")
    func unreadableService() async throws {
        try await TemporaryFolder.with { folder in
            try await ClusterFixture.open(at: folder) { cluster in
                try await cluster.create("good", script: "true", input: ["bkt/in"])
                try await cluster.state.insert(
                    StoredService(
                        name: try ServiceName("bad"),
                        definition: .object(["name": .string("bad"), "input": .string("x")]),
                        madeBuckets: [], version: 1, created: Instant(seconds: 1), updated: Instant(seconds: 1)
                    )
                )
            }
            try await ClusterFixture.serve(at: folder) { cluster in
                #expect(cluster.catalog.all.map(\.name.text) == ["good"])
                #expect(try await cluster.state.services().count == 2)
                try await cluster.put("x", "in/1", in: "bkt")
                try await cluster.ended(1)
            }
        }
    }

    @Test("old jobs go with their logs; then logs go by size, the oldest first")
    func housekeeping() async throws {
        var options = ClusterFixture.Options()
        options.retention = Retention(age: .zero, logBytes: ByteCount(250))
        try await ClusterFixture.serve(options) { cluster in
            try await cluster.create("s", script: "echo hi")
            for _ in 0..<3 { _ = try await cluster.jobs.post([], to: try ServiceName("s"), name: nil, principal: "p") }
            try await cluster.ended(3)
            try await cluster.housekeeper.cleanUp()
            #expect(try await cluster.allJobs().isEmpty)
            #expect(try cluster.names(cluster.data.logs.appending("s")).isEmpty)
            let logs = cluster.data.logs.appending("s")
            for name in ["a", "b", "c"] {
                _ = try logs.appending("\(name).log").write([UInt8](repeating: 0, count: 100))
            }
            try await cluster.housekeeper.cleanUp()
            #expect(try cluster.names(logs).count == 2)
        }
    }

    @Test("jobs that are younger than the limit stay, and those that have not ended")
    func housekeepingKeeps() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create("s", script: "echo hi")
            try await cluster.create("huge", script: "true", more: ["cpu": .string("64")])
            for name in ["s", "huge"] {
                _ = try await cluster.jobs.post([], to: try ServiceName(name), name: nil, principal: "p")
            }
            try await cluster.ended(1, of: "s")
            try await cluster.housekeeper.cleanUp()
            #expect(try await cluster.allJobs().count == 2)
            #expect(try cluster.names(cluster.data.logs.appending("s")).count == 1)
        }
    }
}

extension ClusterFixture {
    /// Takes steps of a job's life in the store alone.
    func take(_ job: JobRecord, _ events: [JobLifeCycle.Event], _ result: AttemptResult = AttemptResult()) async throws
    {
        #expect(try await state.handle(events, of: job.number, at: Self.now(), result) != nil)
    }
}
