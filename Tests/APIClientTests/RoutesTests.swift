import APIClient
import LoopbackServer
import Model
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

struct ServiceRoutesTests {
    @Test func createsUpdatesAndRemoves() async throws {
        let seen = Mutex<[String]>([])
        try await withClient(
            answering: responder { request in
                seen.withLock { $0.append("\(request.method) \(request.target) \(request.text)") }
                return LoopbackResponse(request.method == .POST ? .created : .noContent)
            }
        ) { client in
            let definition = JSONValue.object(["name": .string("s"), "image": .string("i")])
            try await client.createService(definition)
            try await client.updateService(definition)
            try await client.deleteService("s")
        }
        #expect(
            seen.withLock { $0 } == [
                "POST /system/services {\"name\":\"s\",\"image\":\"i\"}",
                "PUT /system/services {\"name\":\"s\",\"image\":\"i\"}", "DELETE /system/services/s ",
            ])
    }

    @Test(arguments: [("[]", 0), ("null", 0), ("[{\"name\":\"a\"},{\"name\":\"b\"}]", 2)])
    func lists(text: String, count: Int) async throws {
        try await withClient(answering: responder { _ in LoopbackResponse(text: text) }) { client in
            let services = try await client.services()
            #expect(services.count == count)
        }
    }

    @Test func knowsWhetherAServiceExists() async throws {
        try await withClient(
            answering: responder { request in
                request.path.hasSuffix("/there") ? LoopbackResponse(text: "{}") : LoopbackResponse(.notFound)
            }
        ) { client in
            let hasThere = try await client.hasService("there")
            #expect(hasThere)
            let hasGone = try await client.hasService("gone")
            #expect(hasGone == false)
        }
    }

    @Test func readsStorageAccess() async throws {
        let text = """
            {"config":{},"minio_provider":{"endpoint":"http://m:9000","verify":false,"access_key":"a",\
            "secret_key":"s","region":"r"}}
            """
        try await withClient(answering: responder { _ in LoopbackResponse(text: text) }) { client in
            let access = try await client.storageAccess()
            #expect(
                access
                    == StorageAccess(
                        endpoint: "http://m:9000", region: "r", accessKey: "a", secretKey: "s", verifyTLS: false))
        }
        try await withClient(answering: responder { _ in LoopbackResponse(text: "{}") }) { client in
            #expect(
                await code { () throws(APIClientError) in _ = try await client.storageAccess() } == .malformedAnswer)
        }
    }
}

struct InvocationRoutesTests {
    @Test(arguments: [
        ("aGVsbG8=", "hello"), ("aGVsbG8=\n", "hello"), ("hello world", "hello world"), ("", ""),
        ("aGVsbG8", "aGVsbG8"),
        ("\n", "\n"),
    ])
    func decodesOnlyBase64(answer: String, expected: String) async throws {
        try await withClient(
            answering: responder { request in
                #expect(request.text == "AAEC")
                return LoopbackResponse(text: answer)
            }
        ) { client in
            let output = try await client.run("s", input: ByteBuffer(bytes: [0, 1, 2]))
            #expect(String(buffer: output) == expected)
        }
    }

    @Test func sendsPlainBytes() async throws {
        try await withClient(
            answering: responder { request in
                #expect(request.headers.first(name: "accept") == "application/octet-stream")
                return LoopbackResponse(body: .bytes(request.body))
            }
        ) { client in
            let input = ByteBuffer(bytes: [0, 255, 61, 10])
            let output = try await client.run("s", input: input, form: .plain)
            #expect(output == input)
        }
    }

    @Test func tellsFailedFunctionsApart() async throws {
        try await withClient(
            answering: responder { request in
                LoopbackResponse(
                    request.path == "/run/bad" ? .internalServerError : .notFound, text: "exit status 3\noutput")
            }
        ) { client in
            let input = ByteBuffer()
            let failed = await code { () throws(APIClientError) in _ = try await client.run("bad", input: input) }
            #expect(failed == .functionFailed)
            let missing = await code { () throws(APIClientError) in _ = try await client.run("none", input: input) }
            #expect(missing == .notFound)
        }
    }

