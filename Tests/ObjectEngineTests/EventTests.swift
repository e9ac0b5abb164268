import Model
import ObjectEngine
import Testing

@Suite(.timeLimit(.minutes(1))) struct EventTests {
    let directory: TemporaryDirectory
    let store: ObjectStore

    init() async throws {
        directory = try TemporaryDirectory()
        store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
    }

    @Test func carriesWhatTheEventSays() async throws {
        let record = try await store.put(
            [1, 2, 3],
            as: "in/clip",
            attributes: ObjectAttributes(contentType: "video/mp4", userMetadata: ["a": "b"])
        )
        let events = try await store.events(after: 0, limit: 10)
        #expect(
            events == [
                ObjectEvent(
                    sequence: 1,
                    cause: .put,
                    bucket: videos,
                    key: objectKey("in/clip"),
                    size: ByteCount(3),
                    eTag: record.eTag,
                    contentType: "video/mp4",
                    userMetadata: ["a": "b"],
                    time: record.lastModified,
                    principal: "tester",
                    sourceAddress: "192.0.2.7"
                )
            ]
        )
        await store.close()
    }

    @Test func exactlyOneForEachObjectInOrder() async throws {
        let store = store
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<200 { group.addTask { try await store.put([1], as: "key\(number)") } }
            try await group.waitForAll()
        }
        var seen: [ObjectEvent] = []
        while case let page = try await store.events(after: seen.last?.sequence ?? 0, limit: 7), !page.isEmpty {
            seen += page
        }
        #expect(seen.map(\.sequence) == seen.map(\.sequence).sorted())
        #expect(Set(seen.map(\.key.text)) == Set((0..<200).map { "key\($0)" }) && seen.count == 200)
        await store.close()
    }

    @Test func thoseOfOtherBucketsCanBeReadAhead() async throws {
        let music = try BucketName("music")
        _ = try await store.createBucket(music, owner: "o")
        for number in 1...20 { try await store.put([1], as: "key\(number)", in: number % 5 == 0 ? music : videos) }
        func look(_ after: Int64, _ besides: [BucketName], reach: Int64, limit: Int = 10) async throws -> [Int64] {
            let (events, through) = try await store.events(after: after, besides: besides, reach: reach, limit: limit)
            return events.map(\.sequence) + [-through]
        }
        #expect(try await look(0, [videos], reach: 100) == [5, 10, 15, 20, -20])
        #expect(try await look(5, [videos], reach: 100, limit: 2) == [10, 15, -15])
        #expect(try await look(5, [videos], reach: 7) == [10, -12])
        #expect(try await look(0, [videos, music], reach: .max) == [-20])
        #expect(try await look(18, [], reach: .max) == [19, 20, -20])
        #expect(try await look(20, [videos], reach: 100) == [-20])
        #expect(try await look(99, [videos], reach: 100) == [-99])
        await store.close()
    }

    @Test func numbersAreNotUsedAgain() async throws {
        for number in 0..<3 { try await store.put([1], as: "key\(number)") }
        let last = try #require(try await store.events(after: 0, limit: 10).last).sequence
        try await store.discardEvents(through: last - 1)
        #expect(try await store.events(after: 0, limit: 10).map(\.sequence) == [last])
        try await store.discardEvents(through: last)
        await store.close()
        let again = try await ObjectStore.open(in: directory)
        try await again.put([1], as: "later")
        #expect(try await again.events(after: 0, limit: 10).map(\.sequence) == [last + 1])
        await again.close()
    }

    @Test func theSignalWakesARouterThatMissesNothing() async throws {
        let store = store
        let wanted = 50
        let seen = try await withThrowingTaskGroup(of: [String].self) { group in
            group.addTask {
                var seen: [String] = []
                var last: Int64 = 0
                for await _ in store.eventSignal {
                    while case let page = try await store.events(after: last, limit: 3), let end = page.last {
                        seen += page.map(\.key.text)
                        last = end.sequence
                    }
                    if seen.count == wanted { break }
                }
                return seen
            }
            for number in 0..<wanted { try await store.put([1], as: "key\(number)") }
            return try await group.next() ?? []
        }
        #expect(seen == (0..<wanted).map { "key\($0)" })
        await store.close()
    }

    @Test func theSignalComesOnceAtTheStartAndEndsWithTheStore() async throws {
        var iterator = store.eventSignal.makeAsyncIterator()
        #expect(await iterator.next() != nil)
        await store.close()
        #expect(await iterator.next() == nil)
    }

    @Test func deletionsMakeNone() async throws {
        try await store.put([1], as: "key")
        _ = try await store.delete([objectKey("key")], in: videos)
        #expect(try await store.events(after: 0, limit: 10).count == 1)
        await store.close()
    }
}
