import Model
import StateStore
import Testing

@Suite("Deliveries")
struct DeliveryTests {
    @Test("a delivery is there once, however often it is committed")
    func unique() async throws {
        try await withState { state in
            try await state.add("a", jobs: ["a-1"])
            let number = try await state.find("a-1").number
            let all = [delivery("x"), delivery("y"), delivery("x", path: "other"), delivery("x", to: "webdav.w")]
            try await state.deliver(all, of: number, at: time(20), result: AttemptResult(exitCode: 0))
            try await state.deliver(all, of: number, at: time(30), result: AttemptResult(exitCode: 0))
            let records = try await state.deliveries(of: number)
            #expect(records.count == 4)
            #expect(records.allSatisfy { $0.nextAttempt == time(20) && $0.attempts == 0 && $0.jobName.text == "a-1" })
            #expect(try await state.find("a-1").state == .delivering)
        }
    }

    @Test("a job that is gone gets none")
    func noJob() async throws {
        try await withState { state in
            try await state.deliver([delivery("x")], of: 77, at: time(20), result: AttemptResult())
            #expect(try await state.deliveryCount() == 0)
        }
    }

    @Test("those that are due come in the order of their time, so many at once")
    func dueOrder() async throws {
        try await withState { state in
            try await state.add("a", jobs: ["a-1"])
            let number = try await state.find("a-1").number
            #expect(try await state.nextDelivery() == nil)
            try await state.deliver(
                ["x", "y", "z"].map { delivery($0) }, of: number, at: time(20), result: AttemptResult())
            let first = try await state.dueDeliveries(at: time(20), limit: 10)
            #expect(first.map(\.name) == ["x", "y", "z"])
            #expect(try await state.dueDeliveries(at: time(19), limit: 10).isEmpty)
            try await state.deliveryFailed(first[0], error: "down", next: time(40))
            try await state.deliveryFailed(first[1], error: "down", next: time(30))
            #expect(try await state.dueDeliveries(at: time(29), limit: 10).map(\.name) == ["z"])
            #expect(try await state.dueDeliveries(at: time(40), limit: 10).map(\.name) == ["z", "y", "x"])
            #expect(try await state.dueDeliveries(at: time(40), limit: 2).map(\.name) == ["z", "y"])
            #expect(try await state.nextDelivery() == time(20))
        }
    }

    @Test("the job ends with its last delivery")
    func end() async throws {
        try await withState { state in
            try await state.add("a", jobs: ["a-1"])
            let number = try await state.find("a-1").number
            try await state.deliver(
                [delivery("x"), delivery("y")], of: number, at: time(20), result: AttemptResult(exitCode: 0))
            let records = try await state.deliveries(of: number)
            try await state.deliveryFailed(records[1], error: "no route", next: time(30))
            #expect(try await state.delivered(records[0], at: time(25)) == nil)
            #expect(try await state.find("a-1").state == .delivering)
            #expect(try await state.delivered(records[1], at: time(31))?.job.state == .succeeded)
            let record = try await state.find("a-1")
            #expect(
                record.state == .succeeded && record.finished == time(31) && record.message == nil
                    && record.exitCode == 0)
            #expect(try await state.deliveryCount() == 0)
        }
    }

    @Test("a failure is counted, kept, and told in the job's message")
    func failure() async throws {
        try await withState { state in
            try await state.add("a", jobs: ["a-1"])
            let number = try await state.find("a-1").number
            try await state.deliver([delivery("x")], of: number, at: time(20), result: AttemptResult())
            let record = try #require(try await state.deliveries(of: number).first)
            for attempt in 1...3 {
                try await state.deliveryFailed(record, error: "no route \(attempt)", next: time(30))
            }
            let failed = try #require(try await state.deliveries(of: number).first)
            #expect(failed.attempts == 3 && failed.lastError == "no route 3" && failed.nextAttempt == time(30))
            #expect(try await state.find("a-1").message == "the result \"x\" waits for s3.cloud: no route 3")
        }
    }

    @Test("a run's results make a job of their own, once")
    func enqueueDelivering() async throws {
        try await withState { state in
            try await state.insert(try service("a"))
            let run = try job("run-1", of: "a", body: nil)
            try await state.enqueueDelivering(run, [delivery("x")])
            try await state.enqueueDelivering(run, [delivery("y")])
            let record = try await state.find("run-1")
            #expect(record.state == .delivering)
            #expect(try await state.deliveries(of: record.number).map(\.name) == ["x"])
            try await state.enqueueDelivering(try job("run-2", of: "gone", body: nil), [delivery("x")])
            #expect(try await state.names() == ["run-1"])
            #expect(try await state.deliveryCount() == 1)
        }
    }

    @Test("a changed service's deliveries are due at once, those of others are not")
    func retry() async throws {
        try await withState { state in
            for name in ["a", "b"] {
                try await state.add(name, jobs: ["\(name)-1"])
                let number = try await state.find("\(name)-1").number
                try await state.deliver([delivery("x")], of: number, at: time(100), result: AttemptResult())
            }
            try await state.retryDeliveries(of: try ServiceName("a"), at: time(50))
            #expect(try await state.dueDeliveries(at: time(50), limit: 10).map(\.jobName.text) == ["a-1"])
            // Never later than it was.
            try await state.retryDeliveries(of: try ServiceName("a"), at: time(70))
            #expect(try await state.nextDelivery() == time(50))
        }
    }

    @Test("deleting the job deletes them")
    func deleteJob() async throws {
        try await withState { state in
            try await state.add("a", jobs: ["a-1"])
            let number = try await state.find("a-1").number
            try await state.deliver([delivery("x")], of: number, at: time(20), result: AttemptResult())
            let record = try #require(try await state.deliveries(of: number).first)
            _ = try await state.deleteJob(number)
            #expect(try await state.deliveryCount() == 0)
            // One that was under way changes nothing any more.
            try await state.deliveryFailed(record, error: "down", next: time(40))
            #expect(try await state.delivered(record, at: time(40)) == nil)
            #expect(try await state.names() == [])
        }
    }
}