    @Test func submitsJobs() async throws {
        try await withClient(
            answering: responder { request in
                LoopbackResponse(.created, headers: request.text == "named" ? ["x-job-name": "s-1"] : [:])
            }
        ) { client in
            let name = try await client.submit("s", event: ByteBuffer(string: "named"))
            #expect(name == "s-1")
            let unnamed = try await client.submit("s", event: ByteBuffer(string: "other"))
            #expect(unnamed == nil)
        }
    }

    @Test(arguments: [
        (HTTPResponseStatus.ok, "{\"jobs\":[]}", true), (.notFound, "404 page not found", false),
        (.ok, "<html>", false),
    ])
    func recognisesApus(status: HTTPResponseStatus, text: String, expected: Bool) async throws {
        try await withClient(answering: responder { _ in LoopbackResponse(status, text: text) }) { client in
            let isApus = try await client.speaksPlainBytes()
            #expect(isApus == expected)
        }
    }
}

struct JobRoutesTests {
    @Test func listsLoggedJobsPageByPage() async throws {
        try await withClient(
            answering: responder { request in
                switch request.parameter("page") {
                case nil:
                    LoopbackResponse(
                        text:
                            #"{"jobs":{"b":{"status":"Running","creation_time":"2026-01-01T00:00:00Z"},"a":{}},"next_page":"2"}"#
                    )
                case "2": LoopbackResponse(text: "{\"jobs\":{\"c\":{\"status\":\"Failed\"}},\"next_page\":\"2\"}")
                default: LoopbackResponse(.badRequest)
                }
            }
        ) { client in
            let first = try await client.loggedJobs(of: "s")
            #expect(first.jobs.map(\.name) == ["b", "a"])
            #expect(first.jobs.map(\.status) == ["Running", "Unknown"])
            #expect(first.next == "2")
            // A page that leads to itself is the last one.
            let next = try await client.loggedJobs(of: "s", page: "2").next
            #expect(next == nil)
        }
    }

    @Test func followsALog() async throws {
        let (chunks, source) = AsyncStream.makeStream(of: ByteBuffer.self)
        let seen = Mutex("")
        try await withClient(
            answering: responder { request in
                #expect(request.parameter("follow") == "true")
                #expect(request.parameter("timestamps") == "true")
                source.yield(ByteBuffer(string: "one\n"))
                return LoopbackResponse(body: .stream(chunks))
            }
        ) { client in
            try await client.log(of: "s", job: "j", timestamps: true, follow: true) { chunk in
                let isFirst = seen.withLock { text in
                    defer { text += String(buffer: chunk) }
                    return text.isEmpty
                }
                // The second line is written only when the first has arrived.
                if isFirst {
                    source.yield(ByteBuffer(string: "two\n"))
                    source.finish()
                }
            }
        }
        #expect(seen.withLock { $0 } == "one\ntwo\n")
    }

    @Test func listsJobDetails() async throws {
        let job = """
            {"name":"s-1","service":"s","state":"queued","reason":"waits for cpu","attempts":2,"exit_code":null,\
            "created":"2026-01-01T00:00:00Z","input":{"bucket":"in","key":"a b"},"durations":{}}
            """
        let seen = Mutex("")
        try await withClient(
            answering: responder { request in
                seen.withLock { $0 = request.target }
                return LoopbackResponse(text: "{\"jobs\":[\(job),{}],\"next\":17}")
            }
        ) { client in
            let page = try await client.jobs(of: "s", state: "queued", limit: 5, after: "x y")
            #expect(page.next == "17")
            #expect(page.jobs.count == 2)
            #expect(page.jobs[0].input == "in/a b")
            #expect(page.jobs[0].reason == "waits for cpu")
            #expect(page.jobs[0].exitCode == nil)
            #expect(page.jobs[1].name == "")
        }
        #expect(seen.withLock { $0 } == "/apus/v1/jobs?service=s&state=queued&limit=5&after=x%20y")
    }

    @Test func removesJobs() async throws {
        let seen = Mutex<[String]>([])
        try await withClient(
            answering: responder { request in
                seen.withLock { $0.append("\(request.method) \(request.target)") }
                return LoopbackResponse(.noContent)
            }
        ) { client in
            try await client.deleteJob(of: "s", "j")
            try await client.deleteJobs(of: "s", all: false)
            try await client.deleteJobs(of: "s", all: true)
        }
        let expected = ["DELETE /system/logs/s/j", "DELETE /system/logs/s", "DELETE /system/logs/s?all=true"]
        #expect(seen.withLock { $0 } == expected)
    }
}

