import Model
import ObjectEngine
import Testing

@Suite struct SettingTests {
    let directory: TemporaryDirectory
    let store: ObjectStore

    init() async throws {
        directory = try TemporaryDirectory()
        store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "one")
    }

    @Test func areKeptReplacedAndRemoved() async throws {
        #expect(try await store.facts(of: videos)?.settings == [:])
        try await store.set([.policy: "p", .cors: "c"], of: videos)
        let before = try #require(try await store.facts(of: videos))
        #expect(before.owner == "one" && before.settings == [.policy: "p", .cors: "c"])
        try await store.set([.policy: "q", .cors: nil, .lifecycle: nil], of: videos)
        let after = try #require(try await store.facts(of: videos))
        #expect(after.settings == [.policy: "q"])
        #expect(after.revision != before.revision)
        #expect(try await store.facts(of: videos)?.revision == after.revision)
        await store.close()
        let reopened = try await ObjectStore.open(in: directory)
        #expect(try await reopened.facts(of: videos)?.settings == [.policy: "q"])
        await reopened.close()
    }

    @Test func areOfTheirBucketAlone() async throws {
        _ = try await store.createBucket(bucketName("other"), owner: "two")
        try await store.set([.lifecycle: "l"], of: bucketName("other"))
        #expect(try await store.facts(of: videos)?.settings == [:])
        #expect(try await store.documents(.lifecycle).map(\.bucket.text) == ["other"])
        #expect(try await store.documents(.lifecycle).map(\.document) == ["l"])
        #expect(try await store.documents(.policy).isEmpty)
        await store.close()
    }

    @Test func goWithTheirBucket() async throws {
        try await store.set([.policy: "p"], of: videos)
        _ = try await store.facts(of: videos)
        try await store.deleteBucket(videos)
        #expect(try await store.facts(of: videos) == nil)
        let error = await #expect(throws: ObjectStoreError.self) { try await store.set([.policy: "p"], of: videos) }
        #expect(error?.code == .noSuchBucket)
        _ = try await store.createBucket(videos, owner: "two")
        let facts = try #require(try await store.facts(of: videos))
        #expect(facts.owner == "two" && facts.settings == [:])
        await store.close()
    }

    @Test func readersSeeEveryAcknowledgedChange() async throws {
        // A read that began before a change must not put the old state back into memory.
        try await withThrowingTaskGroup { group in
            for _ in 0..<4 {
                group.addTask { for _ in 0..<200 { _ = try await store.facts(of: videos) } }
            }
            for number in 0..<100 {
                try await store.set([.policy: "\(number)"], of: videos)
                #expect(try await store.facts(of: videos)?.settings[.policy] == "\(number)")
            }
            try await group.waitForAll()
        }
        await store.close()
    }
}
