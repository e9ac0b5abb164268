import ClusterTesting
import Glibc
import LoopbackServer
import Model
import NIOCore
import NIOPosix
import Scheduling
import StateStore
import SystemPackage
import TestKit
import Testing

@testable import Cluster

/// Warm instances in a whole cluster, with real programs.
@Suite("Functions in warm instances", .serialized, .timeLimit(.minutes(3)))
struct WarmInstanceTests {
    /// A resident program in Python, whose starts leave a line each in a file.
    private static func program(_ handle: String, started: FilePath) -> String {
        """
        echo start >> '\(started)'
        exec python3 -c '
        import apus_function, os
        def handle(call):
        \(handle.split(separator: "\n").map { "    \($0)" }.joined(separator: "\n"))
        apus_function.serve(handle)'
        """
    }

    private static func resident(_ instances: JSONObject = [:]) -> JSONObject {
        ["mode": .string("resident"), "instances": .object(instances)]
    }

    private func starts(_ file: FilePath) -> Int { ((try? Folder.readFile(file)) ?? []).count { $0 == 10 } }

    private func run(_ cluster: ClusterFixture, _ text: String, form: RunDispatcher.Form = .bytes) async throws
        -> String
    {
        let body = AsyncThrowingStream<ByteBuffer, any Error> { continuation in
            continuation.yield(ByteBuffer(string: text))
            continuation.finish()
        }
        let answer = try await cluster.runs.run(try ServiceName("s"), body: body, form: form, principal: "p")
        var bytes: [UInt8] = []
        try await answer.write { bytes += Array(buffer: $0) }
        await answer.discard()
        return String(decoding: bytes, as: UTF8.self)
    }

    private func small(_ cluster: ClusterFixture, _ text: String) async throws -> RunDispatcher.SmallAnswer? {
        try await cluster.runs.runSmall(
            try ServiceName("s"), body: ByteBuffer(string: text), form: .bytes, principal: "p",
            on: MultiThreadedEventLoopGroup.singleton.next())?.answer.get()
    }

    private func withCluster(
        _ body: @escaping @Sendable (ClusterFixture, _ started: FilePath) async throws -> Void
    ) async throws {
        try await TemporaryFolder.with { folder in
            try await ClusterFixture.serve(at: folder.appending("data")) { cluster in
                try await body(cluster, folder.appending("started"))
            }
            #expect(try Folder.entries(folder.appending("data/instances")).isEmpty)
        }
    }

