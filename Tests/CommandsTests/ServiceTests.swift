import LoopbackServer
import Model
import NIOCore
import NIOHTTP1
import Synchronization
import SystemPackage
import Testing

@testable import Commands

struct ServiceTests {
    @Test func listsGetsAndRemoves() async throws {
        let cluster = FakeCluster()
        cluster.services.withLock {
            $0["s"] = .object([
                "name": .string("s"), "image": .string("i"), "cpu": .string("1"), "memory": .string("1Gi"),
            ])
        }
        try await withCluster(cluster) { (world) async throws in
            #expect(
                await world.run("service", "list").output
                    == "NAME  IMAGE  CPU  MEMORY  STATE\ns     i        1     1Gi  active\n")
            #expect(await world.run("service", "get", "s").output.contains("image: i"))
            #expect(await world.run("service", "get", "s", "-o", "json").output.contains("\"image\": \"i\""))
            #expect(await world.run("service", "get", "none").status == 3)
            let removal = await world.run("service", "remove", "none", "s")
            #expect(removal.status == 9)
            #expect(removal.error.contains("\"none\" does not exist"))
            #expect(await world.run("service", "list").error.contains("There are no services"))
        }
    }

    @Test func pausesAndResumes() async throws {
        let cluster = FakeCluster([
            "POST /apus/v1/services/s/pause": LoopbackResponse(text: "{}"),
            "POST /apus/v1/services/s/resume": LoopbackResponse(text: "{}"),
        ])
        cluster.services.withLock {
            $0["s"] = .object([
                "name": .string("s"), "image": .string("i"), "cpu": .string("1"), "memory": .string("1Gi"),
                "paused": .object(["since": .string("2026-01-01T00:00:00Z"), "by": .string("ada")]),
            ])
        }
        try await withCluster(cluster) { (world) async throws in
            #expect(await world.run("service", "list").output.contains("paused"))
            #expect(await world.run("service", "show", "s").output.contains("by: ada"))
            #expect(await world.run("service", "pause", "s").status == 0)
            #expect(await world.run("service", "resume", "s").status == 0)
            let partly = await world.run("service", "pause", "s", "none")
            #expect(partly.status == 9)
            #expect(await world.run("service", "resume", "none").status == 3)
        }
    }

    @Test func runsInPlainBytesOnApus() async throws {
        let cluster = FakeCluster([
            "GET /apus/v1/jobs": LoopbackResponse(text: "{\"jobs\":[]}"),
            "POST /run/s": LoopbackResponse(text: "aGVsbG8="),
            "POST /run/bad": LoopbackResponse(.internalServerError, text: "exit status 3"),
        ])
        try await withCluster(cluster) { (world) async throws in
            // In plain bytes, an output that looks like Base64 is left alone.
            #expect(await world.run("service", "run", "s", "-i", "x").output == "aGVsbG8=")
            #expect(await world.run("service", "run", "s", "-i", "x", "--form", "base64").output == "hello")
            #expect(await world.run("service", "run", "s", "-i", "x", "-o", "out").output == "")
            #expect(try world.home.appending("out").readText() == "aGVsbG8=")
            let failed = await world.run("service", "run", "bad", "-i", "x")
            #expect(failed.status == 7)
            #expect(failed.error.contains("exit status 3"))
            #expect(await world.run("service", "run", "s", "-f", "none").status == 8)
        }
    }

    @Test func runsInBase64OnOscar() async throws {
        let cluster = FakeCluster(["POST /run/s": LoopbackResponse(text: "aGVsbG8=")])
        try await withCluster(cluster) { (world) async throws in
            #expect(await world.run("service", "run", "s", "-i", "x").output == "hello")
        }
    }

    @Test func submitsJobs() async throws {
        let cluster = FakeCluster(["POST /job/s": LoopbackResponse(.created, headers: ["x-job-name": "s-1"])])
        try await withCluster(cluster) { (world) async throws in
            var world = world
            #expect(await world.run("service", "job", "s", "-i", "x").output == "s-1\n")
            #expect(await world.run("service", "job", "s", "-i", "x", "-q").output == "")
            world.input = "from the input"
            #expect(await world.run("service", "job", "s", "-f", "-").status == 0)
        }
    }

    @Test func usesAServicesToken() async throws {
        try await LoopbackServer.with(
            responder { request in
                LoopbackResponse(
                    request.headers.first(name: "authorization") == "Bearer T" ? .ok : .unauthorized, text: request.text
                )
            }
        ) { port in
            let endpoint = "http://127.0.0.1:\(port)"
            let good = try await TemporaryWorld.run(["service", "run", "s", "-i", "x", "-e", endpoint, "-t", "T"])
            #expect(good.output == "x")
            let bad = try await TemporaryWorld.run(["service", "run", "s", "-i", "x", "-e", endpoint, "-t", "U"])
            #expect(bad.status == 4)
        }
    }

    @Test func saysThatNobodyAnswers() async throws {
        let port = try await LoopbackServer.closedPort()
        try await TemporaryFolder.with { folder in
            let outcome = await (try World.of(folder, port: port)).run("service", "list")
            #expect(outcome.status == 5)
            #expect(outcome.error.hasPrefix("Error: cannot reach the cluster at http://127.0.0.1:\(port)"))
        }
    }
}

