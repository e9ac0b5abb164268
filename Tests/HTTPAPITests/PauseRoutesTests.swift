import Cluster
import ClusterTesting
import HTTPTypes
import Model
import NIOCore
import Scheduling
import StateStore
import Synchronization
import TestKit
import Testing

@Suite("Pause and resume, refusals, health in detail", .serialized, .timeLimit(.minutes(2)))
struct PauseRoutesTests {
    @Test("a service is paused and resumed; its JSON says so")
    func pause() async throws {
        try await APIFixture.run { api in
            try await api.cluster.create("cow", script: "echo moo")
            let answer = try await api.send(.post, "/apus/v1/services/cow/pause").expect(200)
            #expect(try answer.json()["paused"]?["by"]?.stringValue == "oscar")
            try await api.send(.post, "/job/cow", body: [1]).expect(201)
            let run = try await api.send(.post, "/run/cow", body: Array("eA==".utf8)).expect(503)
            #expect(run.text.contains("apus service resume cow") && run.header("retry-after") == nil)
            for path in ["/system/services/cow", "/system/services"] {
                let json = try await api.send(.get, path).expect(200).json()
                let since = (json.arrayValue?.first ?? json)["paused"]?["since"]?.stringValue
                #expect(Instant(rfc3339: try #require(since)) != nil)
            }
            // What a client read it may send back.
            let definition = try await api.send(.get, "/system/services/cow").json()
            try await api.send(.put, "/system/services", json: definition).expect(204)
            #expect(try await api.send(.get, "/system/services/cow").json()["paused"] != nil)
            let resumed = try await api.send(.post, "/apus/v1/services/cow/resume").expect(200)
            #expect(try resumed.json()["paused"] == nil)
            try await api.cluster.ended(1)
            for action in ["pause", "resume"] {
                try await api.send(.post, "/apus/v1/services/none/\(action)").expect(404)
                try await api.send(.post, "/apus/v1/services/Not_A_Name/\(action)").expect(400)
                try await api.send(
                    .post, "/apus/v1/services/cow/\(action)", authorization: try api.token("cow")
                ).expect(401)
            }
        }
    }

    @Test("a full queue is 429, with a time to try again")
    func queueIsFull() async throws {
        try await APIFixture.run { api in
            try await api.cluster.create("cow", script: "true", more: ["queue": .object(["limit": .integer(1)])])
            try await api.send(.post, "/apus/v1/services/cow/pause").expect(200)
            try await api.send(.post, "/job/cow", body: [1]).expect(201)
            let refused = try await api.send(.post, "/job/cow", body: [1]).expect(429)
            #expect(refused.text.contains("queue.limit is 1"))
            #expect((1...60).contains(Int(try #require(refused.header("retry-after"))) ?? 0))
        }
    }

    @Test("health in detail, and what a full disk refuses")
    func health() async throws {
        let disk = Disk()
        var options = ClusterFixture.Options()
        options.sample = { [.diskSpace: Pressure.Level(free: disk.free.withLock { $0 }, total: 1 << 40)] }
        try await APIFixture.run(options) { api in
            await api.cluster.resources.look()
            let fine = try await api.send(.get, "/health?verbose", authorization: nil).expect(200)
            try fine.expectKeys(["status", "starts", "stores", "checks"])
            let checks = try #require(try fine.json()["checks"]?.arrayValue)
            #expect(checks.compactMap { $0["name"]?.stringValue } == ["disk_space", "clock"])
            #expect(checks.allSatisfy { $0["state"]?.stringValue == "ok" })
            disk.free.withLock { $0 = 1 }
            await api.cluster.resources.look()
            try await api.cluster.create("cow", script: "true")
            try await api.send(.get, "/health", authorization: nil).expect(200, "Ok")
            let short = try await api.send(.get, "/health?verbose=1", authorization: nil).expect(200).json()
            #expect(short["status"]?.stringValue == "short" && short["starts"]?.boolValue == false)
            #expect(try await api.send(.post, "/job/cow", body: [1]).expect(503).header("retry-after") == "30")
            #expect(try await api.send(.post, "/run/cow", body: [1]).expect(503).header("retry-after") == "10")
            try await api.send(.get, "/system/services/cow").expect(200)
        }
    }

    private final class Disk: Sendable {
        let free = Mutex<Int64>(1 << 40)
    }
}
