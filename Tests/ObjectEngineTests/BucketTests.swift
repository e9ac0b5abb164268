import Model
import ObjectEngine
import Testing

@Suite struct BucketTests {
    let directory: TemporaryDirectory
    let store: ObjectStore

    init() async throws {
        directory = try TemporaryDirectory()
        store = try await ObjectStore.open(in: directory)
    }

    @Test func isMadeOnce() async throws {
        #expect(try await store.createBucket(videos, owner: "one", tags: ["a": "b"]))
        #expect(try await !store.createBucket(videos, owner: "two"))
        let bucket = try #require(try await store.bucket(videos))
        #expect(bucket.name == videos && bucket.owner == "one" && bucket.tags == ["a": "b"])
        #expect(try await store.bucket(bucketName("other")) == nil)
        await store.close()
    }

    @Test func areListedByName() async throws {
        for name in ["beta", "alpha", "gamma"] {
            _ = try await store.createBucket(bucketName(name), owner: "o")
        }
        #expect(try await store.buckets().map(\.name.text) == ["alpha", "beta", "gamma"])
        await store.close()
    }

    @Test func tagsAreReplaced() async throws {
        _ = try await store.createBucket(videos, owner: "o", tags: ["old": "1"])
        try await store.setTags(["new": "2"], of: videos)
        #expect(try await store.bucket(videos)?.tags == ["new": "2"])
        let error = await #expect(throws: ObjectStoreError.self) {
            try await store.setTags([:], of: bucketName("none"))
        }
        #expect(error?.code == .noSuchBucket)
        await store.close()
    }

    @Test func onlyAnEmptyOneIsDeleted() async throws {
        _ = try await store.createBucket(videos, owner: "o")
        try await store.put([1], as: "key")
        let full = await #expect(throws: ObjectStoreError.self) { try await store.deleteBucket(videos) }
        #expect(full?.code == .bucketNotEmpty)
        _ = try await store.delete([objectKey("key")], in: videos)
        try await store.deleteBucket(videos)
        let gone = await #expect(throws: ObjectStoreError.self) { try await store.deleteBucket(videos) }
        #expect(gone?.code == .noSuchBucket)
        await store.close()
    }

    @Test func goesWithItsContentAndUploads() async throws {
        _ = try await store.createBucket(videos, owner: "o")
        for number in 0..<20 { try await store.put([1, 2, 3], as: "key\(number)") }
        let upload = try await store.createUpload(
            of: objectKey("big"),
            in: videos,
            attributes: ObjectAttributes(),
            origin: origin
        )
        _ = try await store.putPart([1, 2, 3], number: 1, of: upload)
        try await store.deleteBucket(videos, includingContent: true)
        #expect(try await store.bucket(videos) == nil)
        _ = try await store.createBucket(videos, owner: "o")
        #expect(try await store.list(bucket: videos).objects.isEmpty)
        #expect(try await store.uploads(in: videos).uploads.isEmpty)
        await store.close()
        try await ObjectStore.reclaimSpace(in: directory)
        #expect(try directory.contentFiles().isEmpty)
    }

    @Test func countsWhatItHolds() async throws {
        _ = try await store.createBucket(videos, owner: "o")
        try await store.put(pattern(10), as: "a")
        try await store.put(pattern(20), as: "b")
        try await store.put(pattern(5), as: "a")
        let bucket = try #require(try await store.bucket(videos))
        #expect(bucket.objectCount == 2 && bucket.size == ByteCount(25))
        _ = try await store.delete([objectKey("b")], in: videos)
        let statistics = try await store.statistics()
        #expect(statistics.buckets == 1 && statistics.objects == 1 && statistics.bytes == 5)
        await store.close()
    }

    @Test func everyOperationNamesAMissingBucket() async throws {
        let nowhere = bucketName("nowhere")
        let key = objectKey("key")
        let operations: [@Sendable (ObjectStore) async throws -> Void] = [
            { _ = try await $0.put([1], as: "key", in: nowhere) },
            { _ = try await $0.object(key, in: nowhere) },
            { _ = try await $0.open(key, in: nowhere) },
            { _ = try await $0.delete([key], in: nowhere) },
            { _ = try await $0.list(bucket: nowhere) },
            { _ = try await $0.uploads(in: nowhere) },
            {
                _ = try await $0.createUpload(
                    of: key,
                    in: nowhere,
                    attributes: ObjectAttributes(),
                    origin: origin
                )
            },
            { _ = try await $0.abortUpload("x", of: key, in: nowhere) },
        ]
        for operation in operations {
            let error = await #expect(throws: ObjectStoreError.self) { try await operation(store) }
            #expect(error?.code == .noSuchBucket)
        }
        await store.close()
        #expect(try directory.contentFiles().isEmpty)
    }
}
