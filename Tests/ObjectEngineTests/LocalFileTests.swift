import Glibc
import Model
import ObjectEngine
import S3Wire
import SystemPackage
import Testing

/// Stage in and stage out: content to and from files outside of the store.
@Suite struct LocalFileTests {
    let directory: TemporaryDirectory
    let outside: TemporaryDirectory
    let store: ObjectStore

    init() async throws {
        directory = try TemporaryDirectory()
        outside = try TemporaryDirectory()
        store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
    }

    func path(_ name: String) -> FilePath { FilePath("\(outside.path)/\(name)") }

    @Test(arguments: [0, 10, 262_144, 9_000_001])
    func goesInAndOut(size: Int) async throws {
        let bytes = pattern(size, 5)
        try write(bytes, to: path("in").string)
        let record = try await store.putFile(
            at: path("in"),
            as: objectKey("key"),
            in: videos,
            attributes: ObjectAttributes(contentType: "a/b"),
            origin: origin
        )
        #expect(
            record.eTag == Hexadecimal.text(MD5Digest.of(bytes)) && record.attributes.contentType == "a/b"
        )
        try await store.export(record, to: path("out"))
        #expect(try contents(of: path("out").string) == bytes)
        var status = stat()
        #expect(stat(path("out").string, &status) == 0 && status.st_nlink == 1)
        try write([9], to: path("out").string)
        #expect(try await store.bytes(of: record) == bytes)
        #expect(try await store.events(after: 0, limit: 10).count == 1)
        await store.close()
    }

    @Test func exportsContentOfManyFiles() async throws {
        let upload = try await store.createUpload(
            of: objectKey("big"),
            in: videos,
            attributes: ObjectAttributes(),
            origin: origin
        )
        let bytes = [pattern(MultipartTests.least + 13, 1), pattern(77, 2)]
        var parts: [UploadPart] = []
        for (index, part) in bytes.enumerated() {
            parts.append(try await store.putPart(part, number: index + 1, of: upload))
        }
        let record = try await store.complete(upload, parts)
        try await store.export(record, to: path("out"))
        #expect(try contents(of: path("out").string) == bytes.flatMap { $0 })
        await store.close()
    }

    @Test func exportsOntoNothingThatIsThere() async throws {
        let record = try await store.put([1], as: "key")
        try write([7], to: path("taken").string)
        try #require(symlink("/etc/passwd", path("link").string) == 0)
        for name in ["taken", "link", "missing/file"] {
            let error = await #expect(throws: ObjectStoreError.self) {
                try await store.export(record, to: path(name))
            }
            #expect(error?.code == .io)
        }
        #expect(try contents(of: path("taken").string) == [7])
        await store.close()
    }

    @Test func leavesNoFileBehindWhereContentIsDamaged() async throws {
        let record = try await store.put(pattern(20_000), as: "key")
        try write(
            [1],
            to: directory.path + "/content/\(record.content.text.suffix(2))/\(record.content.text)"
        )
        let error = await #expect(throws: ObjectStoreError.self) {
            try await store.export(record, to: path("out"))
        }
        #expect(error?.code == .damaged)
        #expect(try TemporaryDirectory.names(in: outside.path).isEmpty)
        await store.close()
    }

    @Test func refusesWhatIsNoRegularFile() async throws {
        try write([1], to: path("real").string)
        try #require(symlink(path("real").string, path("link").string) == 0)
        try #require(mkfifo(path("pipe").string, 0o600) == 0)
        try #require(mkdir(path("folder").string, 0o700) == 0)
        for name in ["link", "pipe", "folder", "missing"] {
            let error = await #expect(throws: ObjectStoreError.self) {
                try await store.putFile(at: path(name), as: objectKey("key"), in: videos, origin: origin)
            }
            #expect(error?.code == .notAFile, "\(name)")
        }
        await store.close()
        #expect(try directory.contentFiles().isEmpty && directory.stagedFiles().isEmpty)
    }
}
