import DurableSQLite
import GRDB
import Model
import NIOCore
import S3Wire
import SystemPackage
import Testing

@testable import ObjectEngine

/// Content that is kept in the index, and its border to content in files.
@Suite struct SmallContentTests {
    let directory: TemporaryDirectory
    let store: ObjectStore

    init() async throws {
        directory = try TemporaryDirectory()
        store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
    }

    func count(_ table: String) async throws -> Int {
        try await store.read { try $0.row("SELECT count(*) FROM \(table)", [])?[0] ?? -1 }
    }

    @Test(arguments: [
        (0, true), (1, true), (16_384, true), (16_385, false), (262_144, false),
    ])
    func contentOfSmallSizeMakesNoFile(size: Int, isSmall: Bool) async throws {
        let record = try await store.put(pattern(size), as: "key")
        let found = try #require(try await store.find(objectKey("key"), in: videos))
        #expect(found.record == record && found.isInMemory == isSmall)
        #expect(try await store.open(found).allBytes() == pattern(size))
        #expect(try directory.contentFiles().isEmpty == isSmall)
        #expect(try await count("small_contents") == (isSmall ? 1 : 0))
        #expect(try await count("checks") == (isSmall ? 0 : 1))
        #expect(try await store.find(objectKey("other"), in: videos) == nil)
        await store.close()
    }

    @Test func manyBuffersAreOneContent() async throws {
        let staged = try await store.staged(pattern(16_000), chunk: 700)
        _ = try await store.put(
            staged, as: objectKey("key"), in: videos, attributes: ObjectAttributes(), origin: origin)
        #expect(try await store.bytes(of: "key") == pattern(16_000))
        await store.close()
    }

    @Test(arguments: [0..<0, 0..<16_384, 3..<4, 16_383..<16_384, 16_384..<16_384] as [Range<Int64>])
    func givesRanges(range: Range<Int64>) async throws {
        let bytes = pattern(16_384)
        try await store.put(bytes, as: "key")
        let found = try #require(try await store.find(objectKey("key"), in: videos))
        let reader = try await store.open(found, range: range)
        #expect(reader.range == range)
        #expect(try await reader.allBytes() == Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)]))
        await store.close()
    }

    @Test func whatWasFoundStaysReadableWhenItIsDeleted() async throws {
        let record = try await store.put([1, 2, 3], as: "key")
        let found = try #require(try await store.find(objectKey("key"), in: videos))
        _ = try await store.delete([objectKey("key")], in: videos)
        #expect(try await store.open(found).allBytes() == [1, 2, 3])
        let error = await #expect(throws: ObjectStoreError.self) { try await store.open(record) }
        #expect(error?.code == .contentReplaced)
        await store.close()
    }

    @Test func goesAwayInTheTransactionThatReplacesOrDeletes() async throws {
        try await store.put([1], as: "key")
        try await store.put([2], as: "key")
        #expect(try await count("small_contents") == 1)
        try await store.put(pattern(20_000), as: "key")
        #expect(try await count("small_contents") == 0)
        #expect(try await count("checks") == 1)
        try await store.put([3], as: "key")
        await store.reclaimSpace()
        #expect(try await count("small_contents") == 1)
        #expect(try await count("checks") == 0)
        _ = try await store.delete([objectKey("key")], in: videos)
        #expect(try await count("small_contents") == 0)
        #expect(try await count("garbage") == 0)
        #expect(try directory.contentFiles().isEmpty)
        await store.close()
    }

    @Test(arguments: [100, 20_000])
    func copiesAndTheirSourceAreApart(size: Int) async throws {
        let source = try await store.put(pattern(size), as: "from")
        let copy = try await store.copy(source, to: objectKey("to"), in: videos, origin: origin)
        #expect(copy.eTag == source.eTag && copy.content != source.content)
        let onto = try await store.copy(copy, to: objectKey("to"), in: videos, origin: origin)
        _ = try await store.delete([objectKey("from")], in: videos)
        await store.reclaimSpace()
        #expect(try await store.bytes(of: onto) == pattern(size))
        #expect(try await count(size > ContentSizes.small ? "checks" : "small_contents") == 1)
        let error = await #expect(throws: ObjectStoreError.self) {
            try await store.copy(source, to: objectKey("late"), in: videos, origin: origin)
        }
        #expect(error?.code == .contentReplaced)
        await store.close()
    }

    @Test func becomesAPartOfAnUpload() async throws {
        let source = try await store.put(pattern(1000), as: "from")
        let upload = try await store.createUpload(
            of: objectKey("big"), in: videos, attributes: ObjectAttributes(), origin: origin)
        let part = try await store.copyPart(
            from: source, range: 10..<500, number: 1, of: upload.id, key: upload.key, in: videos)
        let record = try await store.complete(upload, [part])
        #expect(try await store.bytes(of: record) == Array(pattern(1000)[10..<500]))
        await store.close()
    }

    @Test func comesOutAsAFileAndInFromOne() async throws {
        let outside = try TemporaryDirectory()
        let path = FilePath(outside.path + "/file")
        let record = try await store.put(pattern(777), as: "key")
        try await store.export(record, to: path)
        #expect(try contents(of: path.string) == pattern(777))
        let again = await #expect(throws: ObjectStoreError.self) { try await store.export(record, to: path) }
        #expect(again?.code == .io)
        let second = try await store.putFile(at: path, as: objectKey("two"), in: videos, origin: origin)
        #expect(second.eTag == record.eTag)
        #expect(try directory.contentFiles().isEmpty)
        #expect(try await count("small_contents") == 2)
        await store.close()
    }

    @Test func smallContentInFilesOfOlderStoresIsRead() async throws {
        let record = try await store.put(pattern(5000), as: "key")
        try write(pattern(5000), to: directory.path(of: record.content))
        try await store.write { try $0.execute("DELETE FROM small_contents", []) }
        #expect(try await store.bytes(of: "key") == pattern(5000))
        let copy = try await store.copy(record, to: objectKey("copy"), in: videos, origin: origin)
        #expect(try await store.bytes(of: copy) == pattern(5000))
        _ = try await store.delete([objectKey("key"), objectKey("copy")], in: videos)
        await store.reclaimSpace()
        #expect(try directory.contentFiles().isEmpty)
        await store.close()
    }

    @Test func anIndexOfTheFirstVersionIsMigrated() async throws {
        await store.close()
        let old = try TemporaryDirectory()
        let database = try await DurableDatabase.open(
            at: old.path + "/index.sqlite", steps: Array(Schema.steps.prefix(1)), durability: .never)
        let content = ContentID.new(at: Instant(nanoseconds: 0))
        try await database.write { database in
            try database.execute(
                sql: """
                    INSERT INTO buckets VALUES (1, 'videos', 'o', 0, '{}', 1, 20000);
                    INSERT INTO objects VALUES (1, 'key', 20000, 'tag', 0, '\(content.text)', NULL, 'a/b', '');
                    """
            )
        }
        await database.close()
        let again = try await ObjectStore.open(in: old)
        try write(pattern(20_000), to: old.path(of: content))
        #expect(try await again.bytes(of: "key") == pattern(20_000))
        try await again.put([5], as: "small")
        #expect(try await again.bytes(of: "small") == [5])
        await again.close()
    }
}
