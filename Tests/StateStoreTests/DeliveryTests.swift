import Model
import Scheduling
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

    @Test("those of a destination that are due come in order, so many at once, and say when the next one is due")
    func dueOrder() async throws {
        try await withState { state in
            func names(_ now: Int64, after: Int64 = 0, limit: Int = 10) async throws -> [String] {
                try await state.deliveries(to: "a/s3.cloud", after: after, at: time(now), limit: limit).due.map(\.name)
            }
            try await state.add("a", jobs: ["a-1"])
            let number = try await state.find("a-1").number
            #expect(try await state.deliveryDestinations() == [])
            #expect(try await state.newestDelivery() == 0)
            let all = ["x", "y", "z"].map { delivery($0) } + [delivery("w", to: "webdav.w")]
            try await state.deliver(all, of: number, at: time(20), result: AttemptResult())
            #expect(try await state.deliveryDestinations() == ["a/s3.cloud", "a/webdav.w"])
            let first = try await state.deliveries(to: "a/s3.cloud", after: 0, at: time(20), limit: 10).due
            #expect(first.map(\.name) == ["x", "y", "z"] && first.allSatisfy { !$0.isBehind })
            #expect(try await state.newestDelivery() == first[2].id + 1)
            #expect(try await names(19) == [])
            #expect(try await names(20, after: first[0].id) == ["y", "z"])
            #expect(try await names(20, limit: 2) == ["x", "y"])
            try await state.deliveryFailed(first[0], error: "down", next: time(40))
            try await state.deliveryFailed(first[1], error: "down", next: time(30))
            #expect(try await names(29) == ["z"])
            #expect(try await names(40) == ["x", "y", "z"])
            let next = try await state.deliveries(to: "a/s3.cloud", after: 99, at: time(29), limit: 1).nextDue
            #expect(next == time(30))
            #expect(try await state.deliveries(to: "a/s3.cloud", after: 0, at: time(40), limit: 1).nextDue == nil)
        }
    }

    @Test("a delivery knows whether one to the same place waits before it, however the place is spelled")
    func behind() async throws {
        try await withState { state in
            try await state.add("a", jobs: ["a-1", "a-2", "a-3"])
            for (name, result) in [
                ("a-1", delivery("b/c", path: "p")), ("a-2", delivery("c", path: "p/b")),
                ("a-3", delivery("c", path: "p")),
            ] {
                let number = try await state.find(name).number
                try await state.deliver([result], of: number, at: time(20), result: AttemptResult())
            }
            let all = try await state.deliveries(to: "a/s3.cloud", after: 0, at: time(20), limit: 10).due
            #expect(all.map(\.isBehind) == [false, true, false])
            #expect(Set(all.map(\.token)).count == 3 && all.allSatisfy { $0.token.utf8.count == 32 })
            _ = try await state.delivered(all[0], at: time(21))
            #expect(try await state.delivery(all[1].id)?.isBehind == false)
            #expect(try await state.delivery(all[0].id) == nil)
        }
    }

    @Test("what waits is summed up by destination")
    func backlogs() async throws {
        try await withState { state in
            try await state.add("a", jobs: ["a-1", "a-2"])
            for (name, second) in [("a-1", 20), ("a-2", 30)] as [(String, Int64)] {
                let number = try await state.find(name).number
                try await state.deliver(
                    [delivery("x"), delivery("x", to: "webdav.w")], of: number, at: time(second),
                    result: AttemptResult())
            }
            let first = try #require(
                try await state.deliveries(to: "a/s3.cloud", after: 0, at: time(30), limit: 1).due.first)
            try await state.deliveryFailed(first, error: "down", next: time(40))
            let backlogs = try await state.deliveryBacklogs()
            #expect(backlogs.map(\.destination) == ["a/s3.cloud", "a/webdav.w"])
            #expect(backlogs[0].waiting == 2 && backlogs[0].oldest == time(20) && backlogs[0].attempts == 1)
            #expect(backlogs[0].lastError == "down" && backlogs[1].lastError == nil)
            let bytes = try await state.deliveryBytes()
            #expect(bytes == backlogs[0].bytes + backlogs[1].bytes)
        }
    }

    @Test("giving up the oldest ends their jobs as failed, and leaves what the limit allows")
    func drop() async throws {
        try await withState { state in
            try await state.add("a", jobs: ["a-1", "a-2", "a-3"])
            for name in ["a-1", "a-2", "a-3"] {
                let number = try await state.find(name).number
                try await state.deliver(
                    [delivery("x"), delivery("y", to: "webdav.w")], of: number, at: time(20), result: AttemptResult())
            }
            let size = try await state.deliveryBytes().bytes
            let lost = try await state.dropDeliveries(
                to: nil, keepingBytes: ByteCount(size / 2), message: "no room", at: time(30), limit: 100,
                failureOutput: { $0.text == "a" ? .webhook("ops") : nil })
            #expect(lost.dropped.map(\.name) == ["x", "y", "x"] && lost.ended.map(\.job.name.text) == ["a-1"])
            // The second job's file is still wanted elsewhere.
            #expect(lost.files.map(\.job.text) == ["a-1", "a-1"])
            let record = try await state.find("a-1")
            #expect(record.state == .failed && record.message == "no room" && record.finished == time(30))
            #expect(try await state.webhookDeliveryCounts() == ["ops": 1])
            // What is left of the second job arrives; that it lost something is not forgotten.
            let rest = try #require(try await state.deliveries(of: state.find("a-2").number).first)
            let end = try await state.delivered(rest, at: time(31), failureOutput: .webhook("ops"))
            #expect(end?.job.state == .failed)
            #expect(try await state.webhookDeliveryCounts() == ["ops": 2])
            let second = try await state.find("a-2")
            #expect(second.state == .failed && second.message?.hasPrefix("1 of its results") == true)
            #expect(
                try await state.dropDeliveries(
                    to: nil, keepingBytes: ByteCount(size), message: "", at: time(32), limit: 9
                ).dropped.isEmpty)
            let all = try await state.dropDeliveries(to: "a/s3.cloud", message: "mine", at: time(33), limit: 9)
            #expect(all.dropped.count == 1 && all.ended.isEmpty)
            #expect(try await state.find("a-3").state == .delivering)
            #expect(try await state.deliveryDestinations() == ["a/webdav.w"])
        }
    }

    @Test("a job whose results were given up and that is sent again ends by what then arrives")
    func sentAgain() async throws {
        try await withState { state in
            try await state.add("a", jobs: ["a-1"])
            let number = try await state.find("a-1").number
            try await state.deliver([delivery("x")], of: number, at: time(20), result: AttemptResult())
            _ = try await state.dropDeliveries(to: nil, message: "no room", at: time(30), limit: 9)
            #expect(try await state.find("a-1").state == .failed)
            _ = try await state.handle([.sentAgain], of: number, at: time(40))
            try await state.deliver([delivery("x")], of: number, at: time(50), result: AttemptResult())
            let waiting = try #require(try await state.deliveries(of: number).first)
            #expect(try await state.delivered(waiting, at: time(60))?.job.state == .succeeded)
        }
    }

    @Test("uploads and their parts are kept; those that were given up are remembered to be aborted")
    func uploads() async throws {
        try await withState { state in
            try await state.add("a", jobs: ["a-1", "a-2"])
            var all: [DeliveryRecord] = []
            for name in ["a-1", "a-2"] {
                let number = try await state.find(name).number
                try await state.deliver([delivery("x")], of: number, at: time(20), result: AttemptResult())
                all += try await state.deliveries(of: number)
            }
            let id = all[0].id
            try await state.delivery(id, isUnderWayIn: "up-1")
            try await state.delivery(id, hasPart: 2, eTag: "b")
            try await state.delivery(id, hasPart: 1, eTag: "a")
            try await state.delivery(id, hasPart: 2, eTag: "c")
            #expect(try await state.parts(ofDelivery: id) == [1: "a", 2: "c"])
            #expect(try await state.delivery(id)?.upload == "up-1")
            try await state.delivery(id, isUnderWayIn: nil, isGivenUp: true)
            #expect(try await state.parts(ofDelivery: id) == [:])
            try await state.delivery(id, isUnderWayIn: "up-2")
            try await state.delivery(all[1].id, isUnderWayIn: "up-3")
            // One arrives; the other's job is deleted.
            _ = try await state.delivered(all[0], at: time(30))
            _ = try await state.deleteJob(all[1].job)
            let abandoned = try await state.abandonedUploads(limit: 10)
            #expect(abandoned.map(\.upload) == ["up-1", "up-3"])
            #expect(abandoned.first?.destination.description == "a/s3.cloud" && abandoned.first?.name == "x")
            for upload in abandoned { try await state.forgetAbandonedUpload(upload.id) }
            #expect(try await state.abandonedUploads(limit: 10).isEmpty)
            // Parts of what is gone are kept by nobody.
            try await state.delivery(id, hasPart: 9, eTag: "z")
            #expect(try await state.parts(ofDelivery: id) == [:])
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
            func due(_ destination: String, _ now: Int64) async throws -> Int {
                try await state.deliveries(to: destination, after: 0, at: time(now), limit: 10).due.count
            }
            #expect(try await due("a/s3.cloud", 50) == 1)
            #expect(try await due("b/s3.cloud", 50) == 0)
            // Never later than it was.
            try await state.retryDeliveries(of: try ServiceName("a"), at: time(70))
            #expect(try await due("a/s3.cloud", 50) == 1)
            #expect(try await state.retryDeliveries(to: "b/s3.cloud", at: time(60)) == 1)
            #expect(try await due("b/s3.cloud", 60) == 1)
            #expect(try await state.retryDeliveries(to: nil, at: time(60)) == 2)
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
