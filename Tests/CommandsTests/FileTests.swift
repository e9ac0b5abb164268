import LoopbackServer
import Model
import Synchronization
import SystemPackage
import Testing

@testable import Commands

struct FileTests {
    @Test func putsGetsListsAndRemoves() async throws {
        let cluster = FakeCluster()
        try await withCluster(cluster) { (world) async throws in
            try world.home.appending("a.txt").write("one".utf8)
            try world.home.appending("b c.json").write("two".utf8)
            #expect(await world.run("put", "a.txt", "data/dir/named").status == 0)
            #expect(await world.run("put", "a.txt", "b c.json", "data/more").status == 0)
            #expect(cluster.store.keys("data") == ["dir/named", "more/a.txt", "more/b c.json"])
            #expect(cluster.store.object("data", "more/b c.json")?.contentType == "application/json")

            #expect(await world.run("get", "data/dir/named").status == 0)
            #expect(try world.home.appending("named").readText() == "one")
            #expect(await world.run("get", "data/dir/named", "new/").status == 0)
            #expect(try world.home.appending("new").appending("named").readText() == "one")
            #expect(await world.run("get", "data/more/b c.json", "other").status == 0)
            #expect(try world.home.appending("other").readText() == "two")

            let top = await world.run("ls", "data").output
            #expect(top.contains("dir/") && top.contains("more/") && !top.contains("a.txt"))
            #expect(await world.run("ls", "data/more/").output.contains("more/b c.json"))
            #expect(await world.run("ls").output == "BUCKET  CREATED\ndata    2026-01-01T00:00:00Z\n")
            #expect(await world.run("rm", "data/dir/named", "data/gone").status == 0)
            #expect(await world.run("rm", "-r", "data/more").output == "2 objects removed from data/more\n")
            #expect(cluster.store.keys("data").isEmpty)
        }
    }

    @Test func copiesTreesBothWays() async throws {
        let cluster = FakeCluster()
        try await withCluster(cluster) { (world) async throws in
            let names = (0..<20).map { "dir\($0 % 3)/file \($0)" } + ["top", "deep/er/and/deeper"]
            for name in names { try world.home.pushing("tree").pushing(.init(name)).write(name.utf8) }
            #expect(await world.run("put", "-r", "tree", "data/copy").status == 0)
            #expect(cluster.store.keys("data") == names.map { "copy/" + $0 }.sorted())
            cluster.store.add("data", "copy/empty/")
            cluster.store.add("data", "copycat", "not below copy/")
            #expect(await world.run("get", "-r", "data/copy", "back").status == 0)
            for name in names { #expect(try world.home.pushing("back").pushing(.init(name)).readText() == name) }
            #expect(try world.home.pushing("back").names() == ["deep", "dir0", "dir1", "dir2", "empty", "top"])
        }
    }

    @Test func keysCannotLeaveTheFolder() async throws {
        let cluster = FakeCluster()
        for key in ["x/../../evil", "x//double", "x/./dot", "x/good", "/absolute"] {
            cluster.store.add("data", key, key)
        }
        try await withCluster(cluster) { (world) async throws in
            let outcome = await world.run("get", "-r", "data", "sub/folder")
            #expect(outcome.status == 9)
            #expect(outcome.error.contains("evil"))
            #expect(outcome.error.contains("4 of 5 files failed"))
            #expect(try world.home.pushing("sub/folder").names() == ["x"])
            #expect(try world.home.pushing("sub/folder/x").names() == ["good"])
            #expect(try world.home.names().contains("evil") == false)
            // Alone, and with a name, any object can be fetched.
            #expect(await world.run("get", "data/x/../../evil", "here").status == 0)
            #expect(try world.home.appending("here").readText() == "x/../../evil")
            #expect(await world.run("get", "data/x/../../evil").status == 0)
            #expect(try world.home.appending("evil").readText() == "x/../../evil")
        }
    }

    @Test func saysWhatIsWrong() async throws {
        try await withCluster { (world) async throws in
            try world.home.pushing("folder/file").write("x".utf8)
            #expect(await world.run("put", "none", "data/x").status == 8)
            #expect(await world.run("put", "folder", "data/x").status == 6)
            #expect(await world.run("put", "folder/file", "UPPER/x").status == 6)
            #expect(await world.run("put", "folder/file", "missing-bucket/x").status == 3)
            #expect(await world.run("put", "folder/file", "none", "data").status == 9)
            #expect(await world.run("get", "data/none").status == 3)
            #expect(await world.run("get", "data/").status == 6)
            #expect(await world.run("get", "-r", "data/none").status == 3)
            #expect(await world.run("ls", "missing-bucket").status == 3)
            #expect(await world.run("rm", "data/folder/").status == 6)
        }
    }

    @Test func showsProgressOnTerminalsOnly() async throws {
        try await withCluster { (world) async throws in
            var world = world
            try world.home.appending("file").write([UInt8](repeating: 1, count: 2_000_000))
            #expect(await world.run("put", "file", "data/x").error.isEmpty)
            world.isTerminal = true
            #expect(await world.run("put", "file", "data/x", "-q").error.isEmpty)
            #expect(await world.run("put", "file", "data/x").error.contains("1.9 MiB"))
        }
    }

    @Test func hasTheFileCommandsOfOscarCLI() async throws {
        let cluster = FakeCluster()
        cluster.services.withLock {
            $0["s"] = .object([
                "name": .string("s"),
                "input": .array([
                    .object(["storage_provider": .string("minio.default"), "path": .string("data/todo")])
                ]),
                "output": .array([.object(["storage_provider": .string("minio"), "path": .string("data/done")])]),
            ])
        }
        try await withCluster(cluster) { (world) async throws in
            try world.home.appending("file.txt").write("x".utf8)
            #expect(await world.run("service", "put-file", "s", "file.txt").status == 0)
            #expect(
                await world.run("service", "put-file", "s", "minio.default", "file.txt", "data/done/out.txt").status
                    == 0)
            #expect(cluster.store.keys("data") == ["done/out.txt", "todo/file.txt"])
            let got = await world.run("service", "get-file", "s")
            #expect(got.output == "\(world.home.appending("out.txt"))\n")
            #expect(
                await world.run("service", "list-files", "s", "minio.default", "data/").output
                    == "done/out.txt\ntodo/file.txt\n")
            #expect(await world.run("service", "delete-file", "s", "minio", "data/done/out.txt").status == 0)
            #expect(await world.run("service", "put-file", "s", "s3.none", "file.txt", "b/x").status == 3)
            #expect(await world.run("service", "put-file", "s", "minio.none", "file.txt", "b/x").status == 3)
            #expect(cluster.store.keys("data") == ["todo/file.txt"])
        }
    }

    @Test(arguments: [
        ("abc", "", "abc"), ("bucket/key", "key", "bucket"), ("s3://bucket/a/b", "a/b", "bucket"),
        ("bucket//key", "/key", "bucket"), ("bucket/a/../b", "a/../b", "bucket"),
    ])
    func parsesRemotePaths(text: String, key: String, bucket: String) throws {
        let path = try RemotePath(text)
        #expect(path.key == key)
        #expect(path.bucket.text == bucket)
    }

    @Test(arguments: ["", "/", "a", "A/b", "-x-/y", "bucket/" + String(repeating: "k", count: 1025)])
    func refusesOtherRemotePaths(text: String) {
        #expect { try RemotePath(text) } throws: { ($0 as? CommandError)?.code == .invalidInput }
    }
}
