import ClusterTesting
import Glibc
import Model
import ObjectEngine
import Scheduling
import StateStore
import SystemPackage
import TestKit
import Testing

@testable import Cluster

/// The way of a file through one cluster, with real store, state and processes.
@Suite("From an object to its result", .serialized, .timeLimit(.minutes(2)))
struct JobFlowTests {
    static let upper =
        "tr a-z A-Z < \"$INPUT_FILE_PATH\" > \"$TMP_OUTPUT_DIR/$(basename \"$INPUT_FILE_PATH\").up\"; echo done"

    @Test("an upload becomes a job, and the job a result")
    func upload() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create("upper", script: Self.upper, input: ["inbox/raw"], output: ["outbox/done"])
            try await cluster.put("hello", "raw/a.txt", in: "inbox")
            let job = try #require(try await cluster.ended(1).first)
            #expect(job.state == .succeeded && job.exitCode == 0 && job.attempts == 1 && job.message == nil)
            #expect(job.input?.key.text == "raw/a.txt" && job.principal == "tester")
            #expect(
                job.run != nil && job.stageIn != nil && job.stageOut != nil && job.started != nil && job.finished != nil
            )
            #expect(try await cluster.text("done/a.txt.up", in: "outbox") == "HELLO")
            #expect(try await cluster.log(job) == "done\n")
            try await eventually("the work folder is empty") { try cluster.names(cluster.data.work).isEmpty }
        }
    }

    @Test("objects elsewhere, and those that stand for folders, trigger nothing")
    func elsewhere() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create("upper", script: Self.upper, input: ["inbox/raw"], output: ["inbox/done"])
            for key in ["raw", "rawer/a", "a", "raw/", "raw/sub/"] { try await cluster.put("x", key, in: "inbox") }
            try await cluster.put("x", "raw/sub/last", in: "inbox")
            try await cluster.ended(1)
            #expect(try await cluster.allJobs().map { $0.input?.key.text } == ["raw/sub/last"])
        }
    }

    @Test("prefix and suffix decide where a result goes")
    func routing() async throws {
        let script =
            "cd \"$TMP_OUTPUT_DIR\"; mkdir sub; for f in img-1.png img-2.jpg text.txt sub/img.png; do echo x > $f; done"
        let output: JSONValue = .array([
            .object(["storage_provider": .string("minio"), "path": .string("outbox/png"), "suffix": .strings([".png"])]
            ),
            .object([
                "storage_provider": .string("minio"), "path": .string("outbox/img"), "prefix": .strings(["img"]),
                "suffix": .strings([".jpg", ".png"]),
            ]),
            .object(["storage_provider": .string("minio"), "path": .string("outbox/all")]),
        ])
        try await ClusterFixture.serve { cluster in
            try await cluster.create("route", script: script, input: ["inbox/x"], more: ["output": output])
            try await cluster.put("x", "x/a", in: "inbox")
            try await cluster.ended(1)
            #expect(
                try await cluster.keys("outbox") == [
                    "all/img-1.png", "all/img-2.jpg", "all/sub/img.png", "all/text.txt", "img/img-1.png",
                    "img/img-2.jpg",
                    "png/img-1.png", "png/sub/img.png",
                ]
            )
        }
    }

    @Test("two services on one bucket: each gets its job; a result triggers the next")
    func chain() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create("one", script: Self.upper, input: ["bkt/in"], output: ["bkt/mid"])
            try await cluster.create("two", script: "cat \"$INPUT_FILE_PATH\"", input: ["bkt/in"])
            try await cluster.create("three", script: Self.upper, input: ["bkt/mid"], output: ["bkt/end"])
            try await cluster.put("x", "in/a", in: "bkt")
            try await cluster.ended(3)
            #expect(try await cluster.allJobs().map(\.service.text).sorted() == ["one", "three", "two"])
            #expect(try await cluster.text("end/a.up.up", in: "bkt") == "X")
            let last = try #require(try await cluster.allJobs("three").first)
            #expect(last.principal == "tester")
        }
    }

    @Test("an update takes effect at once: new script, new inputs, not the old ones")
    func update() async throws {
        try await ClusterFixture.serve { cluster in
            let first = try await cluster.create("s", script: "echo one", input: ["bkt/old", "bkt/both"])
            try await cluster.put("x", "old/1", in: "bkt")
            try await cluster.ended(1)
            let second = try await cluster.registry.update(
                ClusterFixture.definition("s", script: "echo two", input: ["bkt/new", "bkt/both"])
            )
            #expect(second.definition.token == first.definition.token && second.version == 2)
            #expect(second.definition.owner == "cluster_admin")
            for key in ["old/2", "new/1", "both/1"] { try await cluster.put("x", key, in: "bkt") }
            let jobs = try await cluster.ended(3)
            #expect(jobs.map { $0.input?.key.text } == ["old/1", "new/1", "both/1"])
            #expect(try await cluster.log(jobs[0]) == "one\n")
            #expect(try await cluster.log(jobs[1]) == "two\n")
        }
    }

    @Test("a script that fails is failed, with its exit code, and without results")
    func failing() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create(
                "s", script: "echo x > \"$TMP_OUTPUT_DIR/x\"; echo bad >&2; exit 3", input: ["bkt/in"],
                output: ["bkt/out"]
            )
            try await cluster.put("x", "in/1", in: "bkt")
            let job = try #require(try await cluster.ended(1).first)
            #expect(job.state == .failed && job.exitCode == 3 && job.message == "the script ended with exit code 3")
            #expect(try await cluster.keys("bkt") == ["in/1"])
            #expect(try await cluster.log(job) == "bad\nApus: the script ended with exit code 3\n")
            try await eventually("the work folder is empty") { try cluster.names(cluster.data.work).isEmpty }
        }
    }

    @Test("a script that a signal ends, and one that takes too long")
    func signalAndTimeout() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create("killed", script: "kill -9 $$")
            try await cluster.create("slow", script: "sleep 100", more: ["timeout": .string("1s")])
            for name in ["killed", "slow"] {
                _ = try await cluster.jobs.post([], to: try ServiceName(name), name: nil, principal: "p")
            }
            try await cluster.ended(2)
            let killed = try #require(try await cluster.allJobs("killed").first)
            #expect(killed.state == .failed && killed.exitCode == 137)
            #expect(killed.message?.contains("signal 9") == true)
            let slow = try #require(try await cluster.allJobs("slow").first)
            #expect(slow.state == .failed && slow.exitCode == 124)
            #expect(slow.message?.contains("timeout of 1s") == true)
        }
    }

    @Test("an object that is gone before its job runs makes it fail and says so")
    func objectDeleted() async throws {
        var options = ClusterFixture.Options()
        options.capacity = Resources(cpu: MilliCPU(100), memory: ByteCount(1 << 30))
        try await ClusterFixture.serve(options) { cluster in
            try await cluster.create("blocker", script: "read line < \"$TMP_INPUT_DIR/../../../gate\"")
            try cluster.makeGate()
            try await cluster.create("s", script: "cat \"$INPUT_FILE_PATH\"", input: ["bkt/in"])
            let blocker = try await cluster.jobs.post([], to: try ServiceName("blocker"), name: nil, principal: "p")
            try await cluster.wait(blocker, for: .running)
            try await cluster.put("x", "in/1", in: "bkt")
            let job = try await eventually("the job is queued") { try await cluster.allJobs("s").first }
            _ = try await cluster.objects.delete([try ObjectKey("in/1")], in: try BucketName("bkt"))
            try await cluster.openGate()
            try await cluster.ended(2)
            let ended = try await cluster.wait(job.name, for: .failed)
            #expect(ended.message == "the object bkt/in/1 is not there any more; it was deleted before the job ran")
            #expect(ended.exitCode == nil)
        }
    }

    @Test("keys with all sorts of characters reach the script under their own name")
    func oddKeys() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create(
                "s", script: "cp \"$INPUT_FILE_PATH\" \"$TMP_OUTPUT_DIR/\"; printf %s \"$STORAGE_OBJECT_KEY\"",
                input: ["bkt/in"], output: ["bkt/out"]
            )
            let names = ["a b+c&d=e.txt", "ünï 漢字.txt", "quote'\"$(id)`.txt", "-rf", "%2e%2e", "new\nline"]
            for name in names { try await cluster.put(name, "in/\(name)", in: "bkt") }
            let jobs = try await cluster.ended(names.count)
            for (job, name) in zip(jobs, names) {
                #expect(job.state == .succeeded, "\(name): \(job.message ?? "")")
                #expect(try await cluster.text("out/\(name)", in: "bkt") == name)
                #expect(try await cluster.log(job) == "in/\(name)")
            }
        }
    }

    @Test(
        "keys that cannot be names of files fail with a reason",
        arguments: ["in/..", "in/x/.", "in/" + String(repeating: "n", count: 300)])
    func hostileKeys(key: String) async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create("s", script: "true", input: ["bkt/in"])
            try await cluster.put("x", key, in: "bkt")
            let job = try #require(try await cluster.ended(1).first)
            #expect(job.state == .failed && job.message?.contains("cannot be the name of a file") == true)
        }
    }

    @Test("no storage key is in the script's environment; its own variables and token are")
    func environment() async throws {
        try await ClusterFixture.serve { cluster in
            let service = try await cluster.create(
                "s", script: "env",
                more: ["environment": .object(["variables": .map(["A": "1"]), "secrets": .map(["B": "2"])])]
            )
            let name = try await cluster.jobs.post(Array("{\"x\":1}".utf8), to: service.name, name: nil, principal: "p")
            let job = try #require(try await cluster.ended(1).first)
            let lines = Set(try await cluster.log(job).split(separator: "\n").map(String.init))
            for line in [
                "A=1", "B=2", "OSCAR_SERVICE_NAME=s", "OSCAR_SERVICE_TOKEN=\(service.definition.token)",
                "JOB_UUID=\(name)",
                "EVENT={\"x\":1}",
            ] { #expect(lines.contains(line), "\(line)") }
            #expect(!lines.contains { $0.contains("SECRET_KEY") || $0.contains("ACCESS_KEY") })
        }
    }

    static let bodies: [[UInt8]] = [
        [], Array("{\"a\": [1, 2]}".utf8), [0, 255, 0, 10], Array(repeating: 0xE9, count: 65_537),
        Array(repeating: 0x2A, count: 900_000),
    ]

    @Test("a posted body reaches the script as a file, byte for byte", arguments: bodies.indices)
    func posted(index: Int) async throws {
        let body = Self.bodies[index]
        try await ClusterFixture.serve { cluster in
            try await cluster.create(
                "s",
                script:
                    "cat \"$INPUT_FILE_PATH\" > \"$TMP_OUTPUT_DIR/x\"",
                output: ["bkt/out"])
            _ = try await cluster.jobs.post(body, to: try ServiceName("s"), name: nil, principal: "p")
            let job = try #require(try await cluster.ended(1).first)
            #expect(job.state == .succeeded, "\(job.message ?? "")")
            #expect(job.input == nil)
            let record = try await cluster.objects.object(try ObjectKey("out/x"), in: try BucketName("bkt"))
            #expect(record?.size.bytes == Int64(body.count))
            if body.count < 100 {
                #expect(try await cluster.text("out/x", in: "bkt") == String(decoding: body, as: UTF8.self))
            }
            try await eventually("the event's file is removed") { try cluster.names(cluster.data.events).isEmpty }
        }
    }

    @Test("a body in base 64 is decoded")
    func base64() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create("s", script: "cat \"$INPUT_FILE_PATH\"")
            _ = try await cluster.jobs.post(
                Array("aGVsbG8gd29ybGQhIQ==".utf8), to: try ServiceName("s"), name: nil, principal: "p")
            #expect(try await cluster.log(try #require(try await cluster.ended(1).first)) == "hello world!!")
        }
    }

    @Test("a name that another cluster gave is kept, once; a second event does not replace the first")
    func delegatedName() async throws {
        var options = ClusterFixture.Options()
        options.capacity = Resources(cpu: MilliCPU(10), memory: ByteCount(1 << 30))
        try await ClusterFixture.serve(options) { cluster in
            try await cluster.create("s", script: "true")
            let service = try ServiceName("s")
            let large = [UInt8](repeating: 0x61, count: 100_000)
            let name = try JobName("from-elsewhere")
            #expect(try await cluster.jobs.post(large, to: service, name: name, principal: "p") == name)
            for body in [large.map { $0 + 1 }, [1]] {
                await #expect { try await cluster.jobs.post(body, to: service, name: name, principal: "p") } throws: {
                    ($0 as? ClusterError)?.code == .alreadyExists
                }
            }
            #expect(try Folder.readFile(cluster.data.events.appending(name.text)) == large)
            try await cluster.jobs.remove(name, of: service)
            #expect(try cluster.names(cluster.data.events).isEmpty)
        }
    }

    @Test(
        "a result whose name is no UTF-8 fails the job and says so, unless it goes nowhere",
        arguments: [".txt", ".dat"])
    func rawNames(suffix: String) async throws {
        let output: JSONValue = .array([
            .object(["storage_provider": .string("minio"), "path": .string("bkt/out"), "suffix": .strings([".txt"])])
        ])
        try await ClusterFixture.serve { cluster in
            try await cluster.create(
                "s", script: "cd \"$TMP_OUTPUT_DIR\"; echo ok > ok.txt; echo x > \"$(printf 'z\\351')\(suffix)\"",
                more: ["output": output]
            )
            _ = try await cluster.jobs.post([], to: try ServiceName("s"), name: nil, principal: "p")
            let job = try #require(try await cluster.ended(1).first)
            if suffix == ".txt" {
                #expect(job.state == .failed && job.message?.contains("not UTF-8") == true, "\(job.message ?? "")")
            } else {
                #expect(job.state == .succeeded, "\(job.message ?? "")")
            }
            #expect(try await cluster.keys("bkt") == ["out/ok.txt"])
            try await eventually("the work folder is empty") { try cluster.names(cluster.data.work).isEmpty }
        }
    }

    @Test("results that are links, pipes or in folders without permissions do not stop the job")
    func hostileResults() async throws {
        let script = """
            cd "$TMP_OUTPUT_DIR"; ln -s /etc/passwd passwd; ln -s /etc etc; echo ok > ok;
            mkfifo pipe; mkdir -p d/e; chmod 0 d/e; chmod 0 "$HOME"
            """
        try await ClusterFixture.serve { cluster in
            try await cluster.create("s", script: script, output: ["bkt/out"])
            _ = try await cluster.jobs.post([], to: try ServiceName("s"), name: nil, principal: "p")
            let job = try #require(try await cluster.ended(1).first)
            #expect(job.state == .succeeded, "\(job.message ?? "")")
            #expect(try await cluster.keys("bkt") == ["out/ok"])
            try await eventually("the work folder is empty") { try cluster.names(cluster.data.work).isEmpty }
        }
    }

    @Test("many uploads at once: one job each")
    func flood() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create("s", script: "true", input: ["bkt/in"])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<120 { group.addTask { try await cluster.put("x", "in/\(index)", in: "bkt") } }
                try await group.waitForAll()
            }
            let jobs = try await cluster.ended(120)
            #expect(jobs.count == 120 && jobs.allSatisfy { $0.state == .succeeded && $0.attempts == 1 })
            #expect(Set(jobs.map { $0.input?.key.text }).count == 120)
        }
    }
}

extension ClusterFixture {
    private var gate: FilePath { data.root.appending("gate") }

    /// Makes the pipe `gate` in the data directory, from which scripts read a line.
    ///
    /// It is open from then on, as long as the tests run: what is written into it before a script comes stays there, and no
    /// side waits for the other on a thread, of which there are only a few.
    func makeGate() throws {
        guard gate.withPlatformString({ mkfifo($0, 0o600) }) == 0 else { throw Errno(rawValue: errno) }
        _ = try FileDescriptor.open(gate, .readWrite, options: [.nonBlocking, .closeOnExec])
    }

    /// Lets one script at the gate go on, or the next that comes there.
    func openGate() async throws {
        let gate = try FileDescriptor.open(gate, .writeOnly, options: [.nonBlocking, .closeOnExec])
        _ = try gate.closeAfter { try gate.writeAll("go\n".utf8) }
    }
}
