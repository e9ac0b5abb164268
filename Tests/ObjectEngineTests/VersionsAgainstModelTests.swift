import Model
import ObjectEngine
import S3Wire
import TestKit
import Testing

/// Random operations on a bucket that keeps versions now and then, against a model in memory.
@Suite struct VersionsAgainstModelTests {
    private static let keys = (0..<5).map { "k\($0 % 2)/\($0)" } + ["é", "e\u{301}", "//"]

    @Test(arguments: [21, 22, 23, 24, 25, 26] as [UInt64])
    func agreesWithTheModel(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let directory = try TemporaryDirectory()
        var store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
        var model = VersionModel()
        for step in 0..<300 {
            let text = Self.keys.randomElement(using: &random) ?? ""
            let comment: Comment = "seed \(seed), step \(step), key \(text)"
            switch Int.random(in: 0..<12, using: &random) {
            case 0 where step > 20:
                let enabled = Bool.random(using: &random)
                try await store.setVersioning(enabled: enabled, of: videos)
                model.versioning = enabled ? .enabled : .suspended
            case 1 where step % 4 == 0:
                await store.close()
                store = try await ObjectStore.open(in: directory)
            case 2...7: try await write(text, &model, store, &random, comment)
            case 8...10: try await delete(text, &model, store, &random, comment)
            default: try await read(text, model, store, comment)
            }
        }
        try await compare(model, store, &random, "seed \(seed)")
        await store.close()
        try await ObjectStore.reclaimSpace(in: directory)
        #expect(try directory.contentCount() == model.contentCount, "seed \(seed)")
        store = try await ObjectStore.open(in: directory)
        try await store.deleteBucket(videos, includingContent: true)
        await store.reclaimSpace()
        #expect(try directory.contentCount() == 0, "seed \(seed)")
        #expect(try await store.statistics().bytes == 0)
        await store.close()
    }

    private func write(
        _ text: String,
        _ model: inout VersionModel,
        _ store: ObjectStore,
        _ random: inout SeededGenerator,
        _ comment: Comment
    ) async throws {
        let key = Array(text.utf8)
        let bytes = random.bytes([0, 1, 100, 300_000].randomElement(using: &random) ?? 0)
        switch Int.random(in: 0..<4, using: &random) {
        case 0:
            let upload = try await store.createUpload(
                of: objectKey(text), in: videos, attributes: ObjectAttributes(), origin: origin)
            let part = try await store.putPart(bytes, number: 3, of: upload)
            let record = try await store.complete(upload, [part])
            model.put(bytes, as: key, id: record.version)
        case 1:
            guard let source = Self.keys.randomElement(using: &random),
                let version = model.versions[Array(source.utf8)]?.randomElement(using: &random),
                case .object(let record) = try await store.find(objectKey(source), version: version.id, in: videos)
            else { return }
            let copy = try await store.copy(record, to: objectKey(text), in: videos, origin: origin)
            model.put(version.bytes, as: key, id: copy.version)
        default:
            let condition = Bool.random(using: &random) ? WriteCondition.none : .ifAbsent
            do {
                let record = try await store.put(bytes, as: text, condition: condition)
                #expect(condition == .none || model.latest(of: key) == nil, comment)
                model.put(bytes, as: key, id: record.version)
            } catch let error as ObjectStoreError {
                #expect(error.code == .preconditionFailed && model.latest(of: key) != nil, comment)
            }
        }
    }

    private func delete(
        _ text: String,
        _ model: inout VersionModel,
        _ store: ObjectStore,
        _ random: inout SeededGenerator,
        _ comment: Comment
    ) async throws {
        let key = Array(text.utf8)
        let wasThere = model.latest(of: key) != nil
        let known = model.versions[key]?.randomElement(using: &random)?.id
        guard Int.random(in: 0..<3, using: &random) > 0,
            let version = known ?? VersionID(String(repeating: "7", count: 32))
        else {
            let outcome = try await store.delete([Deletion(objectKey(text))], in: videos)[0].get()
            #expect(outcome.wasThere == wasThere, comment)
            #expect(outcome.isMarker == (model.versioning != .off), comment)
            model.delete(key, marker: outcome.version)
            return
        }
        let outcome = try await store.delete([Deletion(objectKey(text), version: version)], in: videos)[0].get()
        let deleted = model.delete(key, version: version)
        #expect(outcome.wasThere == (deleted != nil), comment)
        #expect(outcome.isMarker == (deleted.map { $0.bytes == nil } ?? false), comment)
    }

    private func read(_ text: String, _ model: VersionModel, _ store: ObjectStore, _ comment: Comment) async throws {
        let key = Array(text.utf8)
        #expect(try await store.bytes(of: text) == model.latest(of: key), comment)
        for version in model.versions[key] ?? [] {
            switch try await store.find(objectKey(text), version: version.id, in: videos) {
            case .object(let record): #expect(try await store.bytes(of: record) == version.bytes, comment)
            case .marker(let marker): #expect(version.bytes == nil && marker.version == version.id, comment)
            case .nothing: Issue.record(comment)
            }
        }
    }

    private func compare(
        _ model: VersionModel,
        _ store: ObjectStore,
        _ random: inout SeededGenerator,
        _ comment: Comment
    ) async throws {
        let expected = model.sortedKeys.flatMap { key in (model.versions[key] ?? []).map { (key, $0.id) } }
        for limit in [1, 2, 7, 1000] {
            var listed: [ObjectVersion] = []
            var page: VersionListing?
            repeat {
                let next = try await store.listVersions(
                    in: videos, afterKey: page?.nextKey, afterVersion: page?.nextVersion, limit: limit)
                #expect(next.versions.count <= limit && (next.isTruncated || next.nextKey == nil), comment)
                listed += next.versions
                page = next
            } while page?.isTruncated == true
            #expect(listed.map(\.id) == expected.map(\.1), comment)
            #expect(listed.map { Array($0.key.text.utf8) } == expected.map(\.0), comment)
            let latest = listed.filter(\.isLatest).map { Array($0.key.text.utf8) }
            #expect(latest == model.sortedKeys, comment)
        }
        let bucket = try #require(try await store.bucket(videos))
        #expect(bucket.objectCount == model.objectCount && bucket.size.bytes == Int64(model.size), comment)
        #expect(bucket.versionCount == expected.count - model.objectCount, comment)
        let objects = model.sortedKeys.filter { model.latest(of: $0) != nil }
        #expect(try await store.list(bucket: videos).objects.map { Array($0.key.text.utf8) } == objects, comment)
    }
}
