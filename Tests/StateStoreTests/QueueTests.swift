import Model
import Scheduling
import StateStore
import Testing

@Suite("The queue of jobs")
struct QueueTests {
    @Test("routing is harmless to repeat: one job per event and service")
    func idempotentRouting() async throws {
        try await withState { state in
            try await state.insert(try service("a"))
            try await state.insert(try service("b"))
            let first = [try job("a-1", of: "a", event: 1), try job("b-1", of: "b", event: 1)]
            let again = [
                try job("a-2", of: "a", event: 1), try job("b-2", of: "b", event: 1), try job("a-3", of: "a", event: 2),
            ]
            try await state.route(first, upTo: 1)
            try await state.route(again, upTo: 2)
            #expect(try await state.names() == ["a-1", "b-1", "a-3"])
            #expect(try await state.routerPosition() == 2)
        }
    }

    @Test("an event's job stays unique after it has ended")
    func routingAfterTheEnd() async throws {
        try await withState { state in
            try await state.insert(try service("a"))
            try await state.route([try job("a-1", of: "a", event: 1)], upTo: 1)
            _ = try await state.end(
                try await state.find("a-1").number, as: .succeeded, at: time(20), result: AttemptResult())
            try await state.route([try job("a-2", of: "a", event: 1)], upTo: 1)
            #expect(try await state.names() == ["a-1"])
        }
    }

    @Test("jobs of services that are gone are left out, the position moves on")
    func removedServices() async throws {
        try await withState { state in
            try await state.insert(try service("a"))
            try await state.route([try job("x-1", of: "x", event: 1), try job("a-1", of: "a", event: 1)], upTo: 7)
            #expect(try await state.names() == ["a-1"])
            #expect(try await state.routerPosition() == 7)
        }
    }

    @Test("the position never goes back")
    func monotonePosition() async throws {
        try await withState { state in
            #expect(try await state.routerPosition() == 0)
            for (given, expected): (Int64, Int64) in [(5, 5), (3, 5), (5, 5), (6, 6)] {
                try await state.route([], upTo: given)
                #expect(try await state.routerPosition() == expected)
            }
        }
    }

    @Test("a posted job needs a service and a free name")
    func enqueueErrors() async throws {
        try await withState { state in
            try await state.add("a", jobs: ["a-1"])
            try await state.insert(try service("b"))
            #expect(await code { try await state.enqueue(try job("a-1", of: "a", body: [9])) } == .alreadyExists)
            #expect(await code { try await state.enqueue(try job("a-1", of: "b")) } == .alreadyExists)
            #expect(await code { try await state.enqueue(try job("x-1", of: "x")) } == .notFound)
            #expect(await code { try await state.enqueue(try job("a-1", of: "x")) } == .alreadyExists)
            let (record, event) = try #require(try await state.jobToRun(try await state.find("a-1").number))
            #expect(record.service.text == "a" && event == [1, 2, 3])
        }
    }

