import DurableSQLite
import Glibc
import Model
import NIOCore
import ObjectEngine
import S3Wire
import Testing

@Suite struct ObjectTests {
    let directory: TemporaryDirectory
    let store: ObjectStore

    init() async throws {
        directory = try TemporaryDirectory()
        store = try await ObjectStore.open(in: directory, durability: .always)
        _ = try await store.createBucket(videos, owner: "o")
    }

    @Test(arguments: [0, 1, 16 << 10, (16 << 10) + 1, 256 << 10, (256 << 10) + 1, 1_000_003])
    func comesBackByteForByte(size: Int) async throws {
        let bytes = pattern(size, UInt64(size))
        let attributes = ObjectAttributes(
            contentType: "video/mp4",
            userMetadata: ["Grüße": "日本", "empty": ""],
            headers: ["cache-control": "no-store"],
            storageClass: .reducedRedundancy,
            tags: TagSet(kept: [.init(key: "é", value: ""), .init(key: "e\u{301}", value: "x")]),
            checksums: [.crc32: "AAAAAA==", .sha256: "x-2"],
            checksumType: .composite
        )
        let put = try await store.put(bytes, as: "clip", attributes: attributes)
        #expect(put.eTag == Hexadecimal.text(MD5Digest.of(bytes)))
        #expect(put.size == ByteCount(Int64(size)) && put.attributes == attributes && put.partCount == nil)
        let found = try await store.object(objectKey("clip"), in: videos)
        #expect(found == put)
        #expect(try await store.bytes(of: put) == bytes)
        #expect(try directory.contentFiles() == (size > ContentSizes.small ? [put.content.text] : []))
        await store.close()
        #expect(try directory.stagedFiles().isEmpty)
    }

    @Test func knowsTheChecksumsThatWereAskedFor() async throws {
        let bytes = pattern(300_000)
        let staged = try await store.staged(bytes, checksums: Set(ChecksumAlgorithm.allCases), chunk: 777)
        let summary = try await staged.finish()
        #expect(summary.size == 300_000 && summary.md5 == MD5Digest.of(bytes))
        for algorithm in ChecksumAlgorithm.allCases {
            #expect(summary.checksums[algorithm] == Checksum.of(bytes, algorithm))
        }
        #expect(staged.summary == summary)
        staged.discard()
        await store.close()
        #expect(try directory.stagedFiles().isEmpty)
    }

