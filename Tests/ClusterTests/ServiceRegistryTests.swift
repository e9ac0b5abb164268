import ClusterTesting
import Identity
import LoopbackServer
import Model
import ObjectEngine
import StateStore
import SystemPackage
import TestKit
import Testing

@testable import Cluster

@Suite("Creating, changing and removing services", .serialized, .timeLimit(.minutes(2)))
struct ServiceRegistryTests {
    private func code(_ body: () async throws -> Void) async -> ClusterError.Code? {
        do { try await body() } catch { return (error as? ClusterError)?.code }
        return nil
    }

    private func define(_ name: String = "s", more: JSONObject = [:]) -> JSONValue {
        ClusterFixture.definition(name, script: "echo hi", input: ["inbox/x"], output: ["outbox/y"], more: more)
    }

    @Test("a created service has token, owner, buckets, and its files on disk")
    func create() async throws {
        try await ClusterFixture.serve { cluster in
            let service = try await cluster.registry.create(define(), owner: "somebody")
            #expect(ServiceToken.isWellFormed(service.definition.token[...]))
            #expect(service.definition.owner == "somebody" && service.version == 1 && service.sandbox == .process)
            #expect(service.madeBuckets.map(\.text) == ["inbox", "outbox"])
            #expect(try await cluster.objects.buckets().map(\.name.text) == ["inbox", "outbox"])
            #expect(try Folder.readSmallFile(service.configuration.appending("script.sh")) == "echo hi")
            let configuration = try #require(
                try Folder.readSmallFile(service.configuration.appending("function_config.yaml")))
            #expect(try JSONValue.parse(configuration)["name"]?.stringValue == "s")
            #expect(try service.configuration.appending("script.sh").mode() == 0o755)
            #expect(cluster.catalog.service(forToken: service.definition.token) == service.name)
            #expect(try await cluster.state.services().count == 1)
        }
    }

    @Test("a second one of that name is refused and changes nothing")
    func duplicate() async throws {
        try await ClusterFixture.serve { cluster in
            let first = try await cluster.registry.create(define(), owner: "o")
            #expect(await code { try await cluster.registry.create(define(), owner: "o") } == .alreadyExists)
            #expect(cluster.catalog[first.name]?.definition.token == first.definition.token)
            #expect(try Folder.readSmallFile(first.configuration.appending("script.sh")) == "echo hi")
        }
    }

    @Test("creating at once: one wins, and it is whole")
    func concurrentCreate() async throws {
        try await ClusterFixture.serve { cluster in
            let codes = await withTaskGroup(of: ClusterError.Code?.self) { group in
                for _ in 0..<10 {
                    group.addTask { await self.code { try await cluster.registry.create(self.define(), owner: "o") } }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(codes.count { $0 == nil } == 1)
            #expect(codes.allSatisfy { $0 == nil || $0 == .alreadyExists || $0 == .busy })
            let service = try #require(cluster.catalog.all.first)
            #expect(try Folder.readSmallFile(service.configuration.appending("script.sh")) == "echo hi")
            try await cluster.put("x", "x/1", in: "inbox")
            #expect(try await cluster.ended(1).first?.state == .succeeded)
        }
    }

    /// Definitions that are refused, and a word of the reason.
    static let refused: [(String, JSONValue, String)] = [
        ("no object", .array([]), ""),
        ("no name", .object(["script": .string("x")]), "Name"),
        ("no script", .object(["name": .string("s"), "sandbox": .string("process")]), "Script"),
        ("hostile name", ClusterFixture.definition("../../etc", script: "x"), "name"),
        ("long name", ClusterFixture.definition(String(repeating: "n", count: 40), script: "x"), "39"),
        ("sandbox", ClusterFixture.definition("s", script: "x", more: ["sandbox": .string("jail")]), "jail"),
        ("cpu", ClusterFixture.definition("s", script: "x", more: ["cpu": .string("many")]), "cpu"),
        ("timeout", ClusterFixture.definition("s", script: "x", more: ["timeout": .string("0s")]), "timeout"),
        ("gpu", ClusterFixture.definition("s", script: "x", more: ["enable_gpu": .bool(true)]), "enable_gpu"),
        (
            "volume",
            ClusterFixture.definition(
                "s", script: "x", more: ["volume": .object(["name": .string("v"), "mount_path": .string("/d")])]),
            "volume"
        ),
        ("loop", ClusterFixture.definition("s", script: "x", input: ["bkt/in"], output: ["bkt/in/deep"]), "own input"),
        (
            "loop in a bucket", ClusterFixture.definition("s", script: "x", input: ["bkt/in"], output: ["bkt/in"]),
            "own input"
        ),
        ("empty path", ClusterFixture.definition("s", script: "x", input: [" / "]), "path"),
        (
            "unknown provider",
            ClusterFixture.definition(
                "s", script: "x",
                more: [
                    "output": .array([.object(["storage_provider": .string("s3.nowhere"), "path": .string("bkt/x")])])
                ]
            ), "s3.nowhere"
        ),
        (
            "input from elsewhere",
            ClusterFixture.definition(
                "s", script: "x",
                more: [
                    "input": .array([.object(["storage_provider": .string("onedata.o"), "path": .string("bkt/x")])])
                ]
            ), "input"
        ),
    ]

    @Test("what cannot be is refused with the field's name, and leaves nothing", arguments: refused.indices)
    func refusals(index: Int) async throws {
        let (_, definition, word) = Self.refused[index]
        try await ClusterFixture.serve { cluster in
            do {
                try await cluster.registry.create(definition, owner: "o")
                Issue.record("was accepted")
            } catch let error as ClusterError {
                #expect(error.code == .invalid && error.message.contains(word), "\(error.message)")
            }
            #expect(try await cluster.objects.buckets().isEmpty)
            #expect(try cluster.names(cluster.data.services).isEmpty)
            #expect(cluster.catalog.all.isEmpty)
        }
    }

    @Test(
        "without a container runtime a container service is refused with what to install"
    )
    func noContainers() async throws {
        var options = ClusterFixture.Options()
        options.runsAllAsProcesses = false
        try await ClusterFixture.serve(options) { cluster in
            for more: JSONObject in [["sandbox": .string("container")], ["sandbox": .null]] {
                var definition = more
                definition["image"] = .string("ghcr.io/grycap/cowsay")
                do {
                    try await cluster.registry.create(define(more: definition), owner: "o")
                    Issue.record("was accepted")
                } catch let error as ClusterError {
                    #expect(error.code == .invalid && error.message.contains("install crun"))
                }
            }
            #expect(try await cluster.objects.buckets().isEmpty)
            #expect(try await cluster.registry.create(define(), owner: "o").sandbox == .process)
        }
    }

    @Test("an image that is not allowed is refused")
    func allowedImages() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.allowedImages.set(["ghcr.io/grycap"])
            let (good, bad): (JSONObject, JSONObject) = (
                ["image": .string("ghcr.io/grycap/x")], ["image": .string("evil/x")]
            )
            #expect(await code { try await cluster.registry.create(define(more: bad), owner: "o") } == .invalid)
            #expect(await code { try await cluster.registry.create(define(more: good), owner: "o") } == nil)
            #expect(await code { try await cluster.registry.update(define(more: bad)) } == .invalid)
        }
    }

    @Test("a failure in the middle undoes what was done: files and buckets")
    func saga() async throws {
        try await TemporaryFolder.with { folder in
            try await ClusterFixture.open(at: folder) { cluster in
                // The state's table has a row that the catalog does not know, so that the last step fails.
                try await cluster.state.insert(
                    StoredService(
                        name: try ServiceName("s"), definition: .object([:]), madeBuckets: [], version: 1,
                        created: Instant(seconds: 1), updated: Instant(seconds: 1)
                    )
                )
                _ = try await cluster.objects.createBucket(try BucketName("inbox"), owner: "o")
                #expect(await code { try await cluster.registry.create(define(), owner: "o") } == .failed)
                #expect(try await cluster.objects.buckets().map(\.name.text) == ["inbox"])
                #expect(try cluster.names(cluster.data.services.appending("s")).isEmpty)
                #expect(cluster.catalog.all.isEmpty)
            }
        }
    }

    @Test("an update of none is not found; a failed one leaves the old")
    func failedUpdate() async throws {
        try await ClusterFixture.serve { cluster in
            #expect(await code { try await cluster.registry.update(define()) } == .notFound)
            let old = try await cluster.registry.create(define(), owner: "o")
            #expect(await code { try await cluster.registry.update(define(more: ["cpu": .string("x")])) } == .invalid)
            _ = try await cluster.state.deleteService(old.name)
            #expect(await code { try await cluster.registry.update(define(more: ["output": .array([])])) } == .failed)
            #expect(cluster.catalog[old.name]?.version == 1)
            #expect(try Folder.readSmallFile(old.configuration.appending("script.sh")) == "echo hi")
            #expect(try cluster.names(cluster.data.services.appending("s")) == ["1"])
        }
    }

    @Test("secrets that a client sends back empty are kept")
    func secrets() async throws {
        try await ClusterFixture.serve { cluster in
            func environment(_ secrets: [String: String]) -> JSONObject {
                ["environment": .object(["secrets": .map(secrets)])]
            }
            try await cluster.registry.create(define(more: environment(["A": "one", "B": "two"])), owner: "o")
            let updated = try await cluster.registry.update(define(more: environment(["A": "", "B": "new"])))
            #expect(updated.definition.environment.secrets == ["A": "one", "B": "new"])
        }
    }

    @Test("removing keeps what people put somewhere, and removes empty buckets that were made for the service")
    func remove() async throws {
        try await ClusterFixture.serve { cluster in
            _ = try await cluster.objects.createBucket(try BucketName("mine"), owner: "somebody")
            try await cluster.create(
                "s", script: "true", input: ["inbox/x", "mine/x"], output: ["outbox/y", "full/y"])
            try await cluster.create("other", script: "true", output: ["shared/y"])
            try await cluster.registry.update(
                ClusterFixture.definition(
                    "s", script: "true", input: ["inbox/x", "mine/x"], output: ["outbox/y", "full/y", "shared/s"])
            )
            try await cluster.put("x", "y/1", in: "full")
            let name = try ServiceName("s")
            let token = try #require(cluster.catalog[name]?.definition.token)
            _ = try await cluster.jobs.post([1], to: name, name: nil, principal: "p")
            try await cluster.ended(1)
            try await cluster.registry.remove(name, deletingData: false)
            #expect(try await cluster.objects.buckets().map(\.name.text) == ["full", "mine", "shared"])
            #expect(try await cluster.text("y/1", in: "full") == "x")
            #expect(try await cluster.allJobs().isEmpty)
            #expect(cluster.catalog.service(forToken: token) == nil)
            #expect(try cluster.names(cluster.data.services) == ["other"])
            #expect(try cluster.names(cluster.data.logs).isEmpty)
            #expect(await code { try await cluster.registry.remove(name, deletingData: false) } == .notFound)
        }
    }

    @Test("removing with its data empties the buckets that were made for it, and no others")
    func removeWithData() async throws {
        try await ClusterFixture.serve { cluster in
            _ = try await cluster.objects.createBucket(try BucketName("mine"), owner: "somebody")
            try await cluster.create("s", script: "true", input: ["mine/x"], output: ["made/y"])
            for bucket in ["mine", "made"] { try await cluster.put("x", "y/1", in: bucket) }
            try await cluster.registry.remove(try ServiceName("s"), deletingData: true)
            #expect(try await cluster.objects.buckets().map(\.name.text) == ["mine"])
            #expect(try await cluster.keys("mine") == ["y/1"])
        }
    }

    @Test("removing a service stops its jobs, those that wait and those that run, and their files go")
    func removeWithJobs() async throws {
        try await ClusterFixture.serve(SchedulingTests.narrow) { cluster in
            try await cluster.create("s", script: "exec sleep 1000", output: ["bkt/out"])
            let name = try ServiceName("s")
            let large = [UInt8](repeating: 0x61, count: 100_000)
            var jobs: [JobName] = []
            for _ in 0..<3 { jobs.append(try await cluster.jobs.post(large, to: name, name: nil, principal: "p")) }
            try await cluster.wait(jobs[0], for: .running)
            let log = try await cluster.jobs.log(jobs[2], of: name, follow: true)
            try await cluster.registry.remove(name, deletingData: false)
            for try await _ in log { Issue.record("that job never ran") }
            try await eventually("all is free") {
                try cluster.scheduler.free == cluster.scheduler.capacity && cluster.names(cluster.data.work).isEmpty
            }
            #expect(try await cluster.allJobs().isEmpty)
            #expect(try cluster.names(cluster.data.events).isEmpty)
            // A new one of that name has nothing of the old.
            try await cluster.create("s", script: "true")
            _ = try await cluster.jobs.post([], to: name, name: nil, principal: "p")
            #expect(try await cluster.ended(1).map(\.state) == [.succeeded])
        }
    }

    @Test("services are there after a restart, with their token; files of old versions and of lost ones are not")
    func restart() async throws {
        try await TemporaryFolder.with { folder in
            let token: String = try await {
                let cluster = try await ClusterFixture(at: folder)
                try await cluster.registry.create(define(), owner: "o")
                let service = try await cluster.registry.update(define(more: ["script": .string("echo two")]))
                await cluster.close()
                return service.definition.token
            }()
            _ = try folder.appending("services/ghost/1/script.sh").write("x".utf8)
            try Folder.remove(folder.appending("services/s/2"))
            try await ClusterFixture.serve(at: folder) { cluster in
                let service = try #require(cluster.catalog[try ServiceName("s")])
                #expect(service.definition.token == token && service.version == 2 && service.definition.owner == "o")
                #expect(service.madeBuckets.map(\.text) == ["inbox", "outbox"])
                #expect(try cluster.names(cluster.data.services) == ["s"])
                #expect(try cluster.names(cluster.data.services.appending("s")) == ["2"])
                try await cluster.put("x", "x/1", in: "inbox")
                #expect(try await cluster.log(try #require(try await cluster.ended(1).first)) == "two\n")
            }
        }
    }

    @Test("buckets: shared, refused to be removed while used, removed with content")
    func buckets() async throws {
        try await ClusterFixture.serve { cluster in
            let (name, other) = (try BucketName("inbox"), try BucketName("other"))
            let (owner, somebody) = (Principal(owner: "o"), Principal(owner: "p"))
            try await cluster.buckets.create(other, by: owner, visibility: .private, allowedUsers: [])
            try await cluster.buckets.create(other, by: owner, visibility: .public, allowedUsers: [])
            #expect(
                await code {
                    try await cluster.buckets.create(other, by: somebody, visibility: .private, allowedUsers: [])
                } == .alreadyExists)
            #expect(try await cluster.buckets.bucket(other).sharing == Sharing(owner: "o", visibility: .public))
            try await cluster.registry.create(define(), owner: "o")
            #expect(await code { try await cluster.buckets.remove(name, by: owner) } == .forbidden)
            try await cluster.put("x", "a/b", in: "other")
            #expect(
                try await cluster.buckets.objects(of: other, prefix: "a/", after: nil, limit: 10).objects.count == 1)
            try await cluster.buckets.remove(other, by: owner)
            #expect(await code { _ = try await cluster.buckets.bucket(other) } == .notFound)
            #expect(await code { try await cluster.buckets.remove(other, by: owner) } == .notFound)
            #expect(
                await code { _ = try await cluster.buckets.objects(of: other, prefix: "", after: nil, limit: 1) }
                    == .notFound)
        }
    }
}
