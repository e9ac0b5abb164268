import Cluster
import ClusterTesting
import HTTPTypes
import LoopbackServer
import Model
import NIOCore
import Scheduling
import StateStore
import SystemPackage
import TestKit
import Testing

@Suite("/run, /job and the logs of jobs", .serialized, .timeLimit(.minutes(2)))
struct InvocationRoutesTests {
    @Test("a posted job is answered with its name, and its log tells what it did")
    func job() async throws {
        try await APIFixture.run { api in
            try await api.cluster.create("cow", script: "echo one; printf two; exit 3")
            let answer = try await api.send(.post, "/job/cow", body: Array("event".utf8)).expect(201, "")
            let name = try #require(answer.header("x-job-name"))
            #expect(name.hasPrefix("cow-"))
            try await api.cluster.ended(1)
            let log = try await api.send(.get, "/system/logs/cow/\(name)")
                .expect(200, "one\ntwoApus: the script ended with exit code 3\n")
            #expect(log.header("content-type") == "text/plain; charset=utf-8")
            let stamped = try await api.send(.get, "/system/logs/cow/\(name)/?timestamps=true").expect(200)
            let lines = stamped.text.split(separator: "\n")
            #expect(lines.count == 2)
            for line in lines { #expect(Instant(rfc3339: String(line.prefix { $0 != " " })) != nil) }
            try await api.send(.get, "/system/logs/cow/\(name)?follow=true").expect(200, log.text)

            let list = try await api.send(.get, "/system/logs/cow").expect(200)
            try list.expectKeys(["jobs"])
            try list.expectKeys(
                ["status", "creation_time", "start_time", "finish_time", "exit_code", "reason"], at: ["jobs", name]
            )
            let entry = try #require(try list.json()["jobs"]?[name])
            #expect(entry["status"]?.stringValue == "Failed" && entry["exit_code"]?.integerValue == 3)
            #expect(entry["creation_time"]?.stringValue?.hasSuffix("Z") == true)
            #expect(entry["creation_time"]?.stringValue?.count == 20)
        }
    }

    @Test("another cluster's name for a job is kept; a second of that name and a bad one are refused")
    func delegated() async throws {
        try await APIFixture.run { api in
            try await api.cluster.create("cow", script: "true")
            let header = ["X-Delegated-Job-ID": "theirs-1"]
            #expect(
                try await api.send(.post, "/job/cow", headers: header, body: [1]).expect(201).header("x-job-name")
                    == "theirs-1")
            try await api.send(.post, "/job/cow", headers: header, body: [1]).expect(400)
            for bad in ["../x", "", ".hidden", "a/b", String(repeating: "x", count: 121)] {
                try await api.send(.post, "/job/cow", headers: ["X-Delegated-Job-ID": bad], body: [1]).expect(400)
            }
        }
    }

    @Test("events and bodies over the limit are refused; plain bytes have none")
    func limits() async throws {
        try await APIFixture.run { api in
            try await api.cluster.create("cow", script: "wc -c < \"$INPUT_FILE_PATH\"")
            let large = [UInt8](repeating: 0x21, count: 200_001)
            try await api.send(.post, "/job/cow", body: large).expect(413)
            #expect(try await api.send(.post, "/run/cow", body: large).expect(413).header("connection") == "close")
            try await api.send(.post, "/run/cow", body: Array(large.dropLast())).expect(200, "200000\n\n")
            try await api.send(.post, "/run/cow", headers: ["Accept": "application/octet-stream"], body: large)
                .expect(200, "200001\n")
            #expect(try await api.cluster.allJobs().isEmpty)
        }
    }

