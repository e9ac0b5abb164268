import DurableSQLite
import GRDB
import LoopbackServer
import Model
import TestKit
import Testing

@testable import StateStore

@Suite("Numbers of jobs, limits of the queue, pauses")
struct QueueCountTests {
    @Test("a posted job is refused where too many wait; events are not", arguments: [true, false])
    func limits(ofService: Bool) async throws {
        try await withState { state in
            try await state.add("a", jobs: ["a-1", "a-2"])
            try await state.add("b", jobs: ["b-1"])
            let limits = ofService ? QueueLimits(service: 2) : QueueLimits(cluster: 3)
            #expect(await code { try await state.enqueue(try job("a-3", of: "a"), limits: limits) } == .queueFull)
            try await state.route([try job("a-4", of: "a", event: 1)], upTo: 1)
            let first = try await state.find("a-1")
            try await state.advance(first.number, to: .running)
            #expect(await code { try await state.enqueue(try job("a-5", of: "a"), limits: limits) } == .queueFull)
            try await state.enqueue(try job("b-2", of: "b"), limits: QueueLimits(service: 2))
            try await state.advance(try await state.find("a-2").number, to: .running)
            try await state.advance(try await state.find("b-1").number, to: .running)
            try await state.enqueue(try job("a-6", of: "a"), limits: limits)
            #expect(try await state.names() == ["a-1", "a-2", "b-1", "a-4", "b-2", "a-6"])
        }
    }

    @Test(
        arguments: [
            (QueueLimits(), 1_000_000, nil), (QueueLimits(service: 2), 1, nil), (QueueLimits(cluster: 2), 1, nil),
            (QueueLimits(service: 2), 2, "2 jobs of the service \"s\" wait already, and its queue.limit is 2"),
            (QueueLimits(cluster: 2), 2, "2 jobs wait already, and the cluster's queue-limit is 2"),
        ] as [(QueueLimits, Int, String?)])
    func refusals(limits: QueueLimits, waiting: Int, text: String?) throws {
        #expect(limits.refusal(for: try ServiceName("s"), waiting: waiting, inCluster: waiting) == text)
    }

    /// Whatever is done to jobs, the counts are those that counting would give.
    @Test(arguments: 0..<12 as Range<UInt64>) func countsAreRight(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        try await withState { state in
            for name in ["a", "b"] { try await state.insert(try service(name)) }
            for step in 0..<60 {
                let name = Bool.random(using: &random) ? "a" : "b"
                let jobs = try await state.jobs(JobFilter(limit: 1000)).jobs
                let picked = jobs.randomElement(using: &random)
                switch Int.random(in: 0..<9, using: &random) {
                case 0..<4: try await state.enqueue(try job("\(name)-\(step)", of: name))
                case 4: try await state.route([try job("\(name)-e\(step)", of: name, event: Int64(step / 4))], upTo: 1)
                case 5: if let picked { _ = try await state.deleteJob(picked.number) }
                case 6:
                    if let picked { try await state.advance(picked.number, to: .running) }
                    _ = try await state.recover(at: time(40))
                case 7:
                    guard let picked else { continue }
                    _ = try await state.end(picked.number, as: .failed, at: time(30), result: AttemptResult())
                    if step % 5 == 0 {
                        _ = try await state.deleteEnded(of: picked.service, states: [.failed], limit: 2)
                    }
                default:
                    guard step % 7 == 0 else { continue }
                    _ = try await state.deleteService(try ServiceName(name))
                    try await state.insert(try service(name))
                }
                try await check(state)
            }
        }
    }

    private func check(_ state: ClusterState) async throws {
        func rows(_ sql: String) async throws -> [String] {
            try await state.read { database in try Row.fetchAll(database, sql: sql).map { "\($0.map(\.1))" } }
        }
        let counted = try await rows("SELECT service, state, count(*) AS jobs FROM job GROUP BY service, state")
        let kept = try await rows("SELECT service, state, jobs FROM job_count WHERE jobs <> 0")
        #expect(counted.sorted() == kept.sorted())
        for filter in [
            JobFilter(limit: 1), JobFilter(states: [.queued, .failed], limit: 1),
            JobFilter(service: try ServiceName("a"), limit: 1),
        ] {
            let (page, remaining) = try await state.jobs(filter)
            var all = filter
            all.limit = 1000
            #expect(try await state.jobs(all).jobs.count == page.count + remaining)
        }
    }

