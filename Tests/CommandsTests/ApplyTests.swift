import LoopbackServer
import Model
import NIOHTTP1
import Synchronization
import SystemPackage
import Testing

@testable import Commands

struct ApplyTests {
    private let fdl = """
        functions:
          oscar:
          - test:
              name: first
              cpu: 1.0
              image: img
              script: scripts/run.sh
              output:
              - storage_provider: minio.cloud
                path: out
          - default-cluster:
              name: second
              image: img
              script: scripts/run.sh
        storage_providers:
          minio:
            cloud: {endpoint: http://cloud, access_key: a, secret_key: s}
        """

    private func write(_ world: World) throws {
        try world.home.pushing("fdl/workflow.yaml").write(fdl.utf8)
        try world.home.pushing("fdl/scripts/run.sh").write("#!/bin/sh\necho \"hé\"\n".utf8)
    }

    @Test func createsThenEdits() async throws {
        let cluster = FakeCluster()
        try await withCluster(cluster) { (world) async throws in
            try write(world)
            let created = await world.run("apply", "fdl/workflow.yaml")
            #expect(
                created.output == """
                    Applying file "fdl/workflow.yaml"...
                    ✓  Creating service "first" in cluster "test"
                    ✓  Creating service "second" in cluster "test"

                    """)
            #expect(created.error.isEmpty)
            let first = try #require(cluster.services.withLock { $0["first"] })
            #expect(first["script"]?.stringValue == "#!/bin/sh\necho \"hé\"\n")
            #expect(first["cluster_id"]?.stringValue == "test")
            #expect(first["storage_providers"]?["minio"]?["cloud"]?["secret_key"]?.stringValue == "s")
            // The passwords of the user's clusters stay here.
            #expect(!first.text().contains("secret\""))

            let edited = await world.run("apply", "fdl/workflow.yaml")
            #expect(edited.output.contains("✓  Editing service \"first\" in cluster \"test\""))
            #expect(cluster.seen.filter { $0 == "PUT /system/services" }.count == 2)

            let deleted = await world.run("delete", "fdl/workflow.yaml")
            #expect(deleted.output.contains("✓  Removing service \"second\" in cluster \"test\""))
            #expect(cluster.services.withLock { $0.isEmpty })
            #expect(await world.run("remove", "fdl/workflow.yaml").status == 0)
        }
    }

    @Test func goesToSeveralClusters() async throws {
        let (edge, cloud) = (FakeCluster(), FakeCluster())
        try await LoopbackServer.with(responder { cloud.answer($0) }) { cloudPort in
            try await withCluster(edge) { (world) async throws in
                try write(world)
                #expect(
                    await world.run("cluster", "add", "cloud", "http://127.0.0.1:\(cloudPort)", "u", "p").status == 0)
                #expect(await world.run("cluster", "default", "-s", "cloud").status == 0)
                #expect(await world.run("apply", "fdl/workflow.yaml").status == 0)
                #expect(edge.services.withLock { $0.keys.sorted() } == ["first"])
                #expect(cloud.services.withLock { $0.keys.sorted() } == ["second"])
                #expect(await world.run("apply", "fdl/workflow.yaml", "-c", "test").status == 0)
                #expect(edge.services.withLock { $0.keys.sorted() } == ["first", "second"])
                #expect(await world.run("apply", "fdl/workflow.yaml", "--default").status == 0)
                #expect(cloud.services.withLock { $0.keys.sorted() } == ["first", "second"])
            }
        }
    }

    @Test func sendsNothingWhenTheFileIsWrong() async throws {
        let wrong = [
            ("functions: {}", Int32(6)), ("- x", 6), ("{", 6), ("functions: {oscar: [{test: {image: i}}]}", 6),
            ("functions: {oscar: [{test: {name: BAD, image: i}}]}", 6),
            ("functions: {oscar: [{test: {name: s, script: none.sh}}]}", 8),
            ("functions: {oscar: [{test: {name: s}}, {unknown: {name: t}}]}", 3),
        ]
        let cluster = FakeCluster()
        try await withCluster(cluster) { (world) async throws in
            for (text, status) in wrong {
                try world.home.appending("wrong.yaml").write(text.utf8)
                let outcome = await world.run("apply", "wrong.yaml")
                #expect(outcome.status == status, "\(text): \(outcome.error)")
                #expect(outcome.output.isEmpty)
            }
            #expect(await world.run("apply", "none.yaml").status == 8)
            try write(world)
            #expect(await world.run("apply", "fdl/workflow.yaml", "-n", "other").status == 6)
            #expect(cluster.seen.isEmpty)
        }
    }

    @Test func renamesOneService() async throws {
        let cluster = FakeCluster()
        try await withCluster(cluster) { (world) async throws in
            try world.home.appending("one.yaml").write("functions: {oscar: [{test: {name: a, image: i}}]}".utf8)
            #expect(await world.run("apply", "one.yaml", "-n", "renamed").status == 0)
            #expect(cluster.services.withLock { $0.keys.sorted() } == ["renamed"])
        }
    }

    @Test func showsWhatFailed() async throws {
        let cluster = FakeCluster([
            "POST /system/services": LoopbackResponse(.badRequest, text: "gpu is not supported")
        ])
        try await withCluster(cluster) { (world) async throws in
            try write(world)
            let outcome = await world.run("apply", "fdl/workflow.yaml")
            #expect(outcome.status == 6)
            #expect(outcome.output.contains("✗  Creating service \"first\""))
            #expect(outcome.error == "Error: gpu is not supported\n")
        }
    }
}
