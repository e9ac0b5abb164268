import Cluster
import ClusterTesting
import HTTPTypes
import LoopbackServer
import Model
import Scheduling
import StateStore
import SystemPackage
import TestKit
import Testing

@Suite("/apus/v1/jobs and Idempotency-Key", .serialized, .timeLimit(.minutes(2)))
struct JobRoutesTests {
    @Test("one job with its attempts, its event and the log of each attempt")
    func show() async throws {
        try await APIFixture.run { api in
            try await api.cluster.create(
                "cow", script: "echo \"says $(cat \"$INPUT_FILE_PATH\")\"; exit 3",
                more: ["retry": .object(["script": .integer(1), "backoff": .string("10ms")])])
            let name = try #require(
                try await api.send(.post, "/job/cow", body: Array("{\"a\":1}".utf8)).header("x-job-name"))
            try await api.cluster.ended(1)
            let job = try await api.send(.get, "/apus/v1/jobs/\(name)").expect(200).json()
            #expect(job["state"]?.stringValue == "dead" && job["attempts"]?.integerValue == 2)
            #expect(job["event"]?["a"]?.integerValue == 1 && job["principal"]?.stringValue == "oscar")
            let history = try #require(job["history"]?.arrayValue)
            #expect(history.map { $0["outcome"]?.stringValue } == ["script", "script"])
            #expect(history.map { $0["exit_code"]?.integerValue } == [3, 3])
            for attempt in ["1", "2", ""] {
                try await api.send(.get, "/apus/v1/jobs/\(name)/log?attempt=\(attempt)")
                    .expect(200, "says {\"a\":1}\nApus: the script ended with exit code 3\n")
            }
            try await api.send(.get, "/apus/v1/jobs/\(name)/log?attempt=3").expect(404)
            for bad in ["0", "-1", "x"] {
                try await api.send(.get, "/apus/v1/jobs/\(name)/log?attempt=\(bad)").expect(400)
            }
            // OSCAR's clients see one of their five states, and the last attempt's log.
            let list = try await api.send(.get, "/system/logs/cow").expect(200).json()
            #expect(list["jobs"]?[name]?["status"]?.stringValue == "Failed")
            try await api.send(.get, "/system/logs/cow/\(name)")
                .expect(200, "says {\"a\":1}\nApus: the script ended with exit code 3\n")
            for target in ["none", "..%2fx", "none/log"] {
                try await api.send(.get, "/apus/v1/jobs/\(target)").expect(404)
            }
        }
    }

    @Test("cancelling, trying again, purging: one and many")
    func actions() async throws {
        var options = ClusterFixture.Options()
        options.capacity = Resources(cpu: MilliCPU(1), memory: ByteCount(1 << 30))
        try await APIFixture.run(options) { api in
            try await api.cluster.create("cow", script: "true")
            var names: [String] = []
            for _ in 0..<4 {
                names.append(try #require(try await api.send(.post, "/job/cow", body: []).header("x-job-name")))
            }
            try await api.send(.delete, "/apus/v1/jobs/\(names[0])").expect(409)
            for _ in 0..<2 { try await api.send(.post, "/apus/v1/jobs/\(names[0])/cancel").expect(204) }
            try await api.send(.post, "/apus/v1/jobs/\(names[0])/retry").expect(204)
            for name in names { try await api.send(.post, "/apus/v1/jobs/\(name)/cancel").expect(204) }
            try await api.send(.delete, "/apus/v1/jobs/\(names[0])").expect(204)
            try await api.send(.get, "/apus/v1/jobs/\(names[0])").expect(404)
            for bad in ["", "?state=queued", "?state=succeeded,dead", "?state=x", "?state=dead&since=yesterday"] {
                try await api.send(.delete, "/apus/v1/jobs\(bad)").expect(400)
                try await api.send(.post, "/apus/v1/jobs/retry\(bad)").expect(400)
            }
            try await api.send(.post, "/apus/v1/jobs/retry?state=dead").expect(200, #"{"jobs":0}"#)
            try await api.send(.post, "/apus/v1/jobs/retry?state=cancelled&limit=1").expect(200, #"{"jobs":1}"#)
            try await api.send(.delete, "/apus/v1/jobs?state=cancelled&service=other").expect(200, #"{"jobs":0}"#)
            try await api.send(.delete, "/apus/v1/jobs?state=cancelled&service=cow").expect(200, #"{"jobs":2}"#)
            #expect(try await api.cluster.allJobs().map(\.state) == [.queued])
            for action in ["cancel", "retry"] {
                try await api.send(.post, "/apus/v1/jobs/none/\(action)").expect(404)
                try await api.send(.post, "/apus/v1/jobs/x/\(action)", authorization: nil).expect(401)
            }
        }
    }

    @Test("a job that is posted twice under one key is one job; another body is refused")
    func jobKeys() async throws {
        try await APIFixture.run { api in
            try await api.cluster.create("cow", script: "true")
            let key = ["Idempotency-Key": "\"order-1\""]
            let first = try await api.send(.post, "/job/cow", headers: key, body: [1]).expect(201)
            #expect(first.header("idempotency-replayed") == nil)
            let again = try await api.send(.post, "/job/cow", headers: ["Idempotency-Key": "order-1"], body: [1])
                .expect(201)
            #expect(again.header("x-job-name") == first.header("x-job-name"))
            #expect(again.header("idempotency-replayed") == "true")
            try await api.send(.post, "/job/cow", headers: key, body: [2]).expect(422)
            for bad in ["", "\"\"", String(repeating: "x", count: 300), "é"] {
                try await api.send(.post, "/job/cow", headers: ["Idempotency-Key": bad], body: [1]).expect(400)
            }
            #expect(try await api.cluster.ended(1).count == 1)
        }
    }

    @Test("a run that is asked for twice under one key runs once, whatever it answered")
    func runKeys() async throws {
        try await APIFixture.run { api in
            let mark = api.cluster.data.root.appending("n")
            try await api.cluster.create("cow", script: "echo x >> '\(mark)'; cat \"$INPUT_FILE_PATH\"")
            try await api.cluster.create("bad", script: "echo x >> '\(mark)'; exit 4")
            let key = ["Idempotency-Key": "k"]
            for replayed in [nil, "true", "true"] {
                let answer = try await api.send(.post, "/run/cow", headers: key, body: Array("aGk=".utf8)).expect(
                    200, "hi\n")
                #expect(answer.header("idempotency-replayed") == replayed)
                #expect(answer.header("content-type") == "text/plain; charset=utf-8")
            }
            try await api.send(.post, "/run/cow", headers: key, body: Array("aGkK".utf8)).expect(422)
            for _ in 0..<2 {
                try await api.send(.post, "/run/bad", headers: key, body: []).expect(500, "exit status 4\n")
            }
            #expect(try mark.readAll() == Array("x\nx\n".utf8))
            // What was refused is no answer.
            try await api.cluster.create("huge", script: "true", more: ["cpu": .string("64")])
            for _ in 0..<2 { try await api.send(.post, "/run/huge", headers: key, body: []).expect(400) }
        }
    }

    @Test("a second run under a key that is under way is refused")
    func runUnderWay() async throws {
        try await APIFixture.run { api in
            let gate = api.cluster.data.root.appending("gate")
            let mark = api.cluster.data.root.appending("mark")
            try await api.cluster.create(
                "cow", script: "echo > '\(mark)'; until [ -e '\(gate)' ]; do sleep 0.01; done; echo end")
            let key = ["Idempotency-Key": "k"]
            async let first = api.send(.post, "/run/cow", headers: key, body: [])
            try await eventually("it runs") { try mark.readAll() != nil }
            try await api.send(.post, "/run/cow", headers: key, body: []).expect(409)
            _ = try gate.write("go".utf8)
            try await first.expect(200, "end\n\n")
            try await api.send(.post, "/run/cow", headers: key, body: []).expect(200, "end\n\n")
        }
    }
}
