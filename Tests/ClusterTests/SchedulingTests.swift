import ClusterTesting
import LoopbackServer
import Model
import Scheduling
import ServiceLifecycle
import StateStore
import SystemPackage
import TestKit
import Testing

@testable import Cluster

@Suite("Admission, waiting and stopping of jobs", .serialized, .timeLimit(.minutes(2)))
struct SchedulingTests {
    /// Room for one job of 0.1 processors.
    static var narrow: ClusterFixture.Options {
        var options = ClusterFixture.Options()
        options.capacity = Resources(cpu: MilliCPU(100), memory: ByteCount(1 << 30))
        return options
    }

    /// Waits for a line from the pipe `gate` of the data directory.
    static let gated = "read line < \"$TMP_INPUT_DIR/../../../gate\""

    private func post(_ cluster: ClusterFixture, _ service: String) async throws -> JobName {
        try await cluster.jobs.post([], to: try ServiceName(service), name: nil, principal: "p")
    }

    @Test("a service that needs more than there is waits and says so; a smaller demand lets it run")
    func tooLarge() async throws {
        try await ClusterFixture.serve(Self.narrow) { cluster in
            try await cluster.create("s", script: "true", more: ["cpu": .string("2")])
            let job = try await post(cluster, "s")
            let view = try await cluster.jobs.job(job, of: try ServiceName("s"))
            #expect(view.record.state == .queued)
            #expect(view.reason?.contains("more than this cluster has") == true, "\(view.reason ?? "")")
            try await cluster.registry.update(ClusterFixture.definition("s", script: "true"))
            try await cluster.wait(job, for: .succeeded)
        }
    }

