import ClusterTesting
import LoopbackServer
import Model
import NIOCore
import NIOHTTP1
import Scheduling
import StateStore
import Synchronization
import SystemPackage
import TestKit
import Testing

@testable import Cluster

@Suite("Pauses, limits, and what is short on the machine", .serialized, .timeLimit(.minutes(2)))
struct BackPressureTests {
    private static let gated = SchedulingTests.gated

    private func post(_ cluster: ClusterFixture, _ service: String) async throws -> JobName {
        try await cluster.jobs.post([], to: try ServiceName(service), name: nil, principal: "p")
    }

    private func run(_ cluster: ClusterFixture, _ service: String) async throws {
        let body = AsyncThrowingStream<ByteBuffer, any Error> { $0.finish() }
        let answer = try await cluster.runs.run(try ServiceName(service), body: body, form: .bytes, principal: "p")
        await answer.discard()
    }

    /// The error of `body`.
    private func refusal(_ body: () async throws -> Void) async -> ClusterError? {
        do { try await body() } catch { return error as? ClusterError }
        return nil
    }

    @Test("a paused service takes jobs and starts none, also after a restart and an update, until it is resumed")
    func pause() async throws {
        try await TemporaryFolder.with { folder in
            let name = try ServiceName("s")
            try await ClusterFixture.serve(at: folder) { cluster in
                try await cluster.create("s", script: "true", input: ["bkt/in"])
                try await cluster.create("other", script: "true")
                let paused = try await cluster.registry.pause(name, principal: "ada")
                #expect(paused.pause?.principal == "ada")
                #expect(try await cluster.registry.pause(name, principal: "eve").pause == paused.pause)
                let job = try await post(cluster, "s")
                try await cluster.put("x", "in/x", in: "bkt")
                try await cluster.wait(try await post(cluster, "other"), for: .succeeded)
                try await eventually("the event is a job") { try await cluster.allJobs("s").count == 2 }
                #expect(
                    try await cluster.jobs.job(job, of: name).reason
                        == "its service is paused; it starts after apus service resume")
                let error = await refusal { try await run(cluster, "s") }
                #expect(error?.code == .unavailable && error?.retryAfter == nil)
                #expect(error?.message.contains("apus service resume s") == true)
                try await cluster.registry.update(
                    ClusterFixture.definition("s", script: "true # again", input: ["bkt/in"]))
            }
            try await ClusterFixture.serve(at: folder) { cluster in
                try await cluster.wait(try await post(cluster, "other"), for: .succeeded)
                #expect(try await cluster.allJobs("s").map(\.state) == [.queued, .queued])
                try await cluster.registry.resume(name, principal: "ada")
                try await cluster.registry.resume(name, principal: "ada")
                try await cluster.ended(2, of: "s")
                try await run(cluster, "s")
            }
        }
    }

    @Test("what runs goes on when its service is paused; who waits for a run is told")
    func pauseWhileBusy() async throws {
        try await ClusterFixture.serve(SchedulingTests.narrow) { cluster in
            try cluster.makeGate()
            try await cluster.create("s", script: Self.gated)
            let name = try ServiceName("s")
            let job = try await cluster.wait(try await post(cluster, "s"), for: .running)
            async let waiting = refusal { try await run(cluster, "s") }
            try await eventually("the run waits") { cluster.scheduler.state.withLock { $0.admission.waitingRuns == 1 } }
            try await cluster.registry.pause(name, principal: "ada")
            #expect(await waiting?.code == .unavailable)
            try await cluster.openGate()
            try await cluster.wait(job.name, for: .succeeded)
        }
    }

    @Test("pausing what is not there")
    func pauseNothing() async throws {
        try await ClusterFixture.serve { cluster in
            let name = try ServiceName("none")
            #expect(await refusal { try await cluster.registry.pause(name, principal: "p") }?.code == .notFound)
            #expect(await refusal { try await cluster.registry.resume(name, principal: "p") }?.code == .notFound)
        }
    }

    @Test("the limits of a service and of the cluster refuse posted jobs, never events")
    func queueLimits() async throws {
        var options = SchedulingTests.narrow
        options.queueLimit = 4
        try await ClusterFixture.serve(options) { cluster in
            try await cluster.create(
                "s", script: "true", input: ["bkt/in"], more: ["queue": .object(["limit": .integer(2)])])
            try await cluster.create("t", script: "true")
            for name in ["s", "t"] { try await cluster.registry.pause(try ServiceName(name), principal: "p") }
            for _ in 0..<2 { _ = try await post(cluster, "s") }
            let own = await refusal { _ = try await post(cluster, "s") }
            #expect(own?.code == .busy && own?.retryAfter != nil)
            #expect(own?.message.contains("queue.limit is 2") == true)
            for _ in 0..<2 { _ = try await post(cluster, "t") }
            let all = await refusal { _ = try await post(cluster, "t") }
            #expect(all?.code == .busy && all?.message.contains("queue-limit is 4") == true)
            try await cluster.put("x", "in/x", in: "bkt")
            try await eventually("the event is a job") { try await cluster.allJobs("s").count == 3 }
            try await cluster.registry.resume(try ServiceName("s"), principal: "p")
            try await cluster.ended(3, of: "s")
            _ = try await post(cluster, "t")
        }
    }

    @Test("no more of a service run at once than it allows")
    func maximumParallel() async throws {
        try await ClusterFixture.serve { cluster in
            try cluster.makeGate()
            try await cluster.create("s", script: Self.gated, more: ["max_parallel": .integer(2)])
            let jobs = [try await post(cluster, "s"), try await post(cluster, "s"), try await post(cluster, "s")]
            for job in jobs.prefix(2) { try await cluster.wait(job, for: .running) }
            #expect(
                try await cluster.jobs.job(jobs[2], of: try ServiceName("s")).reason
                    == "as much of its service is under way as the service allows (max_parallel: 2)")
            for _ in jobs { try await cluster.openGate() }
            try await cluster.ended(3)
        }
    }

    /// A machine whose disk and clock are what a test says.
    private final class Machine: Sendable {
        let free = Mutex<Int64>(1 << 40)
        let clock = Mutex<(wall: Instant, even: Duration)>((Instant(seconds: 1_700_000_000), .zero))

        var options: ClusterFixture.Options {
            var options = SchedulingTests.narrow
            options.sample = { [self] in
                [.diskSpace: Pressure.Level(free: free.withLock { $0 }, total: 1 << 40)]
            }
            options.clocks = { [self] in clock.withLock { $0 } }
            return options
        }
    }

    @Test("a disk that fills up: what runs ends, nothing new starts or is stored, and all goes on by itself")
    func fullDisk() async throws {
        let machine = Machine()
        try await ClusterFixture.serve(machine.options) { cluster in
            try cluster.makeGate()
            try await cluster.create("s", script: Self.gated)
            let name = try ServiceName("s")
            let jobs = [try await post(cluster, "s"), try await post(cluster, "s")]
            try await cluster.wait(jobs[0], for: .running)
            machine.free.withLock { $0 = 1000 }
            await cluster.resources.look()
            #expect(await refusal { _ = try await post(cluster, "s") }?.code == .unavailable)
            let refused = await refusal { try await run(cluster, "s") }
            #expect(refused?.code == .unavailable && refused?.retryAfter != nil)
            #expect(cluster.scheduler.storageRefusal?.contains("1000 B free") == true)
            try await cluster.openGate()
            try await cluster.wait(jobs[0], for: .succeeded)
            try await eventually("its place is free") { cluster.scheduler.free == cluster.scheduler.capacity }
            let view = try await cluster.jobs.job(jobs[1], of: name)
            #expect(view.record.state == .queued)
            #expect(view.reason?.hasPrefix("the cluster starts nothing: the disk of the data directory") == true)
            let health = cluster.status.healthJSON()
            #expect(health["status"]?.stringValue == "short" && health["stores"]?.boolValue == false)
            #expect(health["checks"]?.arrayValue?.first?["advice"]?.stringValue?.isEmpty == false)
            machine.free.withLock { $0 = 1 << 40 }
            await cluster.resources.look()
            try await cluster.openGate()
            try await cluster.wait(jobs[1], for: .succeeded)
            #expect(cluster.status.healthJSON()["status"]?.stringValue == "ok")
        }
    }

    @Test("a clock that goes far forwards deletes nothing for its age; put back, it does again")
    func clock() async throws {
        let machine = Machine()
        try await ClusterFixture.serve(machine.options) { cluster in
            await cluster.resources.look()
            #expect(cluster.resources.trustsAges)
            machine.clock.withLock { $0 = ($0.wall + .seconds(1_000_000), $0.even + .seconds(1)) }
            await cluster.resources.look()
            #expect(!cluster.resources.trustsAges)
            let clock = cluster.status.healthJSON()["checks"]?.arrayValue?.last
            #expect(clock?["state"]?.stringValue == "set forwards")
            machine.clock.withLock { $0 = ($0.wall + .seconds(-1_000_000), $0.even + .seconds(1)) }
            await cluster.resources.look()
            #expect(cluster.resources.trustsAges)
        }
    }

    @Test("after the clock was set a result that rests is tried again, though its line remembers a later time")
    func clockAndDeliveries() async throws {
        let machine = Machine()
        let store = FakeStore(buckets: ["results"])
        let isRefusing = Mutex(true)
        let answer: LoopbackServer.Handler = { request in
            guard isRefusing.withLock({ $0 }) else { return store.answer(request) }
            var response = FakeStore.error(.forbidden, "AccessDenied", "no")
            response.headers.add(name: "Retry-After", value: "3000")
            return response
        }
        try await LoopbackServer.with(answer) { port in
            try await ClusterFixture.serve(machine.options) { cluster in
                await cluster.resources.look()
                try await cluster.create(
                    "s", script: DeliveryTests.script, more: DeliveryTests.outputs(["cloud": port]))
                let job = try await post(cluster, "s")
                try await eventually("it rests") { try await cluster.state.deliveryBacklogs().first?.attempts == 1 }
                isRefusing.withLock { $0 = false }
                machine.clock.withLock { $0 = ($0.wall + .seconds(-500), $0.even + .seconds(1)) }
                await cluster.resources.look()
                try await cluster.wait(job, for: .succeeded)
            }
        }
    }
}
