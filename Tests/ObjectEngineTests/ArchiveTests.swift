import DurableSQLite
import Glibc
import Logging
import Model
import NIOCore
import S3Wire
import Synchronization
import SystemPackage
import TestKit
import Testing

@testable import ObjectEngine

@Suite struct TarHeaderTests {
    static let headers: [TarHeader] = [
        TarHeader(path: "a/b", size: 0, modified: Instant(nanoseconds: 0)),
        TarHeader(
            path: "é/\n/" + String(repeating: "k", count: 1024), size: 8 << 30,
            modified: Instant(nanoseconds: 1_700_000_000_123_456_789)),
        TarHeader(
            path: "x", size: 100 << 30, modified: Instant(nanoseconds: 5), attributes: [("key", "a=b\nc"), ("z", "")]),
        TarHeader(path: "bucket/", kind: .folder, size: 0, modified: Instant(nanoseconds: 1_000_000_000)),
        TarHeader(path: String(repeating: "p", count: 88), size: 99, modified: Instant(nanoseconds: 7)),
    ]

    func parse(_ bytes: [UInt8]) throws -> TarHeader? {
        var parser = TarParser()
        var rest = bytes[...]
        while rest.count >= 512 {
            let block = Array(rest.prefix(512))
            rest = rest.dropFirst(512)
            switch try parser.take(block) {
            case .end: return nil
            case .member(let header): return header
            case .extended(let size):
                try parser.extend(Array(rest.prefix(Int(size))))
                rest = rest.dropFirst(Int(size) + TarHeader.padding(size).count)
            }
        }
        return nil
    }

    @Test(arguments: headers) func comesBack(header: TarHeader) throws {
        #expect(header.bytes.count % 512 == 0)
        #expect(try parse(header.bytes) == header)
    }

    @Test func damageIsRefusedAndNeverCrashes() throws {
        var random = SeededGenerator(seed: 4)
        for _ in 0..<3000 {
            var bytes = (Self.headers.randomElement(using: &random) ?? Self.headers[0]).bytes
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            // A block that was hit fails by its sum; a record may say something else, or be refused.
            _ = try? parse(bytes)
        }
        for _ in 0..<500 { _ = try? parse(random.bytes(2048)) }
        var plain = Self.headers[0].bytes
        plain[0] ^= 1
        #expect(throws: ObjectStoreError.self) { try parse(plain) }
    }

    @Test func extendedHeadersAreBounded() throws {
        var parser = TarParser()
        var block = Array(Self.headers[0].bytes.prefix(512))
        for (index, byte) in "77777777777".utf8.enumerated() { block[124 + index] = byte }
        let sum = block.enumerated().reduce(0) { $0 + ((148..<156).contains($1.offset) ? 0x20 : Int($1.element)) }
        let digits = String(sum, radix: 8)
        let text = String(repeating: "0", count: 6 - digits.count) + digits + "\0 "
        for (index, byte) in text.utf8.enumerated() { block[148 + index] = byte }
        #expect(throws: ObjectStoreError.self) { try parser.take(block) }
    }

    @Test(arguments: [
        ("a", "b/a"), ("a/b", "b/a/b"), ("a/", "b/a/%2F"), ("//", "b/%2F/%2F/%2F"), ("a/../b", "b/a/%2E%2E/b"),
        ("./x", "b/%2E/x"), ("...", "b/..."), ("a\0b", "b/a%00b"),
    ])
    func keysBecomePathsThatAreSafe(key: String, path: String) {
        #expect(ArchivePath.path(of: key, in: "b") == path)
    }
}