    @Test("a run answers with output, file or failure")
    func run() async throws {
        try await APIFixture.run { api in
            try await api.cluster.create("cow", script: "cat \"$INPUT_FILE_PATH\"")
            let text = try await api.send(.post, "/run/cow", body: Array("aGk=".utf8)).expect(200, "hi\n")
            #expect(text.header("content-type") == "text/plain; charset=utf-8" && text.header("content-length") == "3")
            #expect(text.header("connection") == nil)
            #expect(Double(try #require(text.header("x-duration-seconds"))) != nil)
            try await api.cluster.create("file", script: "cp \"$INPUT_FILE_PATH\" \"$TMP_OUTPUT_DIR/x.png\"")
            try await api.send(.post, "/run/file", body: Array("aGk=".utf8)).expect(200, "aGk=\n")
            let bytes = try await api.send(
                .post, "/run/file", headers: ["Accept": "Application/Octet-Stream"], body: [0, 255, 10]
            ).expect(200)
            #expect(bytes.body == [0, 255, 10] && bytes.header("content-type") == "image/png")
            try await api.cluster.create("many", script: "cd \"$TMP_OUTPUT_DIR\"; echo a > a; echo b > b")
            let archive = try await api.send(
                .post, "/run/many", headers: ["Accept": "application/octet-stream"], body: []
            ).expect(200)
            #expect(archive.header("content-type") == "application/zip" && archive.body.starts(with: [0x50, 0x4B]))
            #expect(archive.header("transfer-encoding") == "chunked")
            try await api.cluster.create("bad", script: "echo wrong >&2; exit 9")
            try await api.send(.post, "/run/bad", body: []).expect(500, "exit status 9\nwrong\n")
            try await api.cluster.create("huge", script: "true", more: ["cpu": .string("64")])
            try await api.send(.post, "/run/huge", body: []).expect(400)
            #expect(try api.cluster.names(api.cluster.data.work).isEmpty)
        }
    }

    @Test("a client that goes away ends its run")
    func disconnect() async throws {
        try await APIFixture.run { api in
            let mark = api.cluster.data.root.appending("mark")
            try await api.cluster.create("slow", script: "echo $$ > '\(mark)'; exec sleep 1000")
            let request = Task { try await api.send(.post, "/run/slow", body: [1]) }
            let process = try await eventually("the script runs") {
                try mark.readAll().flatMap { Int(String(decoding: $0, as: UTF8.self).prefix { $0 != "\n" }) }
            }
            request.cancel()
            _ = await request.result
            try await eventually("the script and its folder are gone") {
                try FilePath("/proc/\(process)/stat").readAll() == nil
                    && api.cluster.names(api.cluster.data.work).isEmpty
            }
            #expect(api.cluster.scheduler.free == api.cluster.scheduler.capacity)
        }
    }

    @Test("a log can be followed while the job runs, and ends with it")
    func follow() async throws {
        try await APIFixture.run { api in
            let gate = api.cluster.data.root.appending("gate")
            try await api.cluster.create(
                "cow", script: "echo begin; until [ -e '\(gate)' ]; do sleep 0.01; done; echo end"
            )
            let name = try #require(try await api.send(.post, "/job/cow", body: []).header("x-job-name"))
            async let log = api.send(.get, "/system/logs/cow/\(name)?follow=1")
            try await api.cluster.wait(try JobName(name), for: .running)
            _ = try gate.write("go".utf8)
            try await log.expect(200, "begin\nend\n")
        }
    }

