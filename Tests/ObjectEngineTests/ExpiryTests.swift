import Model
import ObjectEngine
import Testing

@Suite struct ExpiryTests {
    let directory: TemporaryDirectory
    let store: ObjectStore

    init() async throws {
        directory = try TemporaryDirectory()
        store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
    }

    /// Walks to the end.
    private func walk<Item, Place>(
        _ step: (Place?) async throws -> ExpiryPage<Item, Place>
    ) async throws -> [Item] {
        var items: [Item] = []
        var place: Place?
        repeat {
            let page = try await step(place)
            items += page.items
            place = page.next
        } while place != nil
        return items
    }

    @Test func whatWasReplacedSinceItWasFoundStays() async throws {
        for name in ["a", "b"] { try await store.put([1], as: name) }
        let found = try await store.list(bucket: videos).objects
        try await store.put([3], as: "a")
        let outcomes = try await store.delete(found.map(\.deletion), in: videos)
        #expect(outcomes.map { (try? $0.get()) != nil } == [false, true])
        #expect(try await store.list(bucket: videos).objects.map(\.key.text) == ["a"])
        await store.close()
    }

    @Test(arguments: [1, 2, 3, 1000]) func findsNoncurrentVersions(limit: Int) async throws {
        try await store.setVersioning(enabled: true, of: videos)
        for number in 0..<4 { try await store.put([UInt8(number)], as: "a") }
        _ = try await store.delete([Deletion(objectKey("b"))], in: videos)
        try await store.put([1], as: "b")
        let instant = clock.now()
        try await store.put([9], as: "b")
        _ = try await store.delete([Deletion(objectKey("c"))], in: videos)
        let found = try await walk {
            try await store.noncurrentVersions(in: videos, replacedBefore: instant, after: $0, limit: limit)
        }
        #expect(found.map(\.version.key.text) == ["a", "a", "a", "b"])
        #expect(found.map(\.newerNoncurrent) == [0, 1, 2, 1])
        #expect(found.allSatisfy { $0.since < instant && !$0.version.isLatest && $0.since > $0.version.lastModified })
        let some = try await walk {
            try await store.noncurrentVersions(
                in: videos, prefix: "b", replacedBefore: clock.now(), after: $0, limit: limit)
        }
        #expect(some.map(\.newerNoncurrent) == [0, 1])
        _ = try await store.delete(found.filter { $0.newerNoncurrent > 0 }.map(\.deletion), in: videos)
        #expect(try await store.listVersions(in: videos).versions.map(\.key.text) == ["a", "a", "b", "b", "c"])
        await store.close()
    }

    @Test func whatHasBecomeTheLatestMeanwhileStays() async throws {
        try await store.setVersioning(enabled: true, of: videos)
        try await store.put([1], as: "a")
        let marker = try await store.delete([Deletion(objectKey("a"))], in: videos)[0].get()
        let found = try await store.noncurrentVersions(in: videos, replacedBefore: clock.now()).items
        #expect(found.count == 1)
        // Somebody takes the deletion back.
        _ = try await store.delete([Deletion(objectKey("a"), version: marker.version)], in: videos)
        let outcomes = try await store.delete(found.map(\.deletion), in: videos)
        #expect(outcomes.allSatisfy { (try? $0.get()) == nil })
        #expect(try await store.bytes(of: "a") == [1])
        await store.close()
    }

    @Test(arguments: [1, 2, 1000]) func findsMarkersOfNothing(limit: Int) async throws {
        try await store.setVersioning(enabled: true, of: videos)
        for name in ["a", "b", "c", "d"] { _ = try await store.delete([Deletion(objectKey(name))], in: videos) }
        let kept = try await store.put([1], as: "b")
        try await store.put([1], as: "c")
        _ = try await store.delete([Deletion(objectKey("c"))], in: videos)
        let found = try await walk { try await store.lonelyMarkers(in: videos, after: $0, limit: limit) }
        #expect(found.map(\.key.text) == ["a", "d"])
        #expect(
            try await walk { try await store.lonelyMarkers(in: videos, prefix: "d", after: $0, limit: limit) }.count
                == 1)
        _ = try await store.delete(found.map(\.deletion), in: videos)
        #expect(try await store.listVersions(in: videos).versions.map(\.key.text) == ["b", "b", "c", "c", "c"])
        #expect(try await store.object(objectKey("b"), in: videos) == kept)
        await store.close()
    }

    /// The marker `null` of a bucket whose versions are suspended is replaced by an object of the same name.
    @Test func doesNotTakeAnObjectForAMarker() async throws {
        try await store.setVersioning(enabled: false, of: videos)
        _ = try await store.delete([Deletion(objectKey("a"))], in: videos)
        let found = try await store.lonelyMarkers(in: videos).items
        #expect(found.map(\.id) == [.null])
        try await store.put([1], as: "a")
        _ = try await store.delete(found.map(\.deletion), in: videos)
        #expect(try await store.bytes(of: "a") == [1])
        await store.close()
    }
}
