import DurableSQLite
import GRDB
import Model
import S3Wire
import TestKit
import Testing

@testable import ObjectEngine

/// What owners may store, and that the store knows what they do.
@Suite struct StorageQuotaTests {
    let directory: TemporaryDirectory
    let store: ObjectStore

    init() async throws {
        directory = try TemporaryDirectory()
        store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "ada")
    }

    private func limit(_ quota: StorageQuota) { store.limit { $0 == "ada" ? quota : nil } }

    private func expectExceeded(
        _ code: ObjectStoreError.Code = .quotaExceeded,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ body: () async throws -> Void
    ) async {
        let error = await #expect(throws: ObjectStoreError.self, sourceLocation: sourceLocation) { try await body() }
        #expect(error?.code == code, sourceLocation: sourceLocation)
    }

    private func used() async throws -> Int64 { try await store.usage(of: "ada").bytes.bytes }

    @Test func aBucketTakesNoMoreThanItsOwnersQuota() async throws {
        limit(StorageQuota(bytesPerBucket: ByteCount(100)))
        try await store.put(pattern(60), as: "a")
        try await store.put(pattern(40), as: "b")
        await expectExceeded { try await store.put([1], as: "c") }
        #expect(try await store.object(objectKey("c"), in: videos) == nil)
        #expect(try await store.bucket(videos)?.size == ByteCount(100))
        // What makes nothing larger is let through; so is what frees.
        try await store.put(pattern(60, 2), as: "a")
        try await store.put([], as: "empty")
        await expectExceeded { try await store.put(pattern(61), as: "a") }
        #expect(try await store.bytes(of: "a") == pattern(60, 2))
        _ = try await store.delete([objectKey("b")], in: videos)
        try await store.put(pattern(40), as: "c")
        // Another owner has no limit.
        let other = bucketName("other")
        _ = try await store.createBucket(other, owner: "bob")
        try await store.put(pattern(1000), as: "x", in: other)
        // Nothing that was refused is left.
        await store.reclaimSpace()
        #expect(try directory.stagedFiles() == [])
        #expect(try directory.contentCount() == 4)
    }

    @Test func largeContentThatIsRefusedLeavesNothing() async throws {
        limit(StorageQuota(bytesPerBucket: ByteCount(100_000)))
        await expectExceeded { try await store.put(pattern(100_001), as: "a") }
        try await eventually("what was refused is gone") {
            await store.reclaimSpace()
            return try directory.contentCount() == 0 && directory.stagedFiles() == []
        }
        #expect(try await store.events(after: 0, limit: 10).isEmpty)
    }

    @Test func allBucketsTogetherCount() async throws {
        limit(StorageQuota(totalBytes: ByteCount(100)))
        let photos = bucketName("photos")
        _ = try await store.createBucket(photos, owner: "ada")
        try await store.put(pattern(60), as: "a")
        try await store.put(pattern(40), as: "b", in: photos)
        await expectExceeded { try await store.put([1], as: "c", in: photos) }
        try await store.deleteBucket(photos, includingContent: true)
        #expect(try await used() == 60)
        try await store.put(pattern(40), as: "c")
    }

    @Test func anOwnerHasNoMoreBucketsThanMayBe() async throws {
        limit(StorageQuota(buckets: 2))
        #expect(try await store.createBucket(bucketName("second"), owner: "ada"))
        await expectExceeded(.tooManyBuckets) { _ = try await store.createBucket(bucketName("third"), owner: "ada") }
        #expect(try await store.bucket(bucketName("third")) == nil)
        // One that is there already is not made.
        #expect(try await !store.createBucket(videos, owner: "ada"))
        try await store.deleteBucket(bucketName("second"))
        #expect(try await store.createBucket(bucketName("third"), owner: "ada"))
        #expect(try await store.usage(of: "ada").buckets == 2)
    }

    @Test func versionsAndCopiesCount() async throws {
        limit(StorageQuota(bytesPerBucket: ByteCount(100)))
        try await store.setVersioning(enabled: true, of: videos)
        try await store.put(pattern(60), as: "a")
        await expectExceeded { try await store.put(pattern(60), as: "a") }
        let record = try #require(try await store.object(objectKey("a"), in: videos))
        await expectExceeded {
            _ = try await store.copy(record, to: objectKey("b"), in: videos, origin: origin)
        }
        // A marker takes nothing, and gives nothing back.
        _ = try await store.delete([objectKey("a")], in: videos)
        #expect(try await used() == 60)
        let deletion = Deletion(objectKey("a"), version: record.version)
        _ = try await store.delete([deletion], in: videos)
        #expect(try await used() == 0)
    }

    @Test func partsOfUploadsCountUntilTheyGo() async throws {
        let least = Int(ObjectStore.minimumPartSize.bytes)
        limit(StorageQuota(bytesPerBucket: ByteCount(Int64(2 * least))))
        func begin(_ key: String) async throws -> MultipartUpload {
            try await store.createUpload(
                of: objectKey(key), in: videos, attributes: ObjectAttributes(), origin: origin)
        }
        let upload = try await begin("big")
        let one = try await store.putPart(pattern(least), number: 1, of: upload)
        // The same part again takes no more.
        _ = try await store.putPart(pattern(least), number: 1, of: upload)
        let two = try await store.putPart(pattern(least, 2), number: 2, of: upload)
        await expectExceeded { _ = try await store.putPart([1], number: 3, of: upload) }
        #expect(try await used() == Int64(2 * least))
        #expect(try await store.bucket(videos)?.size == .zero)
        _ = try await store.complete(upload, [one, two])
        #expect(try await used() == Int64(2 * least))
        let second = try await begin("other")
        await expectExceeded { _ = try await store.putPart([1], number: 1, of: second) }
        _ = try await store.delete([objectKey("big")], in: videos)
        _ = try await store.putPart(pattern(least), number: 1, of: second)
        try await store.abortUpload(second.id, of: second.key, in: videos)
        #expect(try await used() == 0)
    }

    @Test func contentIsRefusedBeforeItComes() async throws {
        limit(StorageQuota(bytesPerBucket: ByteCount(100)))
        try await store.put(pattern(60), as: "a")
        try await store.checkRoom(for: ByteCount(100), as: objectKey("a"), in: videos)
        await expectExceeded { try await store.checkRoom(for: ByteCount(101), as: objectKey("a"), in: videos) }
        await expectExceeded { try await store.checkRoom(for: ByteCount(41), as: objectKey("b"), in: videos) }
    }

    @Test func manyAtOnceGetExactlyWhatThereIs() async throws {
        limit(StorageQuota(buckets: 5, totalBytes: ByteCount(1000)))
        let store = store
        let stored = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<60 {
                group.addTask {
                    // Refused, most of them.
                    (try? await store.put(pattern(50), as: "k\(index)")) != nil
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(stored == 20)
        let made = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<30 {
                group.addTask {
                    (try? await store.createBucket(bucketName("bucket-\(index)"), owner: "ada")) == true
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(made == 4)
        #expect(try await store.usage(of: "ada") == StorageUsage(buckets: 5, bytes: ByteCount(1000)))
    }

    @Test func aStoreOfAnEarlierVersionIsCounted() async throws {
        let directory = try TemporaryDirectory()
        let steps = try #require(Schema.steps.firstIndex { $0.name == "what owners use" })
        let old = try await DurableDatabase.open(
            at: directory.path + "/index.sqlite", steps: Array(Schema.steps.prefix(steps)), durability: .never)
        try await old.write { database in
            try database.execute(
                sql: """
                    INSERT INTO buckets (name, owner, created, tags, objects, bytes) VALUES
                        ('one', 'ada', 1, '{}', 1, 30), ('two', 'ada', 1, '{}', 1, 12), ('three', 'bob', 1, '{}', 0, 0);
                    INSERT INTO uploads (bucket, key, id, initiated, principal, content_type, attributes, checksum_type)
                        VALUES (1, 'k', 'u', 1, 'p', 'a/b', '{}', 'COMPOSITE');
                    INSERT INTO parts (upload, number, content, size, etag, checksums, modified)
                        VALUES ('u', 1, 'c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0', 8, 'e', '', 1);
                    """)
        }
        await old.close()
        let store = try await ObjectStore.open(in: directory)
        #expect(try await store.usage(of: "ada") == StorageUsage(buckets: 2, bytes: ByteCount(50)))
        #expect(try await store.usage(of: "bob") == StorageUsage(buckets: 1, bytes: .zero))
        await store.close()
    }

    /// The kept numbers against what is there, over random work and a change of hands.
    @Test(arguments: 0..<20 as Range<UInt64>) func theNumbersAreRight(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let buckets = ["one", "two", "three"].map(bucketName)
        for (index, bucket) in buckets.enumerated() {
            _ = try await store.createBucket(bucket, owner: index == 0 ? "bob" : "ada")
            if index == 1 { try await store.setVersioning(enabled: true, of: bucket) }
        }
        for _ in 0..<60 {
            guard let bucket = buckets.randomElement(using: &random) else { continue }
            let key = "k\(Int.random(in: 0..<4, using: &random))"
            switch Int.random(in: 0..<6, using: &random) {
            case 0..<3: try await store.put(pattern(Int.random(in: 0..<50, using: &random)), as: key, in: bucket)
            case 3: _ = try await store.delete([objectKey(key)], in: bucket)
            case 4:
                let upload = try await store.createUpload(
                    of: objectKey(key), in: bucket, attributes: ObjectAttributes(), origin: origin)
                let part = try await store.putPart(
                    pattern(Int.random(in: 1..<50, using: &random)), number: 1, of: upload)
                if Bool.random(using: &random) { _ = try await store.complete(upload, [part]) }
            default:
                let owner = Bool.random(using: &random) ? "ada" : "bob"
                try await store.write {
                    try $0.execute("UPDATE buckets SET owner = ? WHERE name = ?", [owner, bucket.text])
                }
            }
        }
        let counted = try await store.read { index in
            try index.rows(
                """
                SELECT owner, count(*), sum(
                    (SELECT ifnull(sum(size), 0) FROM objects WHERE bucket = buckets.id)
                    + (SELECT ifnull(sum(size), 0) FROM versions WHERE bucket = buckets.id)
                    + (SELECT ifnull(sum(size), 0) FROM parts JOIN uploads ON uploads.id = parts.upload
                        WHERE uploads.bucket = buckets.id))
                FROM buckets GROUP BY owner
                """, []
            ).map { row in
                (owner: row[0] as String, usage: StorageUsage(buckets: row[1], bytes: ByteCount(row[2])))
            }
        }
        for (owner, usage) in counted {
            #expect(try await store.usage(of: owner) == usage, "seed \(seed): \(owner)")
        }
    }
}
