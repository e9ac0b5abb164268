import Model
import ObjectEngine
import Testing

/// What other clusters deliver, however often they have to send it.
@Suite struct ReceiptTests {
    let directory: TemporaryDirectory
    let store: ObjectStore
    private let token: DeliveryToken

    init() async throws {
        directory = try TemporaryDirectory()
        store = try await ObjectStore.open(in: directory)
        token = try #require(DeliveryToken("0123456789abcdef"))
        _ = try await store.createBucket(videos, owner: "o")
    }

    private func deliver(_ bytes: [UInt8], as key: String = "k", in store: ObjectStore) async throws -> ObjectRecord {
        let staged = try await store.staged(bytes)
        return try await store.put(
            staged, as: objectKey(key), in: videos, attributes: ObjectAttributes(), delivery: token, origin: origin)
    }

    @Test(arguments: [10, 100_000])
    func theSecondTimeNothingIsWritten(size: Int) async throws {
        let first = try await deliver(pattern(size), in: store)
        #expect(try await deliver(pattern(size), in: store) == first)
        // Also when another object is there meanwhile, or none, and after a restart.
        try await store.put([3], as: "k")
        #expect(try await deliver(pattern(size), in: store) == first)
        #expect(try await store.bytes(of: "k") == [3])
        _ = try await store.delete([objectKey("k")], in: videos)
        #expect(try await deliver(pattern(size), in: store) == first)
        await store.close()
        let again = try await ObjectStore.open(in: directory)
        #expect(try await deliver(pattern(size), in: again) == first)
        #expect(try await again.bytes(of: "k") == nil)
        #expect(try await again.events(after: 0, limit: 10).count == 2)
        // Another key is another matter.
        _ = try await deliver(pattern(size), as: "other", in: again)
        #expect(try await again.bytes(of: "other") == pattern(size))
        await again.reclaimSpace()
        #expect(try directory.contentCount() == 1)
        await again.close()
    }

    @Test func inPartsToo() async throws {
        func begin() async throws -> MultipartUpload {
            try await store.createUpload(of: objectKey("k"), in: videos, attributes: ObjectAttributes(), origin: origin)
        }
        func complete(_ upload: MultipartUpload, _ part: UploadPart) async throws -> ObjectRecord {
            try await store.completeUpload(
                upload.id, of: upload.key, in: videos, parts: [CompletedPart(number: 1, eTag: part.eTag)],
                delivery: token, origin: origin)
        }
        let upload = try await begin()
        let part = try await store.putPart([1, 2], number: 1, of: upload)
        let record = try await complete(upload, part)
        let second = try await begin()
        let secondPart = try await store.putPart([1, 2], number: 1, of: second)
        #expect(try await complete(second, secondPart) == record)
        // Its parts are gone, and asking for one that never was is answered the same.
        #expect(try await store.uploads(in: videos).uploads.isEmpty)
        #expect(try await complete(second, secondPart) == record)
        #expect(try await deliver([1, 2], in: store) == record)
        #expect(try await store.events(after: 0, limit: 10).count == 1)
        await store.close()
    }

    @Test func anotherKeysUploadStays() async throws {
        _ = try await deliver([1], in: store)
        let other = try await store.createUpload(
            of: objectKey("other"), in: videos, attributes: ObjectAttributes(), origin: origin)
        _ = try await store.completeUpload(
            other.id, of: objectKey("k"), in: videos, parts: [CompletedPart(number: 1, eTag: "x")], delivery: token,
            origin: origin)
        #expect(try await store.uploads(in: videos).uploads.count == 1)
        await store.close()
    }

    @Test(arguments: ["", "short", String(repeating: "a", count: 65), "0123456789abcde!", "0123456789abcdéf"])
    func noTokens(text: String) { #expect(DeliveryToken(text) == nil) }
}
