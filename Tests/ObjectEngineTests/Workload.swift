import Model
import NIOCore
import S3Wire
import Testing

@testable import ObjectEngine

/// A scripted life of a small store, and what must be true of it at any moment.
struct Workload {
    /// One call of the store, and what it does to the objects.
    struct Step: Sendable {
        let name: String
        let run: @Sendable (ObjectStore) async throws -> Void
        /// Keys that it changes, with their new bytes; `nil` for a key that goes.
        let changes: [String: [UInt8]?]
        /// Keys whose creation it tells, in order.
        var events: [String] = []
    }

    static let small = pattern(700, 3)
    static let large = pattern(40_000, 4)
    static let larger = pattern(600_000, 5)
    static let part = pattern(70_000, 6)

    static let steps: [Step] = [
        put("small", small), put("large", large), put("larger", larger), put("empty", []),
        put("small", large), put("large", small),
        copy("larger", "copy", larger), copy("large", "small-copy", small),
        multipart("parts", part), copy("parts", "parts-copy", part), abortedUpload(),
        delete(["larger", "small", "none"]), put("small", small), put("parts", large), delete(["copy", "parts-copy"]),
    ]

    static func put(_ key: String, _ bytes: [UInt8]) -> Step {
        Step(
            name: "put \(key)",
            run: { store in _ = try await store.put(bytes, as: key) },
            changes: [key: bytes],
            events: [key]
        )
    }

    static func copy(_ source: String, _ target: String, _ bytes: [UInt8]) -> Step {
        Step(
            name: "copy \(source)",
            run: { store in
                guard let record = try await store.object(objectKey(source), in: videos),
                    record.size.bytes == Int64(bytes.count)
                else {
                    throw ObjectStoreError(.noSuchKey, "the source was not written")
                }
                _ = try await store.copy(record, to: objectKey(target), in: videos, origin: origin)
            },
            changes: [target: bytes],
            events: [target]
        )
    }

    static func multipart(_ key: String, _ bytes: [UInt8]) -> Step {
        Step(
            name: "upload \(key)",
            run: { store in
                let upload = try await store.createUpload(
                    of: objectKey(key), in: videos, attributes: ObjectAttributes(), origin: origin)
                _ = try await store.putPart([1, 2, 3], number: 2, of: upload)
                _ = try await store.putPart([9], number: 1, of: upload)
                let part = try await store.putPart(bytes, number: 1, of: upload)
                _ = try await store.complete(upload, [part])
            },
            changes: [key: bytes],
            events: [key]
        )
    }

    static func abortedUpload() -> Step {
        Step(
            name: "abort",
            run: { store in
                let upload = try await store.createUpload(
                    of: objectKey("never"), in: videos, attributes: ObjectAttributes(), origin: origin)
                _ = try await store.putPart(part, number: 1, of: upload)
                try await store.abortUpload(upload.id, of: upload.key, in: videos)
            },
            changes: [:]
        )
    }

    static func delete(_ keys: [String]) -> Step {
        Step(
            name: "delete \(keys)",
            run: { store in _ = try await store.delete(keys.map(objectKey), in: videos) },
            changes: Dictionary(uniqueKeysWithValues: keys.map { ($0, nil) })
        )
    }
}

/// What a store held, as far as anybody was told.
struct StoreContents {
    var objects: [String: [UInt8]] = [:]
    var events: [String] = []

    mutating func apply(_ step: Workload.Step) {
        for (key, bytes) in step.changes { objects[key] = bytes }
        events += step.events
    }

    func applying(_ step: Workload.Step) -> StoreContents {
        var next = self
        next.apply(step)
        return next
    }

    /// Whether the store holds exactly this, each object whole, and the outbox tells it.
    func isHeld(by store: ObjectStore) async throws -> Bool {
        let listed = try await store.list(bucket: videos).objects
        guard Set(listed.map(\.key.text)) == Set(objects.keys) else { return false }
        for record in listed {
            guard record.size.bytes == Int64(objects[record.key.text]?.count ?? -1),
                try await store.bytes(of: record) == objects[record.key.text]
            else { return false }
        }
        let statistics = try await store.statistics()
        guard statistics.objects == objects.count,
            statistics.bytes == objects.values.reduce(0, { $0 + Int64($1.count) })
        else { return false }
        return try await store.events(after: 0, limit: 1000).map(\.key.text) == events
    }
}

extension TemporaryDirectory {
    /// The files that are in place, beyond those that the index knows.
    func leftovers(of store: ObjectStore) async throws -> [String] {
        var left: [String] = try stagedFiles()
        for name in try contentFiles() {
            guard let id = ContentID(name) else {
                left.append(name)
                continue
            }
            if try await !store.read({ try $0.isKnown(id) }) { left.append(name) }
        }
        return left
    }
}
