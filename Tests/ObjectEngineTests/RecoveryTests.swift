import DurableSQLite
import GRDB
import Glibc
import Model
import NIOCore
import ObjectEngine
import TestKit
import Testing

@Suite struct RecoveryTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func keepsEverythingOverAReopening() async throws {
        let first = try await ObjectStore.open(in: directory, durability: .always)
        _ = try await first.createBucket(videos, owner: "o", tags: ["t": "1"])
        let record = try await first.put(
            pattern(300_000),
            as: "clip",
            attributes: ObjectAttributes(userMetadata: ["a": "b"])
        )
        // Dropped, not closed: as after a crash.
        let second = try await ObjectStore.open(in: directory, durability: .always)
        #expect(try await second.object(objectKey("clip"), in: videos) == record)
        #expect(try await second.bytes(of: "clip") == pattern(300_000))
        #expect(try await second.bucket(videos)?.tags == ["t": "1"])
        #expect(try await second.events(after: 0, limit: 10).count == 1)
        await second.close()
        await first.close()
    }

    @Test func removesWhatUnfinishedWritesLeft() async throws {
        let store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
        let record = try await store.put(pattern(20_000), as: "kept")
        await store.close()
        // Between the two names and the commit; before the second name; after the commit; not one of ours.
        let lost = "0123456789abcdef0123456789abcdef"
        let begun = "0123456789abcdef0123456789abcd00"
        try write([9], to: "\(directory.path)/content/ef/\(lost)")
        try write([9], to: "\(directory.path)/staging/\(lost)")
        try write([9], to: "\(directory.path)/staging/\(begun)")
        let id = record.content.text
        try #require(
            link("\(directory.path)/content/\(id.suffix(2))/\(id)", "\(directory.path)/staging/\(id)") == 0
        )
        try write([9], to: "\(directory.path)/staging/stranger")
        // A content file that nothing points to and that is not staged is left alone.
        let unknown = "fedcba9876543210fedcba9876543210"
        try write([9], to: "\(directory.path)/content/10/\(unknown)")
        let again = try await ObjectStore.open(in: directory)
        #expect(try directory.stagedFiles().isEmpty)
        #expect(try directory.contentFiles() == [id, unknown].sorted())
        #expect(try await again.bytes(of: "kept") == pattern(20_000))
        await again.close()
    }

    @Test func keepsStagedPartsAndPieces() async throws {
        let store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
        let uploads = [
            try await store.createUpload(
                of: objectKey("a"),
                in: videos,
                attributes: ObjectAttributes(),
                origin: origin
            ),
            try await store.createUpload(
                of: objectKey("b"),
                in: videos,
                attributes: ObjectAttributes(),
                origin: origin
            ),
        ]
        _ = try await store.putPart([1], number: 1, of: uploads[0])
        let part = try await store.putPart([2], number: 1, of: uploads[1])
        let record = try await store.complete(uploads[1], [part])
        await store.close()
        let files = try directory.contentFiles()
        for id in files {
            try #require(
                link("\(directory.path)/content/\(id.suffix(2))/\(id)", "\(directory.path)/staging/\(id)")
                    == 0
            )
        }
        let again = try await ObjectStore.open(in: directory)
        #expect(try directory.contentFiles() == files && directory.stagedFiles().isEmpty)
        #expect(try await again.bytes(of: record) == [2])
        await again.close()
    }

    @Test func collectsGarbageThatACrashLeft() async throws {
        let store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
        await store.close()
        let id = "0123456789abcdef0123456789abcdef"
        try write([9], to: "\(directory.path)/content/ef/\(id)")
        let database = try DatabaseQueue(path: directory.path + "/index.sqlite")
        try await database.write { try $0.execute(sql: "INSERT INTO garbage VALUES (?)", arguments: [id]) }
        try database.close()
        try await ObjectStore.reclaimSpace(in: directory)
        #expect(try directory.contentFiles().isEmpty)
    }

    @Test func refusesANewerStoreAndLeavesItAlone() async throws {
        let store = try await ObjectStore.open(in: directory)
        await store.close()
        let database = try DatabaseQueue(path: directory.path + "/index.sqlite")
        try await database.write { try $0.execute(sql: "PRAGMA user_version = 99") }
        try database.close()
        let before = try contents(of: directory.path + "/index.sqlite")
        let error = await #expect(throws: ObjectStoreError.self) { try await ObjectStore.open(in: directory) }
        #expect(error?.code == .newerVersion)
        #expect(try contents(of: directory.path + "/index.sqlite") == before)
    }

    @Test func refusesADamagedIndex() async throws {
        try write(Array(repeating: 7, count: 5000), to: directory.path + "/index.sqlite")
        let error = await #expect(throws: ObjectStoreError.self) { try await ObjectStore.open(in: directory) }
        #expect(error?.code == .damaged)
    }

    @Test func droppedContentLeavesNothing() async throws {
        let store = try await ObjectStore.open(in: directory)
        do {
            let staged = store.stage()
            try await staged.write(ByteBuffer(repeating: 1, count: 600_000))
            // Bytes are written beside the caller.
            try await eventually("the file is there") { try directory.stagedFiles().count == 1 }
        }
        let discarded = store.stage()
        try await discarded.write(ByteBuffer(repeating: 1, count: 600_000))
        discarded.discard()
        await store.close()
        #expect(try directory.stagedFiles().isEmpty)
    }

    @Test func aClosedStoreSaysSo() async throws {
        let store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
        await store.close()
        let read = await #expect(throws: ObjectStoreError.self) { try await store.bucket(videos) }
        #expect(read?.code == .closed)
        let put = await #expect(throws: ObjectStoreError.self) { try await store.put([1], as: "key") }
        #expect(put?.code == .closed)
    }
}
