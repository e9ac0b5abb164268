import Glibc
import Model
import S3Wire
import Testing

@testable import ObjectEngine

@Suite struct VersionTests {
    let directory: TemporaryDirectory
    let store: ObjectStore
    let key = objectKey("key")

    init() async throws {
        directory = try TemporaryDirectory()
        store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
    }

    /// The versions of `key`, newest first: bytes, or `nil` for a marker.
    private func contents() async throws -> [[UInt8]?] {
        var contents: [[UInt8]?] = []
        for version in try await store.listVersions(in: videos).versions {
            switch version.content {
            case .object(let record): contents.append(try await store.bytes(of: record))
            case .marker: contents.append(nil)
            }
        }
        return contents
    }

    private func delete(_ version: VersionID? = nil) async throws -> DeletionOutcome {
        try await store.delete([Deletion(key, version: version)], in: videos)[0].get()
    }

    private func isMarker(_ version: VersionID? = nil) async throws -> Bool {
        if case .marker = try await store.find(key, version: version, in: videos) { true } else { false }
    }

    @Test func keepsWhatIsReplacedAndDeleted() async throws {
        try await store.put([0], as: "key")
        #expect(try await store.object(key, in: videos)?.version == nil)
        try await store.setVersioning(enabled: true, of: videos)
        #expect(try await store.bucket(videos)?.versioning == .enabled)
        #expect(try await store.object(key, in: videos)?.version == .null)
        let first = try #require(try await store.put([1, 1], as: "key").version)
        let second = try #require(try await store.put([2, 2, 2], as: "key").version)
        #expect(try await contents() == [[2, 2, 2], [1, 1], [0]])
        let deletion = try await delete()
        #expect(deletion.wasThere && deletion.isMarker)
        let marker = try #require(deletion.version)
        #expect(Set([first, second, marker, .null]).count == 4)
        #expect(try await store.object(key, in: videos) == nil)
        #expect(try await store.list(bucket: videos).objects.isEmpty)
        #expect(try await isMarker())
        #expect(try await isMarker(marker))
        #expect(try await contents() == [nil, [2, 2, 2], [1, 1], [0]])
        let bucket = try #require(try await store.bucket(videos))
        #expect(bucket.objectCount == 0 && bucket.versionCount == 4 && bucket.size == ByteCount(6))
        // Without the marker the object is there again, and without it the one before.
        #expect(try await delete(marker) == DeletionOutcome(wasThere: true, version: marker, isMarker: true))
        #expect(try await store.bytes(of: "key") == [2, 2, 2])
        #expect(try await delete(second).wasThere)
        #expect(try await store.bytes(of: "key") == [1, 1])
        #expect(try await store.object(key, in: videos)?.version == first)
        // What is not the latest goes without effect on the latest; what is gone goes again.
        #expect(try await delete(.null).wasThere)
        #expect(try await delete(.null) == DeletionOutcome(wasThere: false, version: .null, isMarker: false))
        #expect(try await contents() == [[1, 1]])
        #expect(try await delete(first).wasThere)
        #expect(try await store.find(key, in: videos) == .nothing)
        await store.close()
        try await ObjectStore.reclaimSpace(in: directory)
        #expect(try directory.contentCount() == 0)
    }

    @Test func suspendedItReplacesOnlyTheVersionNull() async throws {
        try await store.setVersioning(enabled: true, of: videos)
        let kept = try await store.put([1], as: "key")
        try await store.setVersioning(enabled: false, of: videos)
        #expect(try await store.put([2], as: "key").version == .null)
        #expect(try await contents() == [[2], [1]])
        #expect(try await store.put([3], as: "key").version == .null)
        #expect(try await contents() == [[3], [1]])
        #expect(try await delete() == DeletionOutcome(wasThere: true, version: .null, isMarker: true))
        #expect(try await contents() == [nil, [1]])
        #expect(try await delete() == DeletionOutcome(wasThere: false, version: .null, isMarker: true))
        #expect(try await contents() == [nil, [1]])
        try await store.setVersioning(enabled: true, of: videos)
        try await store.put([4], as: "key")
        #expect(try await contents() == [[4], nil, [1]])
        try await store.setVersioning(enabled: false, of: videos)
        // The marker `null` lies below the latest now, and is replaced all the same.
        try await store.put([5], as: "key")
        #expect(try await contents() == [[5], [4], [1]])
        #expect(try await store.find(key, version: kept.version, in: videos) == .object(kept))
        #expect(try await store.bucket(videos)?.versionCount == 2)
        await store.close()
        try await ObjectStore.reclaimSpace(in: directory)
        #expect(try directory.contentCount() == 3)
    }