struct BucketRoutesTests {
    @Test func listsCreatesAndShows() async throws {
        try await withClient(
            answering: responder { request in
                if request.method == .POST {
                    #expect(
                        request.text
                            == "{\"bucket_name\":\"b\",\"visibility\":\"restricted\",\"allowed_users\":[\"u\"]}")
                    return LoopbackResponse(.created)
                }
                if request.path == "/system/buckets" {
                    return LoopbackResponse(
                        text:
                            "[{\"bucket_name\":\"b\",\"visibility\":\"private\",\"allowed_users\":null,\"owner\":\"o\"}]"
                    )
                }
                #expect(request.target == "/system/buckets/b?limit=3&page=p")
                return LoopbackResponse(
                    text:
                        "{\"objects\":[{\"object_name\":\"k\",\"size_bytes\":3}],\"next_page\":\"q\",\"is_truncated\":true}"
                )
            }
        ) { client in
            try await client.createBucket("b", visibility: "restricted", allowedUsers: ["u"])
            let buckets = try await client.buckets()
            #expect(buckets.map(\.name) == ["b"])
            #expect(buckets.map(\.allowedUsers) == [[]])
            let contents = try await client.bucket("b", page: "p", limit: 3)
            #expect(contents.objects.map(\.size.bytes) == [3])
            #expect(contents.next == "q")
        }
    }
}

struct ImageRoutesTests {
    @Test(arguments: [
        ("pulling\n50 %\nok sha256:abc\n", ["pulling", "50 %"], "sha256:abc"), ("ok sha256:abc", [], "sha256:abc"),
        ("a\r\n\r\nok d\r\n", ["a"], "d"),
    ])
    func reportsProgress(answer: String, lines: [String], digest: String) async throws {
        try await withClient(
            answering: responder { request in
                #expect(request.text == "{\"source\":\"docker://x\",\"name\":\"n\"}")
                return LoopbackResponse(text: answer)
            }
        ) { client in
            var seen: [String] = []
            let result = try await client.addImage(source: "docker://x", name: "n") { seen.append($0) }
            #expect(result == digest)
            #expect(seen == lines)
        }
    }

    @Test(arguments: [
        ("pulling\nerror no such image\n", APIClientError.Code.invalid), ("pulling\n", .malformedAnswer),
        ("", .malformedAnswer), (String(repeating: "x", count: 1 << 20), .malformedAnswer),
    ])
    func tellsWhatWentWrong(answer: String, expected: APIClientError.Code) async throws {
        try await withClient(answering: responder { _ in LoopbackResponse(text: answer) }) { client in
            let code = await code { () throws(APIClientError) in
                _ = try await client.addImage(source: "docker://x", name: nil) { _ in }
            }
            #expect(code == expected)
        }
    }

    @Test func uploadsArchives() async throws {
        try await withClient(
            answering: responder { request in
                #expect(request.method == .PUT)
                #expect(request.target == "/apus/v1/images/my%2Fimage%3A1")
                #expect(request.headers.first(name: "content-length") == "6")
                return LoopbackResponse(text: "ok \(request.text)")
            }
        ) { client in
            let chunks = AsyncThrowingStream<ByteBuffer, any Error> { source in
                source.yield(ByteBuffer(string: "abc"))
                source.yield(ByteBuffer(string: "def"))
                source.finish()
            }
            let digest = try await client.uploadImage(name: "my/image:1", archive: chunks, length: 6) { _ in }
            #expect(digest == "abcdef")
        }
    }

    @Test func listsAndRemoves() async throws {
        try await withClient(
            answering: responder { request in
                if request.method == .DELETE { return LoopbackResponse(.conflict, text: "service x uses it") }
                return LoopbackResponse(text: "[{\"name\":\"n\",\"digest\":\"d\",\"size_bytes\":5,\"created\":\"t\"}]")
            }
        ) { client in
            let sizes = try await client.images().map(\.size.bytes)
            #expect(sizes == [5])
            #expect(await code { () throws(APIClientError) in try await client.deleteImage("n") } == .conflict)
        }
    }
}
