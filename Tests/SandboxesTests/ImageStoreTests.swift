import Foundation
import Model
import Sandboxes
import Synchronization
import SystemPackage
import Testing

private let hasTools = ["/usr/bin/skopeo", "/usr/bin/umoci"].allSatisfy {
    FileManager.default.isExecutableFile(atPath: $0)
}

@Suite(.timeLimit(.minutes(5)))
struct ImageStoreTests {
    private func smallArchive(
        _ scratch: Scratch, content: String = "hello", option: String = "", suffix: String = "tar"
    ) async throws
        -> FilePath
    {
        let root = try scratch.directory("small-\(content)")
        try Data(content.utf8).write(to: URL(fileURLWithPath: root.string + "/file"))
        let archive = scratch.path.appending("\(content).\(suffix)")
        try await shell("tar \(option) -cf '\(archive)' -C '\(root)' .")
        return archive
    }

    private func rootFileSystems(_ scratch: Scratch) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: scratch.path.string + "/images/rootfs")
    }

    @Test(arguments: [("", "tar"), ("--gzip", "tar.gz"), ("--zstd", "tar.zst")])
    func rootFileSystemArchives(option: String, suffix: String) async throws {
        let scratch = try Scratch()
        let archive: FilePath
        do { archive = try await smallArchive(scratch, option: option, suffix: suffix) } catch {
            return  // no such compressor here
        }
        let store = try await ImageStore.open(at: scratch.path.appending("images"))
        let lines = Mutex<[String]>([])
        let image = try await store.add("small", from: .file(archive)) { line in lines.withLock { $0.append(line) } }
        #expect(image.names == ["small"])
        #expect(image.size.bytes > 0)
        #expect(lines.withLock { !$0.isEmpty })
        let files = try rootFileSystems(scratch)
        #expect(files == [image.digest.replacing(":", with: "-")])
        let content = FileManager.default.contents(atPath: scratch.path.string + "/images/rootfs/\(files[0])/file")
        #expect(content == Data("hello".utf8))
    }

    @Test func namesShareADigest() async throws {
        let scratch = try Scratch()
        let archive = try await smallArchive(scratch)
        let store = try await ImageStore.open(at: scratch.path.appending("images"))
        let one = try await store.add("one", from: .file(archive))
        let two = try await store.add("registry.example.org/two:3", from: .file(archive))
        #expect(one.digest == two.digest)
        #expect(await store.list().map(\.names) == [["one", "registry.example.org/two:3"]])
        #expect(await store.image("docker.io/library/one:latest")?.digest == one.digest)
        try await store.remove("one")
        #expect(await store.image("one") == nil)
        #expect(await store.image("registry.example.org/two:3") != nil)
        #expect(try rootFileSystems(scratch).count == 1)
        try await store.remove("registry.example.org/two:3")
        #expect(try rootFileSystems(scratch) == [])
        try await store.remove("never added")
    }

    @Test func aNameMovesToItsNewDigest() async throws {
        let scratch = try Scratch()
        let store = try await ImageStore.open(at: scratch.path.appending("images"))
        let old = try await store.add("image", from: .file(try await smallArchive(scratch, content: "old")))
        let new = try await store.add("image", from: .file(try await smallArchive(scratch, content: "new")))
        #expect(old.digest != new.digest)
        #expect(await store.image("image")?.digest == new.digest)
        #expect(await store.image(old.digest)?.names == [])
        try await store.remove(old.digest)
        #expect(await store.list().map(\.digest) == [new.digest])
    }

    @Test func survivesARestartAndRemovesUnfinishedWork() async throws {
        let scratch = try Scratch()
        let archive = try await smallArchive(scratch)
        let before = try await ImageStore.open(at: scratch.path.appending("images")).add("kept", from: .file(archive))
        _ = try scratch.directory("images/unpacking/7/rootfs")
        let store = try await ImageStore.open(at: scratch.path.appending("images"))
        let after = try #require(await store.image("kept"))
        #expect(after.digest == before.digest && after.size == before.size)
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path.string + "/images/unpacking") == [])
        // A third start after the files were lost.
        try FileManager.default.removeItem(
            atPath: scratch.path.string + "/images/rootfs/" + rootFileSystems(scratch)[0])
        let third = try await ImageStore.open(at: scratch.path.appending("images"))
        #expect(await third.image("kept") == nil)
    }

    @Test(arguments: ["not json", "{}", "{\"version\": 2, \"images\": []}", ""])
    func refusesAnIndexItDoesNotUnderstand(text: String) async throws {
        let scratch = try Scratch()
        let file = try scratch.directory("images").appending("images.json")
        try Data(text.utf8).write(to: URL(fileURLWithPath: file.string))
        let error = await #expect(throws: SandboxError.self) {
            _ = try await ImageStore.open(at: scratch.path.appending("images"))
        }
        #expect(error?.code == .unavailable)
        #expect(FileManager.default.contents(atPath: file.string) == Data(text.utf8))
    }

    @Test func brokenFiles() async throws {
        let scratch = try Scratch()
        let store = try await ImageStore.open(at: scratch.path.appending("images"))
        let noise = scratch.path.appending("noise.tar")
        try Data((0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 37) }).write(to: URL(fileURLWithPath: noise.string))
        let empty = scratch.path.appending("empty.tar")
        try await shell("tar -cf '\(empty)' --files-from /dev/null")
        let directory = try scratch.directory("directory")
        for (path, code) in [
            (noise, SandboxError.Code.imageBroken), (empty, .imageBroken), (directory, .imageMissing),
            (scratch.path.appending("absent"), .imageMissing),
        ] {
            let error = await #expect(throws: SandboxError.self) { try await store.add("x", from: .file(path)) }
            #expect(error?.code == code, "\(path)")
        }
        #expect(await store.list().isEmpty)
        #expect(try rootFileSystems(scratch) == [])
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path.string + "/images/unpacking") == [])
    }

    @Test func hostileArchiveStaysInItsDirectory() async throws {
        let scratch = try Scratch()
        let target = scratch.path.appending("outside")
        let archive = scratch.path.appending("hostile.tar")
        let program = """
            import tarfile, io
            t = tarfile.open('\(archive)', 'w')
            def add(name, data=b'x', **attributes):
                i = tarfile.TarInfo(name); i.size = 0 if attributes else len(data)
                for k, v in attributes.items(): setattr(i, k, v)
                t.addfile(i, None if attributes else io.BytesIO(data))
            add('ok'); add('../../../outside'); add('\(target)')
            add('link', type=tarfile.SYMTYPE, linkname='\(scratch.path)'); add('link/outside')
            t.close()
            """
        let file = scratch.path.appending("make.py")
        try Data(program.utf8).write(to: URL(fileURLWithPath: file.string))
        do { try await shell("python3 '\(file)'") } catch { return }  // no Python here
        let store = try await ImageStore.open(at: scratch.path.appending("images"))
        // Refused or cut down, as tar sees fit; nothing may appear outside.
        _ = try? await store.add("hostile", from: .file(archive))
        #expect(!FileManager.default.fileExists(atPath: target.string))
    }

    @Test(.enabled(if: hasTools, "skopeo and umoci are installed (apt-get install skopeo umoci)"))
    func layoutsAndArchives() async throws {
        let scratch = try Scratch()
        let root = try scratch.directory("bundle/rootfs")
        try Data("layer".utf8).write(to: URL(fileURLWithPath: root.string + "/file"))
        let (layout, base) = (scratch.path.appending("layout"), scratch.path.string)
        try await shell(
            """
            umoci init --layout '\(layout)' && umoci new --image '\(layout):latest' &&
            umoci insert --image '\(layout):latest' '\(root)/file' /file &&
            umoci config --image '\(layout):latest' --config.env A=1 --config.env 'B=two words' \
              --config.workingdir /work --config.user 12:34 &&
            skopeo copy --insecure-policy 'oci:\(layout):latest' 'oci-archive:\(base)/oci.tar:latest' &&
            skopeo copy --insecure-policy 'oci:\(layout):latest' 'docker-archive:\(base)/docker.tar:test/x:1'
            """
        )
        let store = try await ImageStore.open(at: scratch.path.appending("images"))
        let images = [
            try await store.add("a/layout", from: .file(layout)),
            try await store.add("a/archive", from: .file(scratch.path.appending("oci.tar"))),
            try await store.add("a/docker", from: .file(scratch.path.appending("docker.tar"))),
        ]
        #expect(images[0].digest == images[1].digest)
        for image in images {
            #expect(image.defaults.environment.contains("A=1") && image.defaults.environment.contains("B=two words"))
            #expect(image.defaults.workingDirectory == "/work")
            #expect(image.defaults.userID == 12 && image.defaults.groupID == 34)
            let file = scratch.path.string + "/images/rootfs/" + image.digest.replacing(":", with: "-") + "/file"
            #expect(FileManager.default.contents(atPath: file) == Data("layer".utf8))
        }
    }

    @Test func allWhoAskAtOnceGetOneImage() async throws {
        let scratch = try Scratch()
        let archive = try await smallArchive(scratch)
        let store = try await ImageStore.open(at: scratch.path.appending("images"))
        let digests = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<8 {
                group.addTask { try await store.add("same", from: .file(archive)).digest }
            }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(digests.count == 1)
        #expect(await store.list().map(\.names) == [["same"]])
        #expect(try rootFileSystems(scratch).count == 1)
    }

    @Test func cancellationOfTheOnlyOneWhoAsks() async throws {
        let scratch = try Scratch()
        let archive = try await smallArchive(scratch)
        let store = try await ImageStore.open(at: scratch.path.appending("images"))
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await store.add("x", from: .file(archive))
        }
        let error = await #expect(throws: SandboxError.self) { _ = try await task.value }
        #expect(error?.code == .cancelled)
        #expect(await store.list().isEmpty)
        try await store.add("x", from: .file(archive))
    }
}