    @Test("waiting jobs say what they wait for")
    func reasons() async throws {
        try await ClusterFixture.serve(Self.narrow) { cluster in
            try cluster.makeGate()
            try await cluster.create("s", script: Self.gated)
            let jobs = [try await post(cluster, "s"), try await post(cluster, "s"), try await post(cluster, "s")]
            try await cluster.wait(jobs[0], for: .running)
            let service = try ServiceName("s")
            #expect(try await cluster.jobs.job(jobs[1], of: service).reason?.hasPrefix("waits for 0.1 cpu") == true)
            #expect(
                try await cluster.jobs.job(jobs[2], of: service).reason == "waits behind earlier jobs of its service")
            let (views, remaining) = try await cluster.jobs.jobs(JobFilter(service: service, limit: 2))
            #expect(views.map(\.record.name) == [jobs[2], jobs[1]] && remaining == 1)
            for job in jobs {
                try await cluster.openGate()
                try await cluster.wait(job, for: .succeeded)
            }
        }
    }

    @Test("two services with queues take turns; within a service the first comes first")
    func roundRobin() async throws {
        try await ClusterFixture.serve(Self.narrow) { cluster in
            try cluster.makeGate()
            try await cluster.create("first", script: Self.gated)
            try await cluster.create("a", script: "true")
            try await cluster.create("b", script: "true")
            let blocker = try await post(cluster, "first")
            try await cluster.wait(blocker, for: .running)
            for _ in 0..<4 { _ = try await post(cluster, "a") }
            for _ in 0..<4 { _ = try await post(cluster, "b") }
            try await cluster.openGate()
            let jobs = try await cluster.ended(9)
            let order = jobs.sorted { ($0.started ?? $0.created) < ($1.started ?? $1.created) }
            #expect(order.map(\.service.text) == ["first", "a", "b", "a", "b", "a", "b", "a", "b"])
            for service in ["a", "b"] {
                let numbers = order.filter { $0.service.text == service }.map(\.number)
                #expect(numbers == numbers.sorted())
            }
        }
    }

    @Test("removing a job that runs kills it, and leaves nothing of it")
    func removeRunning() async throws {
        try await ClusterFixture.serve(Self.narrow) { cluster in
            try await cluster.create("s", script: "echo started; exec sleep 1000", output: ["bkt/out"])
            let service = try ServiceName("s")
            let job = try await post(cluster, "s")
            var log = try await cluster.jobs.log(job, of: service, follow: true).makeAsyncIterator()
            #expect(try await log.next()?.bytes == Array("started\n".utf8))
            try await cluster.jobs.remove(job, of: service)
            while try await log.next() != nil {}
            try await eventually("its folder and its place are free") {
                try cluster.names(cluster.data.work).isEmpty && cluster.scheduler.free == cluster.scheduler.capacity
            }
            #expect(try await cluster.allJobs().isEmpty)
            await #expect { try await cluster.jobs.remove(job, of: service) } throws: {
                ($0 as? ClusterError)?.code == .notFound
            }
            let next = try await post(cluster, "s")
            try await cluster.wait(next, for: .running)
            try await cluster.jobs.remove(next, of: service)
        }
    }

    @Test("removing a job that waits: it never runs, the next one does")
    func removeWaiting() async throws {
        try await ClusterFixture.serve(Self.narrow) { cluster in
            try cluster.makeGate()
            try await cluster.create("s", script: Self.gated)
            let jobs = [try await post(cluster, "s"), try await post(cluster, "s"), try await post(cluster, "s")]
            try await cluster.wait(jobs[0], for: .running)
            try await cluster.jobs.remove(jobs[1], of: try ServiceName("s"))
            for job in [jobs[0], jobs[2]] {
                try await cluster.openGate()
                try await cluster.wait(job, for: .succeeded)
            }
            #expect(try await cluster.allJobs().map(\.name) == [jobs[0], jobs[2]])
        }
    }

    @Test("clearing a service's jobs: those that succeeded, or all")
    func removeAll() async throws {
        try await ClusterFixture.serve(Self.narrow) { cluster in
            let service = try ServiceName("s")
            try await cluster.create("s", script: "exit $(cat \"$INPUT_FILE_PATH\")")
            for body in ["0", "1", "0"] {
                _ = try await cluster.jobs.post(Array(body.utf8), to: service, name: nil, principal: "p")
            }
            try await cluster.ended(3)
            try await cluster.jobs.removeAll(of: service, includingUnsuccessful: false)
            #expect(try await cluster.allJobs().map(\.state) == [.failed])
            try await cluster.registry.update(ClusterFixture.definition("s", script: "exec sleep 1000"))
            let running = try await post(cluster, "s")
            _ = try await post(cluster, "s")
            try await cluster.wait(running, for: .running)
            try await cluster.jobs.removeAll(of: service, includingUnsuccessful: true)
            #expect(try await cluster.allJobs().isEmpty)
            try await eventually("all is free") { cluster.scheduler.free == cluster.scheduler.capacity }
            #expect(try cluster.names(cluster.data.logs.appending("s")).isEmpty)
            await #expect {
                try await cluster.jobs.removeAll(of: try ServiceName("none"), includingUnsuccessful: true)
            } throws: {
                ($0 as? ClusterError)?.code == .notFound
            }
        }
    }

    @Test("a log can be followed from before the job's start to its end")
    func followFromTheQueue() async throws {
        try await ClusterFixture.serve(Self.narrow) { cluster in
            try cluster.makeGate()
            try await cluster.create("s", script: "echo begin; \(Self.gated); echo end")
            let service = try ServiceName("s")
            let jobs = [try await post(cluster, "s"), try await post(cluster, "s")]
            try await cluster.wait(jobs[0], for: .running)
            let log = try await cluster.jobs.log(jobs[1], of: service, follow: true)
            let text = Task { try await log.reduce("") { $0 + String(decoding: $1.bytes, as: UTF8.self) } }
            for job in jobs {
                try await cluster.openGate()
                try await cluster.wait(job, for: .succeeded)
            }
            #expect(try await text.value == "begin\nend\n")
            // Following what is over gives it all, and ends.
            let again = try await cluster.jobs.log(jobs[1], of: service, follow: true)
            #expect(try await again.reduce(0) { $0 + $1.bytes.count } == 10)
            await #expect { try await cluster.jobs.log(jobs[0], of: try ServiceName("other"), follow: false) } throws: {
                ($0 as? ClusterError)?.code == .notFound
            }
        }
    }

    @Test("a stop lets running jobs end, and starts none of those that wait")
    func gracefulStop() async throws {
        try await TemporaryFolder.with { folder in
            try await ClusterFixture.serve(at: folder, Self.narrow) { cluster in
                try cluster.makeGate()
                try await cluster.create("s", script: "\(Self.gated); echo end")
                let jobs = [try await post(cluster, "s"), try await post(cluster, "s")]
                try await cluster.wait(jobs[0], for: .running)
                try await cluster.openGate()
            }
            try await ClusterFixture.open(at: folder, Self.narrow) { cluster in
                let jobs = try await cluster.allJobs()
                #expect(jobs[0].state == .succeeded && jobs[0].attempts == 1)
                #expect(jobs[1].state == .queued && jobs[1].attempts == 0)
            }
        }
    }

    @Test("jobs that outlast the grace time are stopped, and run again at the next start")
    func graceIsOver() async throws {
        var options = Self.narrow
        options.grace = .zero
        try await TemporaryFolder.with { folder in
            try await ClusterFixture.serve(at: folder, options) { cluster in
                try cluster.makeGate()
                try await cluster.create(
                    "s", script: "echo begin; \(Self.gated); echo x > \"$TMP_OUTPUT_DIR/x\"", output: ["bkt/out"]
                )
                // A job is recorded as running while its script starts.
                let job = try await cluster.wait(try await post(cluster, "s"), for: .running)
                try await eventually("the script has begun") { try await cluster.log(job) == "begin\n" }
            }
            try await ClusterFixture.open(at: folder, options) { cluster in
                #expect(try await cluster.allJobs().map(\.state) == [.running])
                #expect(try cluster.names(cluster.data.work).isEmpty)
                try await cluster.recover()
                try await cluster.whileServing {
                    let job = try #require(try await cluster.allJobs().first)
                    try await cluster.wait(job.name, for: .running)
                    try await cluster.openGate()
                    let ended = try await cluster.wait(job.name, for: .succeeded)
                    #expect(ended.attempts == 2)
                    #expect(try await cluster.log(ended, attempt: 1) == "begin\nthe job was stopped\n")
                    #expect(try await cluster.log(ended) == "begin\n")
                    let attempts = try await cluster.state.attempts(of: ended.number)
                    #expect(attempts.map(\.outcome) == [.lost, .succeeded])
                    #expect(try await cluster.keys("bkt") == ["out/x"])
                }
            }
        }
    }

    @Test("a follower of a job that waits does not hold up the stop")
    func followerAndStop() async throws {
        try await ClusterFixture.serve(Self.narrow) { cluster in
            try await cluster.create("s", script: "true", more: ["cpu": .string("2")])
            let job = try await post(cluster, "s")
            let log = try await cluster.jobs.log(job, of: try ServiceName("s"), follow: true)
            let follower = Follower(log: log)
            let group = ServiceGroup(configuration: .init(services: [follower], logger: cluster.logger))
            async let running: Void = group.run()
            await follower.started.first { _ in true }
            await group.triggerGracefulShutdown()
            try await running
        }
    }

    /// Follows a log as a request's task does, which hears of the stop.
    private struct Follower: Service {
        let log: LogRecords
        let started: AsyncStream<Void>
        private let start: AsyncStream<Void>.Continuation

        init(log: LogRecords) {
            self.log = log
            (started, start) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        }

        func run() async throws {
            start.yield()
            for try await _ in log {}
        }
    }
}