@Suite struct ArchiveTests {
    let directory: TemporaryDirectory
    let target: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory(inMemory: true)
        target = try TemporaryDirectory(inMemory: true)
    }

    static let keys = [
        "plain", "a/../b", "//", "a/", "a", "…/é", "😀 b+c%20&?#", "\u{1}\n", String(repeating: "k", count: 1024),
    ]

    func fill() async throws {
        let store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "somebody", tags: ["t": "1"])
        _ = try await store.createBucket(bucketName("empty"), owner: "o")
        for (index, key) in Self.keys.enumerated() {
            try await store.put(
                pattern(index * 9000, UInt64(index)),
                as: key,
                attributes: ObjectAttributes(contentType: "a/\(index)", userMetadata: ["é": "ü\n"])
            )
        }
        let upload = try await store.createUpload(
            of: objectKey("multi"),
            in: videos,
            attributes: ObjectAttributes(contentType: "m/p"),
            checksum: .crc32c,
            origin: origin
        )
        let parts = [
            try await store.putPart(pattern(5 << 20, 1), number: 1, of: upload),
            try await store.putPart(pattern(100, 2), number: 2, of: upload),
        ]
        _ = try await store.complete(upload, parts)
        await store.close()
    }

    func export(bucket: BucketName? = nil, prefix: String = "") async throws -> (ByteBuffer, ArchiveSummary) {
        let access = try await StoreAccess.open(at: FilePath(directory.path), isExclusive: false)
        var archive = ByteBuffer()
        let summary = try await StoreExport(access, bucket: bucket, prefix: prefix).run {
            archive.writeImmutableBuffer($0)
        }
        await access.close()
        return (archive, summary)
    }

    func importArchive(
        _ archive: ByteBuffer,
        bucket: BucketName? = nil,
        chunk: Int = 100_000
    ) async throws -> ArchiveSummary {
        let importer = try await StoreImport(
            into: FilePath(target.path),
            bucket: bucket,
            owner: "importer",
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            now: { clock.now() }
        )
        var rest = archive
        do {
            let summary = try await importer.run {
                rest.readSlice(length: min(chunk, rest.readableBytes)).flatMap { $0.readableBytes > 0 ? $0 : nil }
            }
            await importer.close()
            return summary
        } catch {
            await importer.close()
            throw error
        }
    }

    @Test(arguments: [100_000, 513]) func everythingComesBack(chunk: Int) async throws {
        try await fill()
        let (archive, written) = try await export()
        #expect(archive.readableBytes % 512 == 0)
        #expect(written.objects == Self.keys.count + 1 && written.buckets == 2 && written.skipped == 0)
        let read = try await importArchive(archive, chunk: chunk)
        #expect(read.objects == written.objects && read.bytes == written.bytes && read.skipped == 0)
        let source = try await ObjectStore.open(in: directory)
        let copy = try await ObjectStore.open(in: target)
        #expect(try await copy.buckets().map(\.name) == source.buckets().map(\.name))
        let bucket = try #require(try await copy.bucket(videos))
        #expect(bucket.owner == "somebody" && bucket.tags == ["t": "1"])
        let (old, new) = (try await source.list(bucket: videos).objects, try await copy.list(bucket: videos).objects)
        #expect(old.count == new.count)
        for (left, right) in zip(old, new) {
            #expect(left.key == right.key && left.eTag == right.eTag && left.size == right.size)
            #expect(left.attributes == right.attributes && left.partCount == right.partCount)
            #expect(left.lastModified == right.lastModified)
            #expect(try await source.bytes(of: left) == copy.bytes(of: right))
        }
        // Functions do not run for what comes back.
        #expect(try await copy.events(after: 0, limit: 10).isEmpty)
        try await copy.put([1], as: "new")
        #expect(try await copy.events(after: 0, limit: 10).count == 1)
        await source.close()
        await copy.close()
    }

    @Test func aPartOfTheStoreIsEnough() async throws {
        try await fill()
        #expect(try await export(bucket: videos, prefix: "a/").1.objects == 2)
        #expect(try await export(bucket: bucketName("empty")).1.objects == 0)
        let error = await #expect(throws: ObjectStoreError.self) { try await export(bucket: bucketName("none")) }
        #expect(error?.code == .noSuchBucket)
    }

    @Test func systemTarReadsIt() async throws {
        try await fill()
        let (archive, _) = try await export()
        try write(Array(archive.readableBytesView), to: target.path + "/archive.tar")
        try #require(mkdir(target.path + "/out", 0o700) == 0)
        let command =
            "cd \(target.path)/out && tar --warning=all -xf ../archive.tar 'videos/plain' 'videos/multi' 'videos/…/é' && tar -tf ../archive.tar > ../list"
        try #require(Shell.run(command) == 0)
        #expect(try contents(of: target.path + "/out/videos/multi").count == (5 << 20) + 100)
        #expect(try contents(of: target.path + "/out/videos/…/é") == pattern(5 * 9000, 5))
        let list = String(decoding: try contents(of: target.path + "/list"), as: UTF8.self)
        #expect(list.split(separator: "\n").count == Self.keys.count + 3)
        #expect(!list.contains("/../"))
    }

    @Test func archivesOfSystemTarBecomeObjects() async throws {
        let outside = try TemporaryDirectory()
        let long = String(repeating: "n", count: 180)
        let command = """
            cd \(outside.path) && mkdir -p pictures/sub && printf hello > pictures/one && printf x > 'pictures/sub/\(long)' \
            && ln -s one pictures/link && tar -cf gnu.tar pictures && tar --format=posix -cf pax.tar ./pictures \
            && tar --format=ustar -cf ustar.tar pictures/one
            """
        try #require(Shell.run(command) == 0)
        for (name, count, skipped) in [("gnu", 2, 1), ("pax", 2, 1), ("ustar", 1, 0)] {
            let archive = ByteBuffer(bytes: try contents(of: "\(outside.path)/\(name).tar"))
            let summary = try await importArchive(archive)
            #expect(summary.objects == count && summary.skipped == skipped, "\(name)")
        }
        let into = try await importArchive(
            ByteBuffer(bytes: contents(of: "\(outside.path)/gnu.tar")), bucket: bucketName("all"))
        #expect(into.objects == 2)
        let store = try await ObjectStore.open(in: target)
        #expect(try await store.bytes(of: "one", in: bucketName("pictures")) == Array("hello".utf8))
        #expect(try await store.bytes(of: "sub/\(long)", in: bucketName("pictures")) == Array("x".utf8))
        #expect(try await store.bytes(of: "pictures/one", in: bucketName("all")) == Array("hello".utf8))
        await store.close()
    }

    @Test func aCutArchiveIsRefused() async throws {
        try await fill()
        var (archive, _) = try await export()
        for length in [0, 100, 512, 5000, archive.readableBytes - 1024, archive.readableBytes / 2] {
            let part = archive.getSlice(at: 0, length: length) ?? ByteBuffer()
            let error = await #expect(throws: ObjectStoreError.self) { try await importArchive(part) }
            #expect(error?.code == .invalidArchive, "\(length)")
        }
        // A byte of an object: found by its ETag.
        let place = archive.readableBytes - 1024 - 512 - 4096
        archive.setInteger(archive.getInteger(at: place, as: UInt8.self).map { $0 ^ 1 } ?? 0, at: place)
        let error = await #expect(throws: ObjectStoreError.self) { try await importArchive(archive) }
        #expect(error?.code == .invalidArchive)
        #expect(try target.stagedFiles().isEmpty)
    }

    @Test func aDamagedUploadLeavesWhatIsThere() async throws {
        try await fill()
        var (archive, _) = try await export(prefix: "multi")
        let store = try await ObjectStore.open(in: target)
        _ = try await store.createBucket(videos, owner: "o")
        try await store.put([1, 2, 3], as: "multi")
        await store.close()
        let place = archive.readableBytes / 2
        archive.setInteger(archive.getInteger(at: place, as: UInt8.self).map { $0 ^ 1 } ?? 0, at: place)
        let error = await #expect(throws: ObjectStoreError.self) { try await importArchive(archive) }
        #expect(error?.code == .invalidArchive)
        let again = try await ObjectStore.open(in: target)
        #expect(try await again.bytes(of: "multi") == [1, 2, 3])
        #expect(try await again.uploads(in: videos).uploads.isEmpty)
        await again.close()
    }

    @Test func whatIsReplacedDuringAnExportIsInIt() async throws {
        let store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
        for key in ["a", "b", "c"] { try await store.put([1], as: key) }
        let access = try await StoreAccess.open(at: FilePath(directory.path), isExclusive: false)
        var pieces = 0
        var archive = ByteBuffer()
        let summary = try await StoreExport(access).run { piece in
            pieces += 1
            archive.writeImmutableBuffer(piece)
            guard pieces == 2 else { return }
            // Listed already, and replaced or deleted before it is written.
            try await store.put([2], as: "b")
            _ = try await store.delete([objectKey("c")], in: videos)
        }
        await access.close()
        await store.close()
        #expect(summary.skipped == 0 && summary.objects == 2)
        #expect(try await importArchive(archive).objects == 2)
        let copy = try await ObjectStore.open(in: target)
        #expect(try await copy.bytes(of: "b") == [2])
        await copy.close()
    }

    @Test func objectsWithoutContentAreLeftOut() async throws {
        try await fill()
        let store = try await ObjectStore.open(in: directory)
        let record = try #require(try await store.object(objectKey("…/é"), in: videos))
        await store.close()
        try #require(unlink(directory.path(of: record.content)) == 0)
        let (archive, summary) = try await export()
        #expect(summary.skipped == 1)
        #expect(try await importArchive(archive).objects == Self.keys.count)
    }
}

private enum Shell {
    /// The exit status of a command line.
    static func run(_ command: String) -> Int32 { system(command) }
}
