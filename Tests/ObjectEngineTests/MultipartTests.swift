import Model
import ObjectEngine
import S3Wire
import SystemPackage
import Testing

@Suite struct MultipartTests {
    static let least = Int(ObjectStore.minimumPartSize.bytes)

    let directory: TemporaryDirectory
    let store: ObjectStore

    init() async throws {
        directory = try TemporaryDirectory()
        store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
    }

    func begin(
        _ key: String = "big",
        checksum: ChecksumAlgorithm? = nil,
        type: ChecksumType = .composite
    ) async throws -> MultipartUpload {
        try await store.createUpload(
            of: objectKey(key),
            in: videos,
            attributes: ObjectAttributes(contentType: "video/mp4", userMetadata: ["a": "b"]),
            checksum: checksum,
            checksumType: type,
            origin: origin
        )
    }

    func expectError(
        _ code: ObjectStoreError.Code,
        _ body: () async throws -> Void,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        let error = await #expect(throws: ObjectStoreError.self, sourceLocation: sourceLocation) {
            try await body()
        }
        #expect(error?.code == code, sourceLocation: sourceLocation)
    }

    @Test func makesOneObjectOfItsParts() async throws {
        let upload = try await begin()
        let first = pattern(Self.least, 1)
        let second = pattern(Self.least + 7, 2)
        let last = pattern(10, 3)
        let three = try await store.putPart(last, number: 900, of: upload)
        let one = try await store.putPart(first, number: 2, of: upload)
        let two = try await store.putPart(second, number: 5, of: upload)
        let record = try await store.complete(upload, [one, two, three])
        let digests = [first, second, last].flatMap { MD5Digest.of($0) }
        #expect(record.eTag == Hexadecimal.text(MD5Digest.of(digests)) + "-3")
        #expect(record.partCount == 3 && record.attributes.userMetadata == ["a": "b"])
        let all = first + second + last
        #expect(try await store.bytes(of: record) == all)
        let found = try #require(try await store.object(objectKey("big"), in: videos))
        #expect(found == record)
        let edge = Int64(Self.least)
        for range in [
            edge - 1..<edge + 1, 0..<edge, edge..<edge, edge + 3..<record.size.bytes, 0..<record.size.bytes,
        ] {
            let bytes = try await store.bytes(of: record, range: range)
            #expect(bytes == Array(all[Int(range.lowerBound)..<Int(range.upperBound)]))
        }
        #expect(try await store.range(ofPart: 2, of: record) == edge..<edge * 2 + 7)
        #expect(try await store.range(ofPart: 4, of: record) == nil)
        let event = try #require(try await store.events(after: 0, limit: 10).last)
        #expect(event.cause == .multipart && event.size == record.size && event.eTag == record.eTag)
        await expectError(.noSuchUpload) { _ = try await store.complete(upload, [one, two]) }
        await store.close()
    }

    @Test func theLastPartMayBeSmallAndOthersNot() async throws {
        let upload = try await begin()
        let small = try await store.putPart(pattern(Self.least - 1), number: 1, of: upload)
        let other = try await store.putPart([1], number: 2, of: upload)
        await expectError(.entityTooSmall) { _ = try await store.complete(upload, [small, other]) }
        let record = try await store.complete(upload, [small])
        #expect(record.size.bytes == Int64(Self.least - 1) && record.eTag.hasSuffix("-1"))
        await store.close()
        try await ObjectStore.reclaimSpace(in: directory)
        #expect(try directory.contentFiles().count == 1)
    }

    @Test func aRepeatedPartReplacesTheOneBefore() async throws {
        let upload = try await begin()
        let old = try await store.putPart([1, 2, 3], number: 1, of: upload)
        let new = try await store.putPart([4, 5], number: 1, of: upload)
        await expectError(.invalidPart) { _ = try await store.complete(upload, [old]) }
        #expect(try await store.parts(of: upload.id, key: upload.key, in: videos).parts == [new])
        let record = try await store.complete(upload, [new])
        #expect(try await store.bytes(of: record) == [4, 5])
        await store.close()
    }

    @Test func refusesWrongLists() async throws {
        let upload = try await begin()
        let one = try await store.putPart(pattern(Self.least), number: 1, of: upload)
        let two = try await store.putPart([1], number: 2, of: upload)
        await expectError(.invalidPartOrder) { _ = try await store.complete(upload, [two, one]) }
        await expectError(.invalidPartOrder) { _ = try await store.complete(upload, [one, one]) }
        await expectError(.invalidPart) { _ = try await store.complete(upload, []) }
        for part in [
            CompletedPart(number: 3, eTag: one.eTag), CompletedPart(number: 1, eTag: two.eTag),
            CompletedPart(number: 1, eTag: ""),
        ] {
            await expectError(.invalidPart) {
                _ = try await store.completeUpload(
                    upload.id,
                    of: upload.key,
                    in: videos,
                    parts: [part],
                    origin: origin
                )
            }
        }
        await expectError(.noSuchUpload) {
            _ = try await store.completeUpload(
                upload.id,
                of: objectKey("other"),
                in: videos,
                parts: [],
                origin: origin
            )
        }
        for number in [0, 10_001, -1] {
            await expectError(.invalidPartNumber) {
                _ = try await store.putPart([1], number: number, of: upload)
            }
        }
        #expect(try await store.complete(upload, [one, two]).partCount == 2)
        await store.close()
    }

    @Test func abortingRemovesTheParts() async throws {
        let upload = try await begin()
        _ = try await store.putPart(pattern(1000), number: 1, of: upload)
        try await store.abortUpload(upload.id, of: upload.key, in: videos)
        await expectError(.noSuchUpload) {
            try await store.abortUpload(upload.id, of: upload.key, in: videos)
        }
        await expectError(.noSuchUpload) { _ = try await store.putPart([1], number: 1, of: upload) }
        await store.close()
        try await ObjectStore.reclaimSpace(in: directory)
        #expect(try directory.contentFiles().isEmpty && directory.stagedFiles().isEmpty)
    }

    @Test func listsPartsInPages() async throws {
        let upload = try await begin()
        for number in [7, 1, 10_000, 3] {
            _ = try await store.putPart([UInt8(number % 256)], number: number, of: upload)
        }
        var numbers: [Int] = []
        var last = 0
        while true {
            let page = try await store.parts(
                of: upload.id,
                key: upload.key,
                in: videos,
                after: last,
                limit: 3
            )
            numbers += page.parts.map(\.number)
            guard let next = page.next else { break }
            last = next
        }
        #expect(numbers == [1, 3, 7, 10_000])
        await store.close()
    }

    @Test(arguments: [
        (ChecksumAlgorithm.sha256, ChecksumType.composite), (.crc32, .composite), (.crc32c, .fullObject),
        (.crc64nvme, .fullObject),
    ])
    func reckonsTheChecksum(algorithm: ChecksumAlgorithm, type: ChecksumType) async throws {
        let upload = try await begin(checksum: algorithm, type: type)
        let bytes = [pattern(Self.least, 1), pattern(99, 2)]
        var parts: [UploadPart] = []
        for (index, part) in bytes.enumerated() {
            parts.append(try await store.putPart(part, number: index + 1, of: upload))
        }
        let composite = Checksum.of(bytes.flatMap { Checksum.of($0, algorithm) }, algorithm)
        let whole = Checksum.of(bytes.flatMap { $0 }, algorithm)
        let expected = type == .composite ? Base64.encode(composite) + "-2" : Base64.encode(whole)
        let named = parts.map { CompletedPart(number: $0.number, eTag: $0.eTag) }
        await expectError(.checksumMismatch) {
            _ = try await store.completeUpload(
                upload.id,
                of: upload.key,
                in: videos,
                parts: named,
                expectedChecksum: "wrong",
                origin: origin
            )
        }
        let record = try await store.completeUpload(
            upload.id,
            of: upload.key,
            in: videos,
            parts: named,
            expectedChecksum: expected,
            origin: origin
        )
        #expect(
            record.attributes.checksums == [algorithm: expected] && record.attributes.checksumType == type
        )
        await store.close()
    }

    @Test func contentOfManyFilesStaysWhileItIsRead() async throws {
        let upload = try await begin()
        let bytes = [pattern(Self.least, 1), pattern(Self.least, 2), pattern(5, 3)]
        var parts: [UploadPart] = []
        for (index, part) in bytes.enumerated() {
            parts.append(try await store.putPart(part, number: index + 1, of: upload))
        }
        let record = try await store.complete(upload, parts)
        let reader = try await store.open(record)
        _ = try await store.delete([record.key], in: videos)
        await store.reclaimSpace()
        #expect(try directory.contentFiles().count == 3)
        #expect(try await reader.allBytes() == bytes.flatMap { $0 })
        await store.reclaimSpace()
        #expect(try directory.contentFiles().isEmpty)
        await store.close()
    }

    @Test func copiesPartsAndObjects() async throws {
        let bytes = pattern(Self.least + 100)
        let source = try await store.put(
            bytes,
            as: "source",
            attributes: ObjectAttributes(contentType: "text/x")
        )
        let upload = try await begin()
        let one = try await store.copyPart(
            from: source,
            range: 0..<Int64(Self.least),
            number: 1,
            of: upload.id,
            key: upload.key,
            in: videos
        )
        let two = try await store.copyPart(
            from: source,
            range: Int64(Self.least)..<source.size.bytes,
            number: 2,
            of: upload.id,
            key: upload.key,
            in: videos
        )
        let record = try await store.complete(upload, [one, two])
        #expect(try await store.bytes(of: record) == bytes)

        let copy = try await store.copy(source, to: objectKey("copy"), in: videos, origin: origin)
        #expect(
            copy.eTag == source.eTag && copy.attributes.contentType == "text/x"
                && copy.content != source.content
        )
        let flat = try await store.copy(
            record,
            to: objectKey("flat"),
            in: videos,
            attributes: ObjectAttributes(contentType: "text/y"),
            checksums: [.crc32],
            origin: origin
        )
        #expect(flat.partCount == nil && flat.eTag == source.eTag && flat.attributes.contentType == "text/y")
        #expect(flat.attributes.checksums == [.crc32: Base64.encode(Checksum.of(bytes, .crc32))])
        _ = try await store.delete([source.key, record.key], in: videos)
        #expect(try await store.bytes(of: copy) == bytes)
        #expect(try await store.bytes(of: flat) == bytes)
        let events = try await store.events(after: 0, limit: 100)
        #expect(events.map(\.cause) == [.put, .multipart, .copy, .copy])
        await expectError(.noSuchBucket) {
            _ = try await store.copy(copy, to: objectKey("x"), in: bucketName("nowhere"), origin: origin)
        }
        await store.close()
        #expect(try directory.stagedFiles().isEmpty)
    }

    @Test func aCopyOntoItselfChangesTheAttributes() async throws {
        let source = try await store.put([1, 2, 3], as: "key")
        let copy = try await store.copy(
            source,
            to: source.key,
            in: videos,
            attributes: ObjectAttributes(userMetadata: ["n": "1"]),
            origin: origin
        )
        #expect(copy.attributes.userMetadata == ["n": "1"] && copy.lastModified > source.lastModified)
        #expect(try await store.bytes(of: "key") == [1, 2, 3])
        await store.reclaimSpace()
        await expectError(.contentReplaced) {
            _ = try await store.copy(source, to: objectKey("late"), in: videos, origin: origin)
        }
        await store.close()
    }
}