    @Test func markersAreMadeForKeysThatNeverWere() async throws {
        try await store.setVersioning(enabled: true, of: videos)
        #expect(try await delete().wasThere == false)
        #expect(try await delete().isMarker)
        #expect(try await contents() == [nil, nil])
        #expect(try await store.listVersions(in: videos).versions.map(\.isLatest) == [true, false])
        // A write is conditional on what seems to be there.
        try await store.put([1], as: "key", condition: .ifAbsent)
        let error = await #expect(throws: ObjectStoreError.self) {
            try await store.put([1], as: "key", condition: .ifAbsent)
        }
        #expect(error?.code == .preconditionFailed)
        await store.close()
    }

    @Test func earlierVersionsCanBeReadCopiedAndTagged() async throws {
        try await store.setVersioning(enabled: true, of: videos)
        let old = try await store.put(pattern(300_000), as: "key")
        let upload = try await store.createUpload(
            of: key, in: videos, attributes: ObjectAttributes(), origin: origin)
        let part = try await store.putPart(pattern(5000, 2), number: 1, of: upload)
        let made = try await store.complete(upload, [part])
        #expect(made.version != nil)
        try await store.put([3], as: "key")
        #expect(try await store.bytes(of: old) == pattern(300_000))
        #expect(try await store.bytes(of: made, range: 10..<20) == Array(pattern(5000, 2)[10..<20]))
        let copy = try await store.copy(old, to: key, in: videos, origin: origin)
        #expect(try await store.bytes(of: "key") == pattern(300_000))
        #expect(copy.version != old.version && copy.eTag == old.eTag)
        let tags = try TagSet([.init(key: "a", value: "b")])
        _ = try await store.setTags(tags, of: key, version: old.version, in: videos)
        guard case .object(let tagged) = try await store.find(key, version: old.version, in: videos) else {
            Issue.record("the version has gone")
            return
        }
        #expect(tagged.attributes.tags == tags && tagged.lastModified == old.lastModified)
        #expect(try await store.object(key, in: videos)?.attributes.tags.isEmpty == true)
        _ = try await store.setTags(tags, of: key, in: videos)
        #expect(try await store.object(key, in: videos)?.attributes.tags == tags)
        #expect(try await store.setTags(tags, of: objectKey("x"), in: videos) == .nothing)
        // Reading goes on while a version is deleted, and tells so where it begins too late.
        let reader = try await store.open(made)
        _ = try await delete(made.version)
        #expect(try await reader.allBytes() == pattern(5000, 2))
        reader.close()
        await store.reclaimSpace()
        let error = await #expect(throws: ObjectStoreError.self) { _ = try await store.open(made) }
        #expect(error?.code == .contentReplaced)
        await store.close()
    }

    @Test func deletionsCanDependOnWhatIsThere() async throws {
        try await store.setVersioning(enabled: true, of: videos)
        let record = try await store.put([1], as: "key")
        let newer = try await store.put([2], as: "key")
        let outcomes = try await store.delete(
            [
                Deletion(key, condition: .ifMatches([record.eTag])),
                Deletion(key, version: record.version, condition: .ifMatches([newer.eTag])),
                Deletion(objectKey("x"), condition: .ifMatches(["*"])),
                Deletion(key, condition: .ifUnchanged(record.content)),
                Deletion(key, version: newer.version, condition: .ifUnchanged(nil)),
                Deletion(key, version: record.version, condition: .ifMatches([record.eTag])),
                newer.deletion,
            ],
            in: videos
        )
        let codes = outcomes.map { outcome -> ObjectStoreError.Code? in
            if case .failure(let error) = outcome { error.code } else { nil }
        }
        #expect(
            codes == [
                .preconditionFailed, .preconditionFailed, .noSuchKey, .preconditionFailed, .preconditionFailed, nil,
                nil,
            ]
        )
        #expect(try await contents() == [nil, [2]])
        await store.close()
    }

    @Test func aBucketWithVersionsIsNotEmpty() async throws {
        try await store.setVersioning(enabled: true, of: videos)
        try await store.put([1], as: "key")
        let marker = try await delete().version
        for version in [marker, nil] {
            if let version { _ = try await delete(version) }
            let error = await #expect(throws: ObjectStoreError.self) { try await store.deleteBucket(videos) }
            #expect(error?.code == .bucketNotEmpty)
        }
        _ = try await delete()
        try await store.put([2], as: "other")
        try await store.deleteBucket(videos, includingContent: true)
        _ = try await store.createBucket(videos, owner: "o")
        #expect(try await store.bucket(videos)?.versioning == .off)
        #expect(try await store.listVersions(in: videos).versions.isEmpty)
        #expect(try await store.statistics().bytes == 0)
        await store.close()
        try await ObjectStore.reclaimSpace(in: directory)
        #expect(try directory.contentCount() == 0)
    }

    /// A crash between a commit and the removal of the name in `staging`, then a replacement.
    @Test func aStartKnowsTheContentOfEarlierVersions() async throws {
        try await store.setVersioning(enabled: true, of: videos)
        let upload = try await store.createUpload(
            of: key, in: videos, attributes: ObjectAttributes(), origin: origin)
        let part = try await store.putPart(pattern(20_000, 1), number: 1, of: upload)
        _ = try await store.complete(upload, [part])
        try await store.put(pattern(20_000, 2), as: "key")
        try await store.put(pattern(20_000, 3), as: "key")
        await store.close()
        let files = try directory.contentFiles()
        #expect(files.count == 3)
        for id in files {
            try #require(
                link("\(directory.path)/content/\(id.suffix(2))/\(id)", "\(directory.path)/staging/\(id)") == 0)
        }
        let again = try await ObjectStore.open(in: directory)
        #expect(try directory.stagedFiles().isEmpty)
        #expect(try directory.contentFiles() == files)
        for (version, content) in zip(try await again.listVersions(in: videos).versions, [3, 2, 1] as [UInt64]) {
            guard case .object(let record) = version.content else { continue }
            #expect(try await again.bytes(of: record) == pattern(20_000, content))
        }
        await again.close()
    }

    @Test func namesOfVersionsAreChecked() {
        for text in ["", "x", "NULL", "0123456789abcdef0123456789ABCDEF", String(repeating: "0", count: 33)] {
            #expect(VersionID(text) == nil)
        }
        #expect(VersionID("null") == .null)
        #expect(VersionID("0123456789abcdef0123456789abcdef")?.text == "0123456789abcdef0123456789abcdef")
    }

    @Test func everyOperationNamesAMissingBucket() async throws {
        let nowhere = bucketName("nowhere")
        let operations: [@Sendable (ObjectStore) async throws -> Void] = [
            { try await $0.setVersioning(enabled: true, of: nowhere) },
            { _ = try await $0.find(objectKey("k"), version: .null, in: nowhere) },
            { _ = try await $0.setTags(TagSet(), of: objectKey("k"), in: nowhere) },
            { _ = try await $0.listVersions(in: nowhere) },
            { _ = try await $0.delete([Deletion(objectKey("k"))], in: nowhere) },
            { _ = try await $0.noncurrentVersions(in: nowhere, replacedBefore: clock.now()) },
            { _ = try await $0.lonelyMarkers(in: nowhere) },
        ]
        for operation in operations {
            let error = await #expect(throws: ObjectStoreError.self) { try await operation(store) }
            #expect(error?.code == .noSuchBucket)
        }
        await store.close()
    }
}
