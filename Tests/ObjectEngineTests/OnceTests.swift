import Model
import NIOCore
import TestKit
import Testing

@testable import ObjectEngine

@Suite("Putting once")
struct OnceTests {
    private func put(
        _ text: String,
        _ key: String,
        by owner: String,
        _ store: ObjectStore
    ) async throws -> Bool {
        let staged = store.stage()
        try await staged.write(ByteBuffer(string: text))
        _ = try await staged.finish()
        return try await store.put(
            staged, as: objectKey(key), in: videos, attributes: ObjectAttributes(), onceFor: owner, origin: origin)
    }

    private func withStore(_ body: (ObjectStore, TemporaryDirectory) async throws -> Void) async throws {
        let directory = try TemporaryDirectory()
        let store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
        try await body(store, directory)
        await store.close()
    }

    @Test(
        "the same again is neither an object nor an event; other content, keys and owners are",
        arguments: [10, 100_000])
    func once(size: Int) async throws {
        try await withStore { store, directory async throws in
            let text = String(repeating: "x", count: size)
            #expect(try await put(text, "a", by: "1.0", store))
            for _ in 0..<3 { #expect(try await !put(text, "a", by: "1.0", store)) }
            #expect(try await store.events(after: 0, limit: 9).count == 1)
            try await eventually("what was not put is gone") {
                await store.reclaimSpace()
                return try directory.contentCount() == 1 && directory.stagedFiles().isEmpty
            }
            #expect(try await put(text, "b", by: "1.0", store))
            #expect(try await put(text, "a", by: "2.0", store))
            #expect(try await put(text + "y", "a", by: "1.0", store))
            #expect(try await !put(text + "y", "a", by: "1.0", store))
            #expect(try await put(text, "a", by: "1.0", store))
            #expect(try await store.events(after: 0, limit: 9).count == 5)
        }
    }

    @Test("somebody who has deleted or replaced the object since is not overruled")
    func replaced() async throws {
        try await withStore { store, _ async throws in
            #expect(try await put("x", "a", by: "1.0", store))
            _ = try await store.delete([objectKey("a")], in: videos)
            #expect(try await !put("x", "a", by: "1.0", store))
            #expect(try await store.object(objectKey("a"), in: videos) == nil)
        }
    }

    @Test("what failed was not put")
    func failed() async throws {
        try await withStore { store, _ async throws in
            try await store.deleteBucket(videos)
            await #expect(throws: ObjectStoreError.self) { _ = try await put("x", "a", by: "1.0", store) }
            _ = try await store.createBucket(videos, owner: "o")
            #expect(try await put("x", "a", by: "1.0", store))
        }
    }

    @Test("marks survive the end of the program, are told page by page, and are forgotten by owner")
    func marks() async throws {
        let directory = try TemporaryDirectory()
        let first = try await ObjectStore.open(in: directory)
        _ = try await first.createBucket(videos, owner: "o")
        for owner in ["1.0", "2.0", "3.0"] { #expect(try await put("x", "a", by: owner, first)) }
        await first.close()
        let store = try await ObjectStore.open(in: directory)
        #expect(try await !put("x", "a", by: "2.0", store))
        #expect(try await store.putOwners(limit: 2) == ["1.0", "2.0"])
        #expect(try await store.putOwners(after: "2.0", limit: 2) == ["3.0"])
        try await store.forgetPuts(by: ["1.0", "2.0", "none"])
        #expect(try await store.putOwners(limit: 9) == ["3.0"])
        #expect(try await put("x", "a", by: "2.0", store))
        await store.close()
    }
}