    @Test(arguments: [
        Int64(0)..<0, 0..<1, 5..<10, 262_143..<262_145, 0..<600_000, 599_999..<600_000, 600_000..<600_000,
    ])
    func givesARange(range: Range<Int64>) async throws {
        let bytes = pattern(600_000)
        let record = try await store.put(bytes, as: "clip")
        #expect(
            try await store.bytes(of: record, range: range)
                == Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])
        )
        await store.close()
    }

    @Test func refusesARangeOutside() async throws {
        let record = try await store.put(pattern(10), as: "clip")
        for range in [Int64(0)..<11, 11..<12, -1..<3] {
            let error = await #expect(throws: ObjectStoreError.self) {
                try await store.open(record, range: range)
            }
            #expect(error?.code == .invalidRange)
        }
        await store.close()
    }

    @Test(arguments: [
        "a/../b", "../../etc/passwd", "//", "/", "a/", "./.", "…/é", "e\u{301}", "é", "日本語/ファイル", "😀",
        "a b+c%20&?#",
        "line\nbreak\r\u{1}", "\u{FFFF}\u{10FFFF}", "'; DROP TABLE objects; --",
        String(repeating: "k", count: 1024),
    ])
    func takesAnyKey(text: String) async throws {
        let key = objectKey(text)
        let bytes = Array(text.utf8)
        let record = try await store.put(bytes, as: text)
        #expect(Array(record.key.text.utf8) == bytes)
        let listed = try await store.list(bucket: videos)
        #expect(listed.objects.map { Array($0.key.text.utf8) } == [bytes])
        #expect(try await store.bytes(of: text) == bytes)
        #expect(try await Array(store.events(after: 0, limit: 9)[0].key.text.utf8) == bytes)
        #expect(try await store.delete([key], in: videos) == [true])
        await store.close()
    }

    @Test func keysThatOnlyLookAlikeAreTwo() async throws {
        try await store.put([1], as: "é")
        try await store.put([2], as: "e\u{301}")
        #expect(try await store.bytes(of: "é") == [1])
        #expect(try await store.bytes(of: "e\u{301}") == [2])
        #expect(try await store.list(bucket: videos).objects.count == 2)
        await store.close()
    }

    @Test func deletesAndSaysWhatThereWas() async throws {
        for key in ["a", "b"] { try await store.put([1], as: key) }
        let keys = ["a", "missing", "b", "a"].map(objectKey)
        #expect(try await store.delete(keys, in: videos) == [true, false, true, false])
        #expect(try await store.object(objectKey("a"), in: videos) == nil)
        await store.close()
        try await ObjectStore.reclaimSpace(in: directory)
        #expect(try directory.contentFiles().isEmpty)
    }

    @Test func judgesConditions() async throws {
        let first = try await store.put([1], as: "key", condition: .ifAbsent)
        let table: [(String, WriteCondition, ObjectStoreError.Code?)] = [
            ("key", .ifAbsent, .preconditionFailed),
            ("key", .ifMatches(["other"]), .preconditionFailed),
            ("new", .ifMatches(["*"]), .noSuchKey),
            ("key", .ifMatches(["other", first.eTag]), nil),
            ("key", .ifMatches(["*"]), nil),
            ("key", .none, nil),
            ("new", .ifAbsent, nil),
        ]
        for (key, condition, code) in table {
            do {
                try await store.put([2], as: key, condition: condition)
                #expect(code == nil)
            } catch let error as ObjectStoreError {
                #expect(error.code == code)
            }
        }
        #expect(try await store.events(after: 0, limit: 100).count == 5)
        await store.close()
        #expect(try directory.stagedFiles().isEmpty)
    }

    @Test func onlyOneOfManyWritersFindsItAbsent() async throws {
        let store = store
        let made = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<32 {
                group.addTask {
                    (try? await store.put([UInt8(number)], as: "lock", condition: .ifAbsent)) != nil
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(made == 1)
        #expect(try await store.events(after: 0, limit: 100).count == 1)
        await store.close()
    }

    @Test func aReaderGoesOnAfterReplacementAndDeletion() async throws {
        let bytes = pattern(2_000_000)
        let record = try await store.put(bytes, as: "clip")
        let reader = try await store.open(record)
        let first = try #require(try await reader.next())
        try await store.put([0], as: "clip")
        _ = try await store.delete([objectKey("clip")], in: videos)
        let rest = try await reader.allBytes()
        #expect(Array(first.readableBytesView) + rest == bytes)
        await store.close()
    }

    @Test func anOldRecordIsToldApartFromADamagedStore() async throws {
        let old = try await store.put(pattern(100_000), as: "clip")
        let new = try await store.put(pattern(200_000), as: "clip")
        await store.reclaimSpace()
        try #require(
            unlink(directory.path + "/content/\(new.content.text.suffix(2))/\(new.content.text)") == 0
        )
        let replaced = await #expect(throws: ObjectStoreError.self) { try await store.open(old) }
        #expect(replaced?.code == .contentReplaced)
        let damaged = await #expect(throws: ObjectStoreError.self) {
            try await store.open(objectKey("clip"), in: videos)
        }
        #expect(damaged?.code == .damaged)
        await store.close()
    }

    @Test func contentThatWasCutOffIsNotServedAsWhole() async throws {
        let record = try await store.put(pattern(1_000_000), as: "clip")
        try write(
            pattern(500_000),
            to: directory.path + "/content/\(record.content.text.suffix(2))/\(record.content.text)"
        )
        let error = await #expect(throws: ObjectStoreError.self) { try await store.bytes(of: record) }
        #expect(error?.code == .damaged)
        await store.close()
    }

    @Test func readersAndTheirMisuse() async throws {
        let record = try await store.put(pattern(600_000), as: "clip")
        let reader = try await store.open(record)
        #expect(reader.range == 0..<600_000)
        _ = try await reader.next()
        reader.close()
        reader.close()
        #expect(try await reader.next() == nil)
        let staged = try await store.staged([1])
        _ = try await store.put(
            staged,
            as: objectKey("one"),
            in: videos,
            attributes: ObjectAttributes(),
            origin: origin
        )
        let twice = await #expect(throws: ObjectStoreError.self) {
            _ = try await store.put(
                staged,
                as: objectKey("two"),
                in: videos,
                attributes: ObjectAttributes(),
                origin: origin
            )
        }
        #expect(twice?.code == .misuse)
        await store.close()
    }

    @Test func manyWritersOfOneKeyLeaveOneWholeObject() async throws {
        let store = store
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<64 {
                group.addTask {
                    try await store.put([UInt8](repeating: UInt8(number), count: 16_364 + number), as: "hot")
                }
                group.addTask {
                    guard let opened = try await store.open(objectKey("hot"), in: videos) else { return }
                    let bytes = try await opened.reader.allBytes()
                    #expect(Int64(bytes.count) == opened.record.size.bytes)
                    #expect(Set(bytes).count == 1 && bytes.count == 16_364 + Int(bytes[0]))
                    #expect(Hexadecimal.text(MD5Digest.of(bytes)) == opened.record.eTag)
                }
            }
            try await group.waitForAll()
        }
        let last = try #require(try await store.object(objectKey("hot"), in: videos))
        let events = try await store.events(after: 0, limit: 1000)
        #expect(events.count == 64 && events.last?.eTag == last.eTag)
        await store.close()
        try await ObjectStore.reclaimSpace(in: directory)
        // Some of them are kept in the index, the others in files.
        #expect(
            try directory.contentFiles() == (last.size.bytes > ContentSizes.small ? [last.content.text] : []))
    }
}