    @Test("the list of jobs comes in pages of seventy, and never names a next page without jobs")
    func paging() async throws {
        var options = ClusterFixture.Options()
        options.capacity = Resources(cpu: MilliCPU(1), memory: ByteCount(1 << 30))
        try await APIFixture.run(options) { api in
            try await api.cluster.create("cow", script: "true")
            try await api.send(.get, "/system/logs/cow").expect(200, #"{"jobs":{}}"#)
            var names: [String] = []
            for _ in 0..<75 {
                names.append(
                    try await api.cluster.jobs.post([], to: try ServiceName("cow"), name: nil, principal: "p").text)
            }
            let first = try await api.send(.get, "/system/logs/cow").expect(200)
            try first.expectKeys(["jobs", "next_page", "remaining_jobs"])
            #expect(try first.json()["remaining_jobs"]?.integerValue == 5)
            let page = try #require(try first.json()["next_page"]?.stringValue)
            let second = try await api.send(.get, "/system/logs/cow?page=\(page)").expect(200)
            try second.expectKeys(["jobs"])
            let listed = try [first, second].flatMap {
                try #require(try $0.json()["jobs"]?.objectValue).members.map(\.key)
            }
            #expect(listed == names.reversed())
            let entry = try #require(try second.json()["jobs"]?[names[0]])
            #expect(entry.objectValue?.members.map(\.key) == ["status", "creation_time", "reason"])
            #expect(entry["status"]?.stringValue == "Pending")
            #expect(entry["reason"]?.stringValue?.contains("more than this cluster has") == true)
            for bad in ["x", "-", "1.5", "99999999999999999999"] {
                try await api.send(.get, "/system/logs/cow?page=\(bad)").expect(400)
            }
        }
    }

    @Test("removing jobs and logs, one or all")
    func remove() async throws {
        try await APIFixture.run { api in
            try await api.cluster.create("cow", script: "exit $(cat \"$INPUT_FILE_PATH\")")
            try await api.cluster.create("other", script: "true")
            var names: [String] = []
            for code in ["0", "1", "0", "1"] {
                names.append(
                    try #require(try await api.send(.post, "/job/cow", body: Array(code.utf8)).header("x-job-name")))
            }
            try await api.cluster.ended(4)
            try await api.send(.delete, "/system/logs/other/\(names[0])").expect(404)
            try await api.send(.delete, "/system/logs/cow/\(names[0])").expect(204, "")
            try await api.send(.delete, "/system/logs/cow/\(names[0])").expect(404)
            try await api.send(.get, "/system/logs/cow/\(names[0])").expect(404)
            try await api.send(.get, "/system/logs/other/\(names[1])").expect(404)
            try await api.send(.delete, "/system/logs/cow").expect(204, "")
            #expect(try await api.cluster.allJobs().map(\.name.text) == [names[1], names[3]])
            try await api.send(.delete, "/system/logs/cow?all=true").expect(204, "")
            try await api.send(.get, "/system/logs/cow").expect(200, #"{"jobs":{}}"#)
            for method in [HTTPRequest.Method.get, .delete] {
                try await api.send(method, "/system/logs/none").expect(404)
                try await api.send(method, "/system/logs/none/x").expect(404)
                try await api.send(method, "/system/logs/cow/..%2f..%2fx").expect(404)
            }
        }
    }

    @Test("our own list of jobs: filters, pages, and all that is known")
    func apusJobs() async throws {
        try await APIFixture.run { api in
            try await api.cluster.create("cow", script: "exit $(cat \"$INPUT_FILE_PATH\")", input: ["inbox/x"])
            try await api.cluster.put("0", "x/good", in: "inbox")
            try await api.cluster.ended(1)
            try await api.cluster.put("2", "x/bad", in: "inbox")
            try await api.cluster.ended(2)
            let all = try await api.send(.get, "/apus/v1/jobs").expect(200)
            try all.expectKeys(["jobs", "remaining"])
            let jobs = try #require(try all.json()["jobs"]?.arrayValue)
            #expect(jobs.map { $0["state"]?.stringValue } == ["failed", "succeeded"])
            #expect(
                jobs[0].objectValue?.members.map(\.key) == [
                    "name", "service", "state", "reason", "attempts", "exit_code", "message", "created", "started",
                    "finished", "input",
                    "durations",
                ]
            )
            #expect(jobs[0]["input"]?["key"]?.stringValue == "x/bad" && jobs[0]["exit_code"]?.integerValue == 2)
            #expect(jobs[0]["durations"]?.objectValue?.members.map(\.key) == ["waiting", "stage_in", "run"])
            func states(_ query: String) async throws -> [String?] {
                let answer = try await api.send(.get, "/apus/v1/jobs?\(query)").expect(200)
                return try #require(try answer.json()["jobs"]?.arrayValue).map { $0["state"]?.stringValue }
            }
            #expect(try await states("state=failed") == ["failed"])
            #expect(try await states("state=failed,succeeded&service=cow") == ["failed", "succeeded"])
            #expect(try await states("service=none") == [])
            let page = try await api.send(.get, "/apus/v1/jobs?limit=1").expect(200)
            try page.expectKeys(["jobs", "remaining", "next"])
            let next = try #require(try page.json()["next"]?.stringValue)
            #expect(try await states("limit=1&after=\(next)") == ["succeeded"])
            for bad in ["state=dreaming", "limit=0", "limit=x", "limit=1001", "after=x", "service=UPPER"] {
                try await api.send(.get, "/apus/v1/jobs?\(bad)").expect(400)
            }
        }
    }
}
