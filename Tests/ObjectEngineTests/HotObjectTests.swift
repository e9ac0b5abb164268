import GRDB
import Model
import NIOCore
import Synchronization
import Testing

@testable import ObjectEngine

@Suite struct HotObjectTests {
    let directory: TemporaryDirectory
    let store: ObjectStore

    init() async throws {
        directory = try TemporaryDirectory()
        store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
    }

    private func name(_ key: String) -> HotObjects.Name { HotObjects.Name(bucket: videos.text, key: key) }

    @Test func whatWasReadIsInMemoryUntilItChanges() async throws {
        for size in [0, 10, 100_000] {
            let record = try await store.put(pattern(size), as: "key")
            #expect(store.hot.find(name("key")) == nil)
            #expect(try await store.find(objectKey("key"), in: videos)?.record == record)
            #expect(store.hot.find(name("key"))?.record == record)
            #expect(try await store.bytes(of: "key") == pattern(size))
        }
        _ = try await store.delete([objectKey("key")], in: videos)
        #expect(store.hot.find(name("key")) == nil)
        #expect(try await store.find(objectKey("key"), in: videos) == nil)
        await store.close()
    }

    @Test func whatATransactionGaveUpIsReadAgain() async throws {
        try await store.put([1], as: "key")
        _ = try await store.find(objectKey("key"), in: videos)
        await #expect(throws: ObjectStoreError.self) {
            try await store.write { index in
                try index.execute("UPDATE objects SET size = 7 WHERE key = 'key'", [])
                throw ObjectStoreError(.misuse, "given up")
            }
        }
        #expect(try await store.find(objectKey("key"), in: videos)?.record.size == ByteCount(1))
        await store.close()
    }

    @Test func keysThatOnlyLookAlikeAreTwo() async throws {
        try await store.put([1], as: "caf\u{E9}")
        try await store.put([2], as: "cafe\u{301}")
        for _ in 0..<2 {
            #expect(try await store.bytes(of: "caf\u{E9}") == [1])
            #expect(try await store.bytes(of: "cafe\u{301}") == [2])
        }
        await store.close()
    }

    @Test func everyAcknowledgedWriteIsSeen() async throws {
        let last = Acknowledged()
        try await withThrowingTaskGroup { group in
            for _ in 0..<2 {
                group.addTask {
                    var isOver = false
                    while !isOver {
                        let acknowledged = last.number.withLock { $0 }
                        let bytes = try await store.bytes(of: "key") ?? []
                        let seen = bytes.reduce(0) { $0 << 8 | Int($1) }
                        #expect(seen >= acknowledged)
                        isOver = acknowledged == 100
                        // What is in memory is answered at once: without this the readers leave the writer no thread.
                        await Task.yield()
                    }
                }
            }
            for number in 1...100 {
                try await store.put([UInt8(number >> 8), UInt8(number & 255)], as: "key")
                last.number.withLock { $0 = number }
            }
            try await group.waitForAll()
        }
        await store.close()
    }

    @Test func memoryIsBounded() async throws {
        let record = try await store.put([1], as: "key")
        let hot = HotObjects(limit: 100_000)
        for number in 0..<1000 {
            let name = name("key\(number)")
            let content = StoredContent.bytes(ByteBuffer(repeating: 0, count: 5000), check: 0)
            hot.keep(FoundObject(record: record, content: content), as: name, since: hot.stamp(name))
        }
        let kept = (0..<1000).filter { hot.find(name("key\($0)")) != nil }
        #expect(kept.count * 5000 <= 100_000)
        #expect(kept.contains(999))
        let huge = StoredContent.bytes(ByteBuffer(repeating: 0, count: 50_000), check: 0)
        hot.keep(FoundObject(record: record, content: huge), as: name("huge"), since: hot.stamp(name("huge")))
        #expect(hot.find(name("huge")) == nil)
        await store.close()
    }

    @Test func whatClientsSayAboutObjectsCountsToo() async throws {
        var attributes = ObjectAttributes()
        attributes.headers["content-disposition"] = String(repeating: "x", count: 5000)
        let staged = try await store.staged([1])
        let record = try await store.put(
            staged, as: objectKey("key"), in: videos, attributes: attributes, origin: origin)
        let hot = HotObjects(limit: 100_000)
        for number in 0..<1000 {
            let name = name("key\(number)")
            hot.keep(FoundObject(record: record, content: .pieces), as: name, since: hot.stamp(name))
        }
        #expect((0..<1000).count { hot.find(name("key\($0)")) != nil } <= 20)
        await store.close()
    }

    @Test func whatChangedWhileItWasReadIsNotKept() async throws {
        let record = try await store.put([1], as: "key")
        let hot = HotObjects(limit: 100_000)
        let stamp = hot.stamp(name("key"))
        hot.touch(name("key"))
        hot.settle()
        hot.keep(FoundObject(record: record, content: .pieces), as: name("key"), since: stamp)
        #expect(hot.find(name("key")) == nil)
        await store.close()
    }
}

/// The last write that was acknowledged.
private final class Acknowledged: Sendable {
    let number = Mutex(0)
}
