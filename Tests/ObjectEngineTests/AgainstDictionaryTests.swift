import Model
import ObjectEngine
import S3Wire
import TestKit
import Testing

/// Random operations, against a dictionary.
@Suite struct AgainstDictionaryTests {
    struct Expected {
        var bytes: [UInt8]
        var metadata: [String: String]
        var eTag: String
    }

    @Test(arguments: [11, 12, 13, 14] as [UInt64])
    func agreesWithADictionary(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let directory = try TemporaryDirectory()
        var store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
        var model: [[UInt8]: Expected] = [:]
        var creations: [[UInt8]] = []
        let keys = (0..<12).map { "k\($0 % 4)/\($0)" } + ["é", "e\u{301}", "a/../b", "//"]
        for step in 0..<400 {
            let text = keys.randomElement(using: &random) ?? ""
            let key = Array(text.utf8)
            let comment: Comment = "seed \(seed), step \(step), key \(text)"
            switch Int.random(in: 0..<10, using: &random) {
            case 0...3:
                let size = [0, 1, 100, 5000, 300_000].randomElement(using: &random) ?? 0
                let bytes = random.bytes(size)
                let metadata = Bool.random(using: &random) ? [:] : ["step": "\(step)"]
                let condition =
                    [WriteCondition.none, .ifAbsent, .ifMatches([model[key]?.eTag ?? "x"])]
                    .randomElement(using: &random) ?? .none
                let allowed = condition == .none || (condition == .ifAbsent) == (model[key] == nil)
                do {
                    let record = try await store.put(
                        bytes,
                        as: text,
                        attributes: ObjectAttributes(userMetadata: metadata),
                        condition: condition
                    )
                    #expect(allowed, comment)
                    model[key] = Expected(bytes: bytes, metadata: metadata, eTag: record.eTag)
                    creations.append(key)
                } catch let error as ObjectStoreError {
                    #expect(!allowed && [.preconditionFailed, .noSuchKey].contains(error.code), comment)
                }
            case 4:
                #expect(try await store.delete([objectKey(text)], in: videos) == [model[key] != nil], comment)
                model[key] = nil
            case 5:
                guard let source = try await store.object(objectKey(text), in: videos) else { continue }
                let target = keys.randomElement(using: &random) ?? ""
                let copy = try await store.copy(source, to: objectKey(target), in: videos, origin: origin)
                // That of a multipart source changes.
                let expected = model[key].map {
                    Expected(bytes: $0.bytes, metadata: $0.metadata, eTag: copy.eTag)
                }
                model[Array(target.utf8)] = expected
                creations.append(Array(target.utf8))
            case 6:
                let upload = try await store.createUpload(
                    of: objectKey(text),
                    in: videos,
                    attributes: ObjectAttributes(),
                    origin: origin
                )
                let bytes = random.bytes(Int.random(in: 0...9000, using: &random))
                let part = try await store.putPart(
                    bytes,
                    number: Int.random(in: 1...10_000, using: &random),
                    of: upload
                )
                guard Bool.random(using: &random) else {
                    try await store.abortUpload(upload.id, of: upload.key, in: videos)
                    continue
                }
                let record = try await store.complete(upload, [part])
                model[key] = Expected(bytes: bytes, metadata: [:], eTag: record.eTag)
                creations.append(key)
            case 7 where step % 5 == 0:
                await store.close()
                store = try await ObjectStore.open(in: directory)
            default:
                let opened = try await store.open(objectKey(text), in: videos)
                #expect(try await opened?.reader.allBytes() == model[key]?.bytes, comment)
                #expect(opened?.record.attributes.userMetadata == model[key]?.metadata, comment)
                #expect(opened?.record.eTag == model[key]?.eTag, comment)
            }
        }
        let listed = try await store.list(bucket: videos).objects
        let sorted = model.keys.sorted { $0.lexicographicallyPrecedes($1) }
        #expect(listed.map { Array($0.key.text.utf8) } == sorted, "seed \(seed)")
        let bytes = model.values.reduce(0) { $0 + Int64($1.bytes.count) }
        let statistics = try await store.statistics()
        #expect(statistics.objects == model.count && statistics.bytes == bytes)
        #expect(
            try await store.events(after: 0, limit: 10_000).map { Array($0.key.text.utf8) } == creations,
            "seed \(seed)"
        )
        await store.close()
        try await ObjectStore.reclaimSpace(in: directory)
        let inFiles = listed.count { $0.partCount != nil || $0.size.bytes > ContentSizes.small }
        #expect(try directory.contentFiles().count == inFiles, "seed \(seed)")
        #expect(try directory.stagedFiles().isEmpty, "seed \(seed)")
    }
}
