import DurableSQLite
import Logging
import Model
import ObjectEngine
import S3Wire
import Synchronization
import SystemPackage
import Testing

/// What is known about uploads after they were completed.
@Suite struct FinishedUploadTests {
    let directory: TemporaryDirectory
    let store: ObjectStore

    init() async throws {
        directory = try TemporaryDirectory()
        store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
    }

    private func begin(_ key: String) async throws -> MultipartUpload {
        try await store.createUpload(of: objectKey(key), in: videos, attributes: ObjectAttributes(), origin: origin)
    }

    private func expectNoSuchUpload(
        _ body: () async throws -> Void,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        let error = await #expect(throws: ObjectStoreError.self, sourceLocation: sourceLocation) { try await body() }
        #expect(error?.code == .noSuchUpload, sourceLocation: sourceLocation)
    }

    @Test func completingTwiceGivesTheSameAnswer() async throws {
        let upload = try await begin("big")
        let part = try await store.putPart([1, 2], number: 4, of: upload)
        let record = try await store.complete(upload, [part])
        // Also when the object is another one meanwhile, and after a restart.
        try await store.put([3], as: upload.key.text)
        await store.close()
        let again = try await ObjectStore.open(in: directory)
        #expect(try await again.complete(upload, [part]) == record)
        #expect(try await again.bytes(of: upload.key.text) == [3])
        #expect(try await again.events(after: 0, limit: 10).count == 2)
        for named in [CompletedPart(number: 5, eTag: part.eTag), CompletedPart(number: 4, eTag: "x")] {
            await expectNoSuchUpload {
                _ = try await again.completeUpload(
                    upload.id, of: upload.key, in: videos, parts: [named], origin: origin)
            }
        }
        await expectNoSuchUpload {
            _ = try await again.completeUpload(
                upload.id, of: objectKey("other"), in: videos, parts: [CompletedPart(number: 4, eTag: part.eTag)],
                origin: origin)
        }
        await expectNoSuchUpload { try await again.abortUpload(upload.id, of: upload.key, in: videos) }
        await expectNoSuchUpload { _ = try await again.putPart([1], number: 4, of: upload) }
        await again.close()
    }

    @Test func finishedUploadsAreForgottenAfterADay() async throws {
        let time = Mutex(Instant(seconds: 1_700_000_000))
        let later = try TemporaryDirectory()
        let store = try await ObjectStore.open(
            at: FilePath(later.path), durability: .never,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            now: { time.withLock { $0 } }
        )
        _ = try await store.createBucket(videos, owner: "o")
        var first: (upload: MultipartUpload, part: UploadPart)?
        for hours in [0, 23, 25] {
            time.withLock { $0 = Instant(seconds: 1_700_000_000 + Int64(hours) * 3600) }
            let upload = try await store.createUpload(
                of: objectKey("k"), in: videos, attributes: ObjectAttributes(), origin: origin)
            let part = try await store.putPart([UInt8(hours)], number: 1, of: upload)
            _ = try await store.complete(upload, [part])
            first = first ?? (upload, part)
            guard let first else { return }
            if hours < 24 {
                _ = try await store.complete(first.upload, [first.part])
            } else {
                await expectNoSuchUpload { _ = try await store.complete(first.upload, [first.part]) }
            }
        }
        await store.close()
    }

    @Test func keepsTheChecksumsOfParts() async throws {
        let upload = try await store.createUpload(
            of: objectKey("k"), in: videos, attributes: ObjectAttributes(), checksum: .crc32, origin: origin)
        let parts = [
            try await store.putPart(pattern(5 << 20), number: 2, of: upload),
            try await store.putPart([1], number: 9, of: upload),
        ]
        let record = try await store.complete(upload, parts)
        let found = try await store.parts(of: record)
        #expect(found.map(\.number) == [1, 2] && found.map(\.checksums) == parts.map(\.checksums))
        #expect(found.map(\.size) == parts.map(\.size))
        #expect(try await store.parts(of: record, after: 1, limit: 1).map(\.number) == [2])
        #expect(try await store.parts(of: record, after: 2).isEmpty)
        #expect(try await store.parts(of: store.put([1], as: "single")).isEmpty)
        await store.close()
    }
}