    @Test("many files go through one program that was started once")
    func jobs() async throws {
        try await withCluster { cluster, started in
            let script = Self.program(
                "open(os.path.join(call.output_dir, os.path.basename(call.input)), \"w\").write(call.text().upper())",
                started: started)
            try await cluster.create(
                "s", script: script, input: ["bkt/in"], output: ["bkt/out"], more: Self.resident(["max": .integer(1)]))
            for number in 0..<20 { try await cluster.put("text \(number)", "in/\(number)", in: "bkt") }
            let jobs = try await cluster.ended(20)
            #expect(jobs.allSatisfy { $0.state == .succeeded })
            // What each one used of the program that they share.
            let attempt = try #require(try await cluster.state.attempts(of: jobs[5].number).first)
            let (cpuTime, memory) = (try #require(attempt.cpuTime), try #require(attempt.peakMemory))
            #expect(cpuTime >= .zero && cpuTime < .seconds(5) && memory > .mebibytes(1), "\(attempt)")
            #expect(attempt.json["cpu_seconds"] != nil && attempt.json["peak_memory_bytes"] != nil)
            for number in 0..<20 { #expect(try await cluster.text("out/\(number)", in: "bkt") == "TEXT \(number)") }
            #expect(starts(started) == 1)
        }
    }

    @Test("small runs of scripts are answered as the longer way answers them")
    func smallScripts() async throws {
        try await withCluster { cluster, started in
            let script = """
                case "$(cat "$INPUT_FILE_PATH")" in
                file) printf 'from a file' > "$TMP_OUTPUT_DIR/a" ;;
                bad) echo why >&2; echo out; printf x > "$TMP_OUTPUT_DIR/a"; exit 3 ;;
                much) head -c 1000000 /dev/zero | tr '\\0' x ;;
                muchbad) head -c 1000000 /dev/zero | tr '\\0' x; exit 3 ;;
                *) printf 'got %s' "$(cat "$INPUT_FILE_PATH")" ;;
                esac
                """
            try await cluster.create("s", script: script, more: ["instances": .object(["max": .integer(1)])])
            // Nothing is warm yet.
            #expect(try await small(cluster, "x") == nil)
            for text in ["first", "", "file", "bad", "much", "muchbad"] {
                let long = try await run(cluster, text)
                let short = try await answer(cluster, text)
                #expect(short == long, "\(text): \(short.prefix(100)) and not \(long.prefix(100))")
            }
            #expect(cluster.scheduler.free == cluster.scheduler.capacity)
            #expect(try cluster.names(cluster.data.work).isEmpty)
        }
    }

    /// The whole answer of a small run, once one is possible.
    private func answer(_ cluster: ClusterFixture, _ text: String) async throws -> String {
        try await eventually("a small run is possible") {
            switch try await small(cluster, text) {
            case .text(let text, _, _): return String(buffer: text)
            case .prepared(let number):
                let answer = try #require(cluster.runs.prepared(number))
                var bytes: [UInt8] = []
                try await answer.write { bytes += Array(buffer: $0) }
                await answer.discard()
                return String(decoding: bytes, as: UTF8.self)
            case .lost, nil: return nil
            }
        }
    }

    @Test("small runs need no folder and no task; files that a program leaves are answered as in any run")
    func smallRuns() async throws {
        try await withCluster { cluster, started in
            let handle = """
                if call.text() == "file":
                    open(os.path.join(call.output_dir, "a"), "w").write("from a file")
                elif call.text() == "bad":
                    raise ValueError("no good")
                else:
                    return "got " + call.text()
                """
            try await cluster.create("s", script: Self.program(handle, started: started), more: Self.resident())
            // Nothing is warm yet.
            #expect(try await small(cluster, "x") == nil)
            #expect(try await run(cluster, "first") == "got first")
            guard case .text(let text, _, isFailure: false)? = try await small(cluster, "second") else {
                Issue.record("no answer")
                return
            }
            #expect(String(buffer: text) == "got second")
            guard case .text(let words, _, isFailure: true)? = try await small(cluster, "bad") else {
                Issue.record("no failure")
                return
            }
            #expect(String(buffer: words).contains("no good"), "\(String(buffer: words))")
            guard case .prepared(let number)? = try await small(cluster, "file") else {
                Issue.record("no files")
                return
            }
            let answer = try #require(cluster.runs.prepared(number))
            #expect(cluster.runs.prepared(number) == nil)
            var bytes: [UInt8] = []
            try await answer.write { bytes += Array(buffer: $0) }
            await answer.discard()
            #expect(String(decoding: bytes, as: UTF8.self) == "from a file")
            #expect(starts(started) == 1)
            #expect(cluster.scheduler.free == cluster.scheduler.capacity)
            #expect(try cluster.names(cluster.data.work).isEmpty)
        }
    }

    @Test("a program that dies in a run: the run is made again, once")
    func crash() async throws {
        try await withCluster { cluster, started in
            let handle = """
                if call.text() == "always" or not os.path.exists("\(started).died"):
                    open("\(started).died", "w")
                    os._exit(3)
                return "alive"
                """
            try await cluster.create("s", script: Self.program(handle, started: started), more: Self.resident())
            #expect(try await run(cluster, "once") == "alive")
            #expect(starts(started) == 2)
            await #expect(throws: ClusterError.self) { try await run(cluster, "always") }
            // And it goes on.
            #expect(try await run(cluster, "after") == "alive")
        }
    }

    @Test("a job in which the program dies is another attempt's, and is recorded as that")
    func crashedJob() async throws {
        try await withCluster { cluster, started in
            let handle = """
                if not os.path.exists("\(started).died"):
                    open("\(started).died", "w")
                    os._exit(3)
                return "alive"
                """
            try await cluster.create("s", script: Self.program(handle, started: started), more: Self.resident())
            _ = try await cluster.jobs.post([1], to: try ServiceName("s"), name: nil, principal: "p")
            let job = try #require(try await cluster.ended(1).first)
            #expect(job.state == .succeeded && job.attempts == 2, "\(job.message ?? "")")
        }
    }

    @Test("after an update the new program answers, and the old one is gone")
    func update() async throws {
        try await withCluster { cluster, started in
            try await cluster.create(
                "s", script: Self.program("return \"old\"", started: started), more: Self.resident())
            #expect(try await run(cluster, "x") == "old")
            _ = try await cluster.registry.update(
                ClusterFixture.definition(
                    "s", script: Self.program("return \"new\"", started: started), more: Self.resident()))
            #expect(try await run(cluster, "x") == "new")
            try await eventually("one instance is left") { try Folder.entries(cluster.data.instances).count == 1 }
        }
    }

    @Test("without work for long enough it ends; the next run finds another one")
    func scaleToZero() async throws {
        try await withCluster { cluster, started in
            try await cluster.create(
                "s", script: Self.program("return \"here\"", started: started),
                more: Self.resident(["idle": .string("1s")]))
            #expect(try await run(cluster, "x") == "here")
            try await eventually("none is left") { try Folder.entries(cluster.data.instances).isEmpty }
            #expect(try await run(cluster, "x") == "here")
            #expect(starts(started) == 2)
        }
    }

    @Test("min instances are there before anybody asks, and come back when they are killed")
    func keptWarm() async throws {
        try await withCluster { cluster, started in
            try await cluster.create(
                "s", script: Self.program("return str(os.getpid())", started: started),
                more: Self.resident(["min": .integer(1)]))
            try await eventually("it is warm") { cluster.scheduler.instanceState(of: try ServiceName("s")).idle == 1 }
            let first = try await run(cluster, "x")
            kill(try #require(Int32(first)), SIGKILL)
            try await eventually("another one") {
                let state = cluster.scheduler.instanceState(of: try ServiceName("s"))
                return state.idle == 1 && starts(started) == 2
            }
            #expect(try await run(cluster, "x") != first)
        }
    }

    @Test("an event is a request to a program that answers HTTP")
    func server() async throws {
        try await withCluster { cluster, _ in
            let script = """
                exec python3 -c '
                import http.server, json, os
                class Handler(http.server.BaseHTTPRequestHandler):
                    def do_GET(self):
                        self.send_response(200); self.end_headers()
                    def do_POST(self):
                        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                        text = open(call["input"]).read()
                        if text == "bad":
                            self.send_response(422); self.end_headers(); self.wfile.write(b"not this one"); return
                        open(call["output_dir"] + "/up", "w").write(text.upper())
                        self.send_response(200); self.end_headers(); self.wfile.write(b"done\\n")
                    def log_message(self, *_): pass
                http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()'
                """
            try await cluster.create(
                "s", script: script, input: ["bkt/in"], output: ["bkt/out"], more: ["mode": .string("server")])
            try await cluster.put("hello", "in/a", in: "bkt")
            let job = try #require(try await cluster.ended(1).first)
            #expect(job.state == .succeeded, "\(job.message ?? "")")
            #expect(try await cluster.text("out/up", in: "bkt") == "HELLO")
            #expect(try await cluster.log(job) == "done\n")
            try await cluster.put("bad", "in/b", in: "bkt")
            let failed = try #require(try await cluster.ended(2).first { $0.state == .failed })
            #expect(failed.message?.contains("422: not this one") == true, "\(failed.message ?? "")")
        }
    }

    @Test("a script service keeps its sandbox, but not what is running in it; a fresh one keeps nothing")
    func scripts() async throws {
        try await withCluster { cluster, started in
            let script = """
                sleep 1000 &
                echo x >> "$HOME/seen"; wc -l < "$HOME/seen" | tr -d ' \\n'
                """
            try await cluster.create("s", script: script)
            #expect(try await run(cluster, "x") == "1")
            #expect(try await run(cluster, "x") == "2")
            _ = try await cluster.registry.update(
                ClusterFixture.definition(
                    "s", script: script, more: ["instances": .object(["fresh": .bool(true)])]))
            #expect(try await run(cluster, "x") == "1")
            #expect(try await run(cluster, "x") == "1")
            try await eventually("none is left") { try Folder.entries(cluster.data.instances).isEmpty }
        }
    }
}