struct LogTests {
    private let jobs = """
        {"jobs":{"s-new":{"status":"Running","creation_time":"2026-01-02T00:00:00Z"},\
        "s-old":{"status":"Failed","creation_time":"2026-01-01T00:00:00Z","finish_time":"2026-01-01T00:00:05Z"}}}
        """

    @Test func listsAndFilters() async throws {
        let cluster = FakeCluster(["GET /system/logs/s": LoopbackResponse(text: jobs)])
        try await withCluster(cluster) { (world) async throws in
            let all = await world.run("service", "logs", "list", "s").output.split(separator: "\n")
            #expect(all.count == 3)
            #expect(all[0].hasPrefix("JOB NAME  STATUS   CREATION TIME"))
            let failed = await world.run("service", "logs", "list", "s", "-s", "failed,pending", "-o", "json").output
            #expect(try JSONValue.parse(failed).arrayValue?.map { $0["name"]?.stringValue } == ["s-old"])
        }
    }

    @Test func getsTheNewest() async throws {
        let cluster = FakeCluster([
            "GET /system/logs/s": LoopbackResponse(text: jobs),
            "GET /system/logs/s/s-new": LoopbackResponse(text: "the log\n\u{0}binary"),
        ])
        try await withCluster(cluster) { (world) async throws in
            #expect(await world.run("service", "logs", "get", "s", "-l", "-t", "-f").output == "the log\n\u{0}binary")
            #expect(cluster.seen.last == "GET /system/logs/s/s-new?follow=true&timestamps=true")
            #expect(await world.run("service", "logs", "get", "s", "gone").status == 3)
        }
    }

    @Test func removes() async throws {
        let cluster = FakeCluster([
            "DELETE /system/logs/s": LoopbackResponse(.noContent),
            "DELETE /system/logs/s/j": LoopbackResponse(.noContent),
        ])
        try await withCluster(cluster) { (world) async throws in
            let one = await world.run("service", "logs", "delete", "s", "j")
            #expect(one.output == "Job \"j\" from service \"s\" removed successfully\n")
            #expect(await world.run("service", "logs", "rm", "s", "-a").output.hasPrefix("All jobs from service"))
            #expect(await world.run("service", "logs", "rm", "s", "-s").output.hasPrefix("All succeeded jobs"))
        }
    }

    @Test func listsJobDetailsOverPages() async throws {
        try await LoopbackServer.with(
            responder { request in
                let after = request.parameter("after").flatMap { Int($0) } ?? 0
                let jobs = (after + 1...after + 2).map {
                    "{\"name\":\"j\($0)\",\"service\":\"s\",\"state\":\"queued\",\"reason\":\"waits\"}"
                }
                let next = after < 4 ? ",\"next\":\"\(after + 2)\"" : ""
                return LoopbackResponse(text: "{\"jobs\":[\(jobs.joined(separator: ","))]\(next)}")
            }
        ) { port in
            try await TemporaryFolder.with { folder in
                let world = try World.of(folder, port: port)
                let all = await world.run("job", "list", "--limit", "0", "-o", "json").output
                #expect(try JSONValue.parse(all).arrayValue?.count == 6)
                let some = await world.run("job", "list", "s", "--limit", "3").output
                #expect(some.split(separator: "\n").count == 4)
                #expect(some.contains("waits"))
            }
        }
    }
}

struct ClusterAndImageTests {
    @Test func showsInformation() async throws {
        try await withCluster { (world) async throws in
            #expect(await world.run("cluster", "info").output == "version: v9\narchitecture: amd64\n")
            #expect(await world.run("cluster", "info", "-c", "none").status == 3)
        }
    }

    @Test func sendsArchivesAndReferences() async throws {
        let cluster = FakeCluster([
            "PUT /apus/v1/images/my-image": LoopbackResponse(text: "unpacking\nok sha256:1\n"),
            "POST /apus/v1/images": LoopbackResponse(text: "ok sha256:2\n"),
            "GET /apus/v1/images": LoopbackResponse(
                text: "[{\"name\":\"n\",\"digest\":\"d\",\"size_bytes\":1048576}]"),
        ])
        try await withCluster(cluster) { (world) async throws in
            try world.home.appending("my-image.tar.gz").write([UInt8](repeating: 5, count: 700_000))
            let upload = await world.run("image", "add", "my-image.tar.gz")
            #expect(upload.output == "sha256:1\n")
            #expect(upload.error.contains("unpacking"))
            #expect(await world.run("image", "add", "ghcr.io/x/y:1").output == "sha256:2\n")
            #expect(
                await world.run("image", "list").output == "NAME  DIGEST   SIZE  CREATED\nn     d       1 MiB  \n")
        }
    }
}