    @Test("posting at once: one wins")
    func concurrentEnqueue() async throws {
        try await withState { state in
            try await state.insert(try service("a"))
            let wins = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<20 {
                    group.addTask { await code { try await state.enqueue(try job("same", of: "a")) } == nil }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(wins == 1)
        }
    }

    @Test("waiting jobs come in order, page by page, of one service, and only those that wait")
    func waitingJobs() async throws {
        try await withState { state in
            try await state.add("a", jobs: (1...5).map { "a-\($0)" })
            try await state.add("b", jobs: ["b-1"])
            let a = try ServiceName("a")
            let all = try await state.waitingJobs(of: a, after: 0, limit: 100)
            #expect(all.count == 5 && all == all.sorted())
            #expect(try await state.waitingJobs(of: a, after: 0, limit: 2) == Array(all[..<2]))
            #expect(try await state.waitingJobs(of: a, after: all[1], limit: 2) == Array(all[2..<4]))
            #expect(try await state.waitingJobs(of: a, after: all[4], limit: 2) == [])
            try await state.advance(all[0], to: .running)
            _ = try await state.end(all[1], as: .failed, at: time(20), result: AttemptResult())
            #expect(try await state.waitingJobs(of: a, after: 0, limit: 100) == Array(all[2...]))
            #expect(try await state.firstWaiting(of: a) == all[2])
            #expect(try await state.firstWaiting(of: try ServiceName("c")) == nil)
        }
    }

    @Test("an end is recorded once, and nothing moves a job that has ended")
    func endOnce() async throws {
        try await withState { state in
            try await state.add("a", jobs: ["a-1"])
            let number = try await state.find("a-1").number
            try await state.advance(number, to: .running, result: AttemptResult(started: time(11)))
            let result = AttemptResult(
                exitCode: 3, message: "no", stageIn: .seconds(1), run: .seconds(2), stageOut: .zero)
            #expect(try await state.end(number, as: .failed, at: time(20), result: result))
            #expect(try await !state.end(number, as: .succeeded, at: time(21), result: AttemptResult(exitCode: 0)))
            try await state.advance(number, to: .running)
            #expect(try await state.handle([.resultsLost], of: number, at: time(21)) == nil)
            try await state.deliver([], of: number, at: time(22), result: AttemptResult())
            let record = try await state.find("a-1")
            #expect(record.state == .failed && record.finished == time(20) && record.attempts == 1)
            #expect(record.exitCode == 3 && record.message == "no" && record.started == time(11))
            #expect(record.stageIn == .seconds(1) && record.run == .seconds(2) && record.stageOut == .zero)
            #expect(try await !state.end(999_999, as: .failed, at: time(20), result: AttemptResult()))
        }
    }

    @Test("recovery queues what ran, and hands over what was staged out")
    func recover() async throws {
        try await withState { state in
            let states: [(String, JobState)] = [
                ("queued", .queued), ("in", .stagingIn), ("run", .running), ("out", .stagingOut),
                ("deliver", .delivering),
            ]
            try await state.add("a", jobs: states.map(\.0) + ["over"])
            for (name, wanted) in states where wanted != .queued {
                try await state.advance(try await state.find(name).number, to: wanted)
            }
            _ = try await state.end(
                try await state.find("over").number, as: .succeeded, at: time(20), result: AttemptResult())
            let (requeued, stagingOut) = try await state.recover(at: time(30))
            #expect(requeued == 2)
            #expect(stagingOut.map(\.name.text) == ["out"])
            for name in ["queued", "in", "run"] { #expect(try await state.find(name).state == .queued) }
            #expect(try await state.find("run").message?.contains("runs again") == true)
            #expect(try await state.find("run").attempts == 1)
            #expect(try await state.find("deliver").state == .delivering)
            #expect(try await state.find("over").state == .succeeded)
            #expect(try await state.waitingJobs(of: try ServiceName("a"), after: 0, limit: 10).count == 3)
        }
    }

    @Test("recovery after a power cut queues also what was staged out")
    func recoverWithoutResults() async throws {
        try await withState { state in
            try await state.add("a", jobs: ["out"])
            try await state.advance(try await state.find("out").number, to: .stagingOut)
            let (requeued, stagingOut) = try await state.recover(resultsAreWhole: false, at: time(30))
            #expect(requeued == 1 && stagingOut.isEmpty)
            #expect(try await state.find("out").state == .queued)
        }
    }

    @Test("one job goes back to the queue with a reason")
    func requeue() async throws {
        try await withState { state in
            try await state.add("a", jobs: ["a-1"])
            let number = try await state.find("a-1").number
            try await state.advance(number, to: .stagingOut)
            let lost = AttemptResult(message: "lost")
            #expect(try await state.handle([.resultsLost], of: number, at: time(30), lost)?.actions.last == .enqueue)
            let record = try await state.find("a-1")
            #expect(record.state == .queued && record.message == "lost")
        }
    }

    @Test(
        "an event may be any bytes, none, or kept elsewhere",
        arguments: [[], [0, 255, 10], Array(repeating: 7, count: 100_000)])
    func events(bytes: [UInt8]) async throws {
        try await withState { state in
            try await state.insert(try service("a"))
            try await state.enqueue(try job("with", of: "a", body: bytes))
            try await state.enqueue(try job("without", of: "a", body: nil))
            #expect(try await state.jobToRun(try await state.find("with").number)?.event == bytes)
            let without = try #require(try await state.jobToRun(try await state.find("without").number))
            #expect(without.event == nil)
            #expect(try await state.jobToRun(12_345) == nil)
        }
    }
}
