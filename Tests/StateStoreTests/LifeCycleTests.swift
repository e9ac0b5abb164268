import Model
import Scheduling
import StateStore
import Testing

@Suite("Attempts, retries and ends of jobs in the store")
struct LifeCycleTests {
    static let policy = RetryPolicy(script: 1, infrastructure: 2, backoff: .seconds(10), maximumBackoff: .seconds(60))

    private func withJob(_ body: (ClusterState, Int64) async throws -> Void) async throws {
        try await withState { state in
            try await state.add("a", jobs: ["a-1"])
            try await body(state, try await state.find("a-1").number)
        }
    }

    @Test("each attempt has a record of its own, with all that is known")
    func attempts() async throws {
        try await withJob { state, number in
            var begin = AttemptResult(started: time(12))
            (begin.node, begin.sandbox) = ("edge-1", .process)
            _ = try await state.handle([.started, .scriptStarted], of: number, at: time(11), begin)
            var end = AttemptResult(exitCode: 137, message: "too much", stageIn: .seconds(1), run: .seconds(3))
            (end.signal, end.isOutOfMemory) = (9, true)
            #expect(try await state.fail(number, .script(exitCode: 137), at: time(16), end, Self.policy) == .queued)
            _ = try await state.handle([.started], of: number, at: time(30))
            let all = try await state.attempts(of: number)
            #expect(all.map(\.number) == [1, 2])
            let first = try #require(all.first)
            #expect(first.begun == time(11) && first.started == time(12) && first.ended == time(16))
            #expect(
                first.outcome == .script && first.exitCode == 137 && first.signal == 9 && first.isOutOfMemory == true)
            #expect(first.stageIn == .seconds(1) && first.run == .seconds(3) && first.stageOut == nil)
            #expect(first.node == "edge-1" && first.sandbox == "process" && first.message == "too much")
            #expect(all[1].outcome == nil && all[1].ended == nil && all[1].exitCode == nil)
            let job = try await state.find("a-1")
            #expect(job.state == .stagingIn && job.exitCode == nil && job.attempts == 2 && job.run == nil)
            #expect(first.json["out_of_memory"] == .bool(true) && first.json["signal"] == .integer(9))
        }
    }

    @Test("nobody knows whether memory ran out: the record says so, and says nothing of other ends")
    func unknownMemory() async throws {
        try await withJob { state, number in
            _ = try await state.fail(number, .script(exitCode: 137), AttemptResult(exitCode: 137), Self.policy)
            _ = try await state.fail(number, .timeout, AttemptResult(exitCode: 124), Self.policy)
            let all = try await state.attempts(of: number)
            #expect(all.map { $0.json["out_of_memory"] } == [.string("unknown"), nil])
        }
    }

    @Test("a job that waits for its next attempt is not in the queue until its time has come")
    func waiting() async throws {
        try await withJob { state, number in
            let service = try ServiceName("a")
            #expect(try await state.nextRetry() == nil)
            try await state.fail(
                number, .infrastructure, at: time(20), AttemptResult(message: "disk full"), Self.policy)
            let job = try await state.find("a-1")
            #expect(job.state == .queued && job.notBefore == time(30) && job.message == "disk full")
            #expect(try await state.waitingJobs(of: service, after: 0, limit: 9) == [])
            #expect(try await state.nextRetry() == time(30))
            #expect(try await state.releaseRetries(at: time(29), limit: 9) == [])
            #expect(try await state.releaseRetries(at: time(30), limit: 9) == [service])
            #expect(try await state.waitingJobs(of: service, after: 0, limit: 9) == [number])
            #expect(try await state.nextRetry() == nil)
            #expect(try await state.find("a-1").message == "disk full")
        }
    }

    @Test("the pause doubles; used up attempts make the job dead; a new round has all of them again")
    func rounds() async throws {
        try await withJob { state, number in
            for round in 0..<2 {
                var pauses: [Instant?] = []
                for _ in 0..<3 {
                    try await state.fail(number, .infrastructure, at: time(100), AttemptResult(), Self.policy)
                    pauses.append(try await state.find("a-1").notBefore)
                }
                #expect(pauses == [time(110), time(120), nil])
                let dead = try await state.find("a-1")
                #expect(dead.state == .dead && dead.finished == time(100) && dead.attempts == 3 * (round + 1))
                let filter = JobFilter(states: [.dead])
                #expect(try await state.sendAgain(filter, at: time(200)).map(\.number) == [number])
                #expect(try await state.sendAgain(filter, at: time(200)).isEmpty)
                let again = try await state.find("a-1")
                #expect(again.state == .queued && again.finished == nil && again.message == nil)
                #expect(again.round == 3 * (round + 1) && again.notBefore == nil)
            }
            #expect(try await state.attempts(of: number).count == 6)
        }
    }

    @Test("after a clock was set no job waits for a time that lies ahead")
    func clock() async throws {
        try await withJob { state, number in
            try await state.fail(number, .infrastructure, at: time(20), AttemptResult(), Self.policy)
            try await state.makeSchedulesDue(at: time(15))
            #expect(try await state.nextRetry() == time(15))
            try await state.makeSchedulesDue(at: time(16))
            #expect(try await state.nextRetry() == time(15))
        }
    }

    @Test("cancelling: at once, once, and what waits for other storages is forgotten")
    func cancel() async throws {
        try await withJob { state, number in
            try await state.deliver([delivery("x")], of: number, at: time(20), result: AttemptResult(exitCode: 0))
            let change = try #require(try await state.handle([.cancelled], of: number, at: time(25)))
            #expect(change.previous == .delivering && change.job.state == .cancelled && change.job.finished == time(25))
            #expect(try await state.deliveryCount() == 0)
            #expect(try await state.handle([.cancelled], of: number, at: time(26)) == nil)
            #expect(try await state.handle([.delivered], of: number, at: time(26)) == nil)
            #expect(try await state.attempts(of: number).first?.outcome == .succeeded)
        }
    }

    @Test("a job that ran when the program ended has lost its attempt, which does not count")
    func lost() async throws {
        try await withJob { state, number in
            for _ in 0..<5 {
                try await state.advance(number, to: .running)
                #expect(try await state.recover(at: time(30)).requeued == 1)
            }
            #expect(try await state.attempts(of: number).allSatisfy { $0.outcome == .lost && $0.ended == time(30) })
            #expect(try await state.fail(number, .infrastructure, AttemptResult(), Self.policy) == .queued)
        }
    }

    @Test("only ends without success are sent again or purged, whatever the filter says")
    func bulk() async throws {
        try await withState { state in
            let ends: [(String, JobState?)] = [
                ("ok", .succeeded), ("bad", .failed), ("gone", .cancelled), ("over", .dead), ("wait", nil),
            ]
            try await state.add("a", jobs: ends.map(\.0))
            try await state.add("b", jobs: ["other"])
            for (index, (name, end)) in ends.enumerated() {
                guard let end else { continue }
                let number = try await state.find(name).number
                if end == .dead {
                    for _ in 0..<2 {
                        try await state.fail(
                            number, .infrastructure, at: time(20 + Int64(index)), AttemptResult(),
                            RetryPolicy(infrastructure: 1))
                    }
                } else {
                    #expect(try await state.end(number, as: end, at: time(20 + Int64(index)), result: AttemptResult()))
                }
            }
            _ = try await state.end(
                try await state.find("other").number, as: .failed, at: time(50), result: AttemptResult())
            let a = try ServiceName("a")
            #expect(try await state.sendAgain(JobFilter(states: [.succeeded, .queued]), at: time(60)).isEmpty)
            #expect(try await state.purge(JobFilter(states: [.succeeded, .running])).isEmpty)
            #expect(try await state.purge(JobFilter(service: a, endedSince: time(23))).map(\.name.text) == ["over"])
            #expect(
                try await state.sendAgain(JobFilter(service: a, limit: 1), at: time(60)).map(\.name.text) == ["bad"])
            #expect(try await state.purge(JobFilter(limit: 9)).map(\.name.text).sorted() == ["gone", "other"])
            #expect(try await state.names().sorted() == ["bad", "ok", "wait"])
        }
    }

    @Test("the failure output is told once for each end, with attempts, event and log; not of what is tried again")
    func notices() async throws {
        try await withJob { state, number in
            let folder = StorageIO(path: "failures/a")
            let notice = NewFailureNotice(
                target: .folder(folder), event: Array(#"{"x":[1]}"#.utf8), log: ["one", "two"])
            let policy = RetryPolicy(script: 1)
            let result = AttemptResult(exitCode: 3, message: "no")
            for round in 1...2 {
                try await state.fail(number, .script(exitCode: 3), at: time(20), result, policy, notice: notice)
                #expect(try await state.failureNotices(after: 0, limit: 9).isEmpty)
                try await state.fail(number, .script(exitCode: 3), at: time(21), result, policy, notice: notice)
                #expect(try await state.fail(number, .script(exitCode: 3), result, policy, notice: notice) == nil)
                let all = try await state.failureNotices(after: 0, limit: 9)
                #expect(all.count == 1)
                let told = try #require(all.first)
                #expect(told.bucket == "failures" && told.key == "a/a-1.json" && told.principal == "someone")
                let json = try JSONValue.parse(bytes: told.document)
                #expect(json["job"]?.stringValue == "a-1" && json["state"]?.stringValue == "dead")
                #expect(json["attempts"]?.arrayValue?.count == 2 * round && json["event"]?["x"]?[0] == .integer(1))
                #expect(json["log"] == .strings(["one", "two"]) && json["message"]?.stringValue == "no")
                try await state.removeFailureNotice(told.id)
                _ = try await state.handle([.sentAgain], of: number, at: time(30))
            }
        }
    }

    @Test("a webhook gets its notice in its own line, once for each end")
    func webhookNotices() async throws {
        try await withJob { state, number in
            for _ in 0..<2 {
                let notice = NewFailureNotice(target: .webhook("ops"), event: [0xFF], log: [])
                try await state.fail(number, .timeout, notice: notice)
                _ = try await state.handle([.sentAgain], of: number, at: time(30))
            }
            #expect(try await state.failureNotices(after: 0, limit: 9).isEmpty)
            let told = try await state.webhookDeliveries(to: "ops", limit: 9)
            #expect(told.count == 2)
            let body = try await state.webhookDelivery(try #require(told.first))
            let json = try JSONValue.parse(bytes: try #require(body).body)
            #expect(json["state"]?.stringValue == "failed" && json["event_base64"]?.stringValue == "/w==")
        }
    }

    @Test("a post under a known key is the same job; another body under it is none; the key goes with its job")
    func keys() async throws {
        try await withState { state in
            try await state.add("a", jobs: [])
            try await state.add("b", jobs: [])
            let key = PostKey(text: "k", digest: [1, 2])
            #expect(try await state.enqueue(try job("a-1", of: "a"), key: key) == .queued)
            #expect(try await state.enqueue(try job("a-2", of: "a"), key: key) == .known(try JobName("a-1")))
            #expect(try await state.enqueue(try job("a-2", of: "a"), key: PostKey(text: "k", digest: [3])) == .mismatch)
            #expect(try await state.enqueue(try job("b-1", of: "b"), key: key) == .queued)
            #expect(try await state.enqueue(try job("a-3", of: "a"), key: PostKey(text: "l")) == .queued)
            #expect(try await state.names() == ["a-1", "b-1", "a-3"])
            _ = try await state.deleteJob(try await state.find("a-1").number)
            #expect(try await state.outcome(of: key, for: try ServiceName("a")) == nil)
            #expect(try await state.enqueue(try job("a-4", of: "a"), key: key) == .queued)
            #expect(await code { try await state.enqueue(try job("x", of: "gone"), key: key) } == .notFound)
            #expect(
                await code { try await state.enqueue(try job("a-4", of: "a"), key: PostKey(text: "m")) }
                    == .alreadyExists)
        }
    }

    @Test("posting under one key at once: one job")
    func concurrentKeys() async throws {
        try await withState { state in
            try await state.add("a", jobs: [])
            let names = await withTaskGroup(of: PostOutcome?.self) { group in
                for index in 0..<20 {
                    group.addTask {
                        try? await state.enqueue(try job("a-\(index)", of: "a"), key: PostKey(text: "k"))
                    }
                }
                return await group.reduce(into: [PostOutcome?]()) { $0.append($1) }
            }
            #expect(names.count { $0 == .queued } == 1)
            #expect(Set(names.filter { $0 != .queued }).count == 1)
            #expect(try await state.names().count == 1)
        }
    }

    @Test("steps of jobs that are not there, or that come too late, change nothing")
    func refusals() async throws {
        try await withJob { state, number in
            #expect(try await state.handle([.started], of: 999, at: time(20)) == nil)
            #expect(try await state.handle([.delivered], of: number, at: time(20)) == nil)
            #expect(try await state.handle([.started, .delivered], of: number, at: time(20)) == nil)
            let job = try await state.find("a-1")
            #expect(job.state == .queued && job.attempts == 0)
            #expect(try await state.attempts(of: number).isEmpty)
        }
    }
}
