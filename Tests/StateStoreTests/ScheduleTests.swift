import Model
import StateStore
import Testing

@Suite("Schedules and backfills in the store")
struct ScheduleTests {
    private func name() throws -> ServiceName { try ServiceName("s") }

    private func scheduled(_ due: Int64, _ job: String) throws -> ScheduledJob {
        ScheduledJob(due: time(due), job: try StateStoreTests.job(job, of: "s"))
    }

    @Test("an instant gets one job, however often and with whatever place it is asked for")
    func oneJobAnInstant() async throws {
        try await withState { state in
            try await state.insert(try service("s"))
            try await state.beginSchedule("a", of: name(), expression: "x", at: time(100))
            let first = try await state.run(
                "a", of: name(), jobs: [scheduled(110, "j1"), scheduled(120, "j2")], decided: time(125))
            #expect(first == 2)
            // As after a clock that was put back, or from a program that knew an older state.
            let again = try await state.run(
                "a", of: name(), jobs: [scheduled(120, "j3"), scheduled(130, "j4")], decided: time(119))
            #expect(again == 1)
            #expect(try await state.names() == ["j1", "j2", "j4"])
            let record = try #require(try await state.schedules().first)
            #expect((record.decided, record.runs, record.lastDue) == (time(119), 3, time(130)))
            #expect(record.lastJob?.text == "j4")
        }
    }

    @Test("a schedule of another expression begins anew, and remembers what it made")
    func changes() async throws {
        try await withState { state in
            try await state.insert(try service("s"))
            try await state.beginSchedule("a", of: name(), expression: "x", at: time(100))
            _ = try await state.run("a", of: name(), jobs: [scheduled(110, "j1")], decided: time(110))
            try await state.beginSchedule("a", of: name(), expression: "y", at: time(500))
            #expect(try await state.schedules().map(\.decided) == [time(500)])
            #expect(try await state.run("a", of: name(), jobs: [scheduled(110, "j2")], decided: time(510)) == 0)
            try await state.forgetSchedule("a", of: name())
            #expect(try await state.schedules().isEmpty)
            #expect(try await state.run("a", of: name(), jobs: [scheduled(600, "j3")], decided: time(600)) == 0)
        }
    }

    @Test("old instants are forgotten, and nothing is made for them nevertheless")
    func forgetting() async throws {
        try await withState { state in
            try await state.insert(try service("s"))
            try await state.beginSchedule("a", of: name(), expression: "x", at: time(0))
            for batch in 0..<103 {
                let jobs = try (1...100).map { try scheduled(Int64(batch * 100 + $0), "j\(batch)-\($0)") }
                _ = try await state.run("a", of: name(), jobs: jobs, decided: time(Int64(batch * 100 + 100)))
            }
            #expect(try await state.run("a", of: name(), jobs: [scheduled(5, "again")], decided: time(20_000)) == 0)
            #expect(
                try await state.run("a", of: name(), jobs: [scheduled(10_300, "again")], decided: time(20_000)) == 0)
        }
    }

    @Test("with its service a schedule goes, and a service that is gone has none")
    func removal() async throws {
        try await withState { state in
            try await state.beginSchedule("a", of: name(), expression: "x", at: time(1))
            #expect(try await state.schedules().isEmpty)
            try await state.insert(try service("s"))
            try await state.beginSchedule("a", of: name(), expression: "x", at: time(1))
            _ = try await state.begin(backfill(), again: false, at: time(1))
            _ = try await state.deleteService(name())
            #expect(try await state.schedules().isEmpty)
            #expect(try await state.backfills().isEmpty)
        }
    }

    private func backfill(_ token: String = "t", prefix: String = "in/") throws -> NewBackfill {
        NewBackfill(
            service: try name(), token: token, bucket: try BucketName("bucket"), prefix: prefix, since: nil,
            isDryRun: false, principal: "p")
    }

    @Test("a page is done once, its jobs with it")
    func pages() async throws {
        try await withState { state in
            try await state.insert(try service("s"))
            let begun = try await state.begin(backfill(), again: false, at: time(5))
            let page = BackfillStep(
                jobs: [try job("j1", of: "s"), try job("j2", of: "s")], seen: 3, counted: 0, afterKey: "in/c")
            let next = try #require(try await state.advance(begun, by: page, at: time(6)))
            #expect((next.seen, next.jobs, next.afterKey, next.state) == (3, 2, "in/c", .running))
            // The same page again, as after an answer that was lost.
            #expect(try await state.advance(begun, by: page, at: time(7)) == nil)
            #expect(try await state.names() == ["j1", "j2"])
            let last = BackfillStep(jobs: [try job("j3", of: "s")], seen: 1, counted: 0, afterKey: nil)
            #expect(try await state.advance(next, by: last, at: time(8))?.state == .done)
            #expect(try await state.backfills(running: true).isEmpty)
        }
    }

    @Test("a token leads to the same walk: under way, done, cancelled, anew")
    func tokens() async throws {
        try await withState { state in
            try await state.insert(try service("s"))
            let begun = try await state.begin(backfill(), again: false, at: time(5))
            #expect(try await state.begin(backfill(), again: false, at: time(6)).id == begun.id)
            #expect(
                await code { _ = try await state.begin(try backfill(prefix: "x"), again: false, at: time(6)) }
                    == .alreadyExists)
            let step = BackfillStep(jobs: [try job("j1", of: "s")], seen: 1, counted: 0, afterKey: "in/a")
            let moved = try #require(try await state.advance(begun, by: step, at: time(7)))
            #expect(try await state.endBackfill(begun.id, as: .cancelled, message: "why", at: time(8)))
            #expect(try await !state.endBackfill(begun.id, as: .cancelled, message: "why", at: time(8)))
            #expect(try await state.advance(moved, by: step, at: time(9)) == nil)
            let resumed = try await state.begin(backfill(), again: false, at: time(10))
            #expect((resumed.id, resumed.afterKey, resumed.jobs, resumed.created) == (begun.id, "in/a", 1, time(5)))
            let end = BackfillStep(jobs: [], seen: 0, counted: 0, afterKey: nil)
            _ = try await state.advance(resumed, by: end, at: time(11))
            #expect(try await state.begin(backfill(), again: false, at: time(12)).state == .done)
            let anew = try await state.begin(backfill(), again: true, at: time(13))
            #expect(
                (anew.id, anew.afterKey, anew.jobs, anew.state, anew.created) == (begun.id, nil, 0, .running, time(13)))
            #expect(
                await code {
                    _ = try await state.begin(
                        NewBackfill(
                            service: try ServiceName("none"), token: "t", bucket: try BucketName("bucket"), prefix: "",
                            since: nil, isDryRun: false, principal: ""), again: false, at: time(1))
                } == .notFound)
        }
    }

    @Test("whether many wait")
    func waiting() async throws {
        try await withState { state in
            try await state.add("s", jobs: ["a", "b"])
            #expect(try await state.hasWaiting(2, of: name()))
            #expect(try await !state.hasWaiting(3, of: name()))
        }
    }
}
