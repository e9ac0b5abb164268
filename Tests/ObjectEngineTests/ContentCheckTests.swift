import GRDB
import Glibc
import Model
import NIOCore
import TestKit
import Testing

@testable import ObjectEngine

@Suite struct ContentCheckTests {
    /// From the reference implementation (`xxh64sum`).
    @Test(
        arguments: [
            ("", 0xEF46_DB37_51D8_E999), ("a", 0xD24E_C4F1_A98C_6E5B), ("abc", 0x44BC_2CF5_AD77_0999),
            ("Nobody inspects the spammish repetition", 0xFBCE_A83C_8A37_8BF1),
        ] as [(String, UInt64)])
    func isXXH64(text: String, value: UInt64) {
        #expect(Array(text.utf8).withUnsafeBytes { ContentCheck.of($0) } == value)
    }

    @Test(arguments: 0..<100)
    func doesNotDependOnHowBytesCome(length: Int) {
        var random = SeededGenerator(seed: UInt64(length))
        let bytes = random.bytes(length * 3)
        let whole = bytes.withUnsafeBytes { ContentCheck.of($0) }
        var check = ContentCheck()
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(Int.random(in: 0...70, using: &random))
            piece.withUnsafeBytes { check.update($0) }
            rest = rest.dropFirst(piece.count)
        }
        #expect(check.value == whole)
    }
}

/// Damage on the disk is found by who reads, and never served as if all was well.
@Suite struct DamageTests {
    let directory: TemporaryDirectory
    let store: ObjectStore

    init() async throws {
        directory = try TemporaryDirectory()
        store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
    }

    func damage(_ content: ContentID, at offset: Int) throws {
        var bytes = try contents(of: directory.path(of: content))
        bytes[offset] ^= 1
        try write(bytes, to: directory.path(of: content))
    }

    @Test(arguments: [(20_000, 0), (262_144, 262_143), (600_000, 5), (600_000, 300_000), (600_000, 599_999)])
    func aFlippedBitEndsTheReadBeforeItsLastChunk(size: Int, offset: Int) async throws {
        let record = try await store.put(pattern(size), as: "key")
        try damage(record.content, at: offset)
        var got = 0
        let error = await #expect(throws: ObjectStoreError.self) {
            let reader = try await store.open(record)
            while let chunk = try await reader.next() { got += chunk.readableBytes }
        }
        #expect(error?.code == .damaged && got < size)
        // Nothing is deleted, and who wants what is left can have it.
        let found = try #require(try await store.find(objectKey("key"), in: videos))
        #expect(try await store.open(found, verifying: false).allBytes().count == size)
        #expect(try await store.open(record, range: 1..<Int64(size)).allBytes().count == size - 1)
        await store.close()
    }

    /// All bytes, the first chunk from memory and the rest out of the files that regions name.
    func bytesByRegion(_ reader: ContentReader) async throws -> [UInt8] {
        var bytes = try await reader.next().map { Array($0.readableBytesView) } ?? []
        while let region = try await reader.nextRegion() {
            await region.withDescriptor { descriptor in
                var part = [UInt8](repeating: 0, count: region.range.count)
                #expect(pread(descriptor, &part, part.count, off_t(region.range.lowerBound)) == part.count)
                bytes += part
            }
        }
        return bytes
    }

    @Test(arguments: [0, 20_000, 262_144, 262_145, 4_456_448, 9_000_000])
    func regionsGiveTheSameBytes(size: Int) async throws {
        let record = try await store.put(pattern(size), as: "key")
        #expect(try await bytesByRegion(store.open(record)) == pattern(size))
        let range = Int64(size / 3)..<Int64(size - size / 4)
        let part = Array(pattern(size)[Int(range.lowerBound)..<Int(range.upperBound)])
        #expect(try await bytesByRegion(store.open(record, range: range)) == part)
        await store.close()
    }

    @Test(arguments: [262_144, 5_000_000, 8_999_999])
    func aFlippedBitEndsTheRegionsBeforeTheLast(offset: Int) async throws {
        let record = try await store.put(pattern(9_000_000), as: "key")
        try damage(record.content, at: offset)
        let error = await #expect(throws: ObjectStoreError.self) { try await bytesByRegion(store.open(record)) }
        #expect(error?.code == .damaged)
        let range: Range<Int64> = 1..<9_000_000
        #expect(try await bytesByRegion(store.open(record, range: range)).count == range.count)
        try write(Array(pattern(9_000_000).dropLast()), to: directory.path(of: record.content))
        let short = await #expect(throws: ObjectStoreError.self) {
            try await bytesByRegion(store.open(record, range: range))
        }
        #expect(short?.code == .damaged)
        await store.close()
    }

    @Test func damageInTheIndexIsFound() async throws {
        let record = try await store.put([1, 2, 3], as: "key")
        try await store.write { try $0.execute("UPDATE small_contents SET bytes = x'010204'", []) }
        for range in [nil, 0..<1] as [Range<Int64>?] {
            let error = await #expect(throws: ObjectStoreError.self) {
                try await store.open(record, range: range)
            }
            #expect(error?.code == .damaged)
        }
        try await store.write { try $0.execute("UPDATE small_contents SET bytes = x'0102'", []) }
        let error = await #expect(throws: ObjectStoreError.self) { try await store.open(record) }
        #expect(error?.code == .damaged)
        await store.close()
    }

    @Test(arguments: [0, 1])
    func aDamagedPartIsFoundWhereItIsReadWhole(damaged: Int) async throws {
        let upload = try await store.createUpload(
            of: objectKey("big"), in: videos, attributes: ObjectAttributes(), origin: origin)
        let sizes = [Int(ObjectStore.minimumPartSize.bytes), 70_000]
        var parts: [UploadPart] = []
        for (index, size) in sizes.enumerated() {
            parts.append(try await store.putPart(pattern(size, UInt64(index)), number: index + 1, of: upload))
        }
        let record = try await store.complete(upload, parts)
        let pieces = try await store.read { try $0.pieces(of: record.content) }
        #expect(pieces.allSatisfy { $0.check != nil })
        try damage(pieces[damaged].file, at: 60_000)
        let other = pieces[1 - damaged].range
        #expect(try await store.open(record, range: other).allBytes().count == other.count)
        let error = await #expect(throws: ObjectStoreError.self) { try await store.bytes(of: record) }
        #expect(error?.code == .damaged)
        await store.close()
    }

    @Test func aCopyOfDamageIsKnownAsDamage() async throws {
        let record = try await store.put(pattern(50_000), as: "key")
        try damage(record.content, at: 7)
        let copy = try await store.copy(record, to: objectKey("copy"), in: videos, origin: origin)
        let error = await #expect(throws: ObjectStoreError.self) { try await store.bytes(of: copy) }
        #expect(error?.code == .damaged)
        await store.close()
    }
}