    /// The narrowed query finds what reading everything would.
    @Test(arguments: 0..<8 as Range<UInt64>) func pagesAreRight(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        try await withState { state in
            for name in ["a", "b"] { try await state.insert(try service(name)) }
            for number in 0..<60 {
                let name = Bool.random(using: &random) ? "a" : "b"
                try await state.enqueue(try job("\(name)-\(number)", of: name))
                guard let record = try await state.job(named: try JobName("\(name)-\(number)")) else { continue }
                if Bool.random(using: &random) { try await state.advance(record.number, to: .running) }
                if Int.random(in: 0..<3, using: &random) == 0 {
                    _ = try await state.end(record.number, as: .failed, at: time(30), result: AttemptResult())
                }
            }
            let all = try await state.jobs(JobFilter(limit: 1000)).jobs
            for _ in 0..<40 {
                let filter = JobFilter(
                    service: Bool.random(using: &random) ? try ServiceName("a") : nil,
                    states: Set(JobState.allCases.filter { _ in Bool.random(using: &random) }),
                    before: Bool.random(using: &random) ? Int64.random(in: 0...70, using: &random) : nil,
                    limit: Int.random(in: 1...70, using: &random))
                let matching = all.filter {
                    (filter.service == nil || $0.service == filter.service)
                        && (filter.states.isEmpty || filter.states.contains($0.state))
                        && $0.number < filter.before ?? .max
                }
                let (page, remaining) = try await state.jobs(filter)
                #expect(page == Array(matching.prefix(filter.limit)), "seed \(seed): \(filter)")
                #expect(remaining == matching.count - page.count, "seed \(seed): \(filter)")
            }
        }
    }

    @Test("counts are made for jobs of an older version")
    func migration() async throws {
        try await TemporaryFolder.with { folder in
            try await withState(at: folder) { state in
                try await state.add("a", jobs: ["a-1", "a-2"])
                try await state.write { database in
                    try database.execute(
                        sql: """
                            DROP TRIGGER job_count_insert; DROP TRIGGER job_count_delete; DROP TRIGGER job_count_update;
                            DROP TABLE job_count;
                            """)
                    try Schema.queueCounts.apply(database)
                }
                #expect(try await state.jobCounts() == [.queued: 2])
            }
        }
    }

    @Test("a pause lasts until it is lifted, over restarts and updates, and goes with its service")
    func pauses() async throws {
        try await TemporaryFolder.with { folder in
            let (a, b) = (try ServiceName("a"), try ServiceName("b"))
            let pause = ServicePause(since: time(7), principal: "ada")
            try await withState(at: folder) { state in
                try await state.insert(try service("a"))
                try await state.insert(try service("b"))
                #expect(try await state.pause(a, pause) == pause)
                // The first one stays.
                #expect(try await state.pause(a, ServicePause(since: time(9), principal: "eve")) == pause)
                #expect(await code { _ = try await state.pause(try ServiceName("none"), pause) } == .notFound)
                _ = try await state.pause(b, pause)
                try await state.update(try service("a", version: 2))
            }
            try await withState(at: folder) { state in
                #expect(try await state.pauses() == [a: pause, b: pause])
                _ = try await state.deleteService(b)
                try await state.insert(try service("b"))
                #expect(try await state.pauses() == [a: pause])
                try await state.resume(a)
                try await state.resume(a)
                #expect(try await state.pauses().isEmpty)
            }
        }
    }

    @Test("what was routed before its turn makes no job again, also where the job is gone by then")
    func routedAhead() async throws {
        try await withState { state in
            try await state.insert(try service("a"))
            try await state.insert(try service("b"))
            let ahead = [
                try job("a-7", of: "a", event: 7), try job("b-7", of: "b", event: 7), try job("a-9", of: "a", event: 9),
            ]
            try await state.routeAhead(ahead)
            try await state.routeAhead([try job("a-7-again", of: "a", event: 7)])
            #expect(try await state.routerPosition() == 0)
            for name in ["a-7", "a-9"] { _ = try await state.deleteJob(try await state.find(name).number) }
            try await state.route(
                [try job("a-6", of: "a", event: 6), try job("a-7-late", of: "a", event: 7)],
                webhooks: [NewWebhookDelivery(webhook: "w", eventSequence: 7, body: [1])], upTo: 8)
            #expect(try await state.names() == ["b-7", "a-6"])
            #expect(try await state.webhookDeliveries(to: "w", limit: 10).count == 1)
            try await state.route([try job("a-9-late", of: "a", event: 9)], upTo: 9)
            #expect(try await state.names() == ["b-7", "a-6"])
            let left = try await state.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM routed_ahead") }
            #expect(left == 0)
        }
    }

    @Test("when the clock was set, what lies ahead is due now, and what is due stays", arguments: [50, 100, 86_400])
    func clock(now: Int64) async throws {
        try await withState { state in
            try await state.add("a", jobs: ["a-1"])
            let number = try await state.find("a-1").number
            try await state.deliver([delivery("x")], of: number, at: time(100), result: AttemptResult())
            try await state.makeSchedulesDue(at: time(now))
            #expect(try await state.deliveries(of: number).first?.nextAttempt == time(min(100, now)))
        }
    }
}
