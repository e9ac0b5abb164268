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

/// Exports with all versions, and imports of them.
@Suite struct VersionArchiveTests {
    let directory: TemporaryDirectory
    let target: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory(inMemory: true)
        target = try TemporaryDirectory(inMemory: true)
    }

    /// What a client sees of a version.
    struct Seen: Hashable, CustomStringConvertible {
        let key: String
        let id: String
        let isMarker: Bool
        let modified: Int64
        let replaced: Int64?
        let eTag: String?
        let parts: Int?
        let type: String?
        let bytes: [UInt8]

        var description: String { "\(key) \(id) \(isMarker ? "marker" : eTag ?? "") \(modified) \(replaced ?? 0)" }
    }

    static func seen(_ store: ObjectStore, _ bucket: BucketName = videos) async throws -> [Seen] {
        var all: [Seen] = []
        for version in try await store.listVersions(in: bucket).versions {
            var record: ObjectRecord?
            if case .object(let object) = version.content { record = object }
            var bytes: [UInt8] = []
            if let record { bytes = try await store.bytes(of: record) }
            all.append(
                Seen(
                    key: version.key.text,
                    id: version.id.text,
                    isMarker: record == nil,
                    modified: version.lastModified.nanoseconds,
                    replaced: version.replaced?.nanoseconds,
                    eTag: record?.eTag,
                    parts: record?.partCount,
                    type: record?.attributes.contentType,
                    bytes: bytes
                )
            )
        }
        return all
    }

    static func export(
        _ directory: TemporaryDirectory,
        prefix: String = "",
        versions: Bool = true
    ) async throws -> (ByteBuffer, ArchiveSummary) {
        let access = try await StoreAccess.open(at: FilePath(directory.path), isExclusive: false)
        var archive = ByteBuffer()
        let summary = try await StoreExport(access, prefix: prefix, includesVersions: versions).run {
            archive.writeImmutableBuffer($0)
        }
        await access.close()
        return (archive, summary)
    }

    @discardableResult
    func importArchive(
        _ archive: ByteBuffer,
        whenSkipped: @escaping @Sendable (String, String) -> Void = { _, _ in }
    ) async throws -> ArchiveSummary {
        let importer = try await StoreImport(
            into: FilePath(target.path),
            owner: "importer",
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            now: { clock.now() },
            whenSkipped: whenSkipped
        )
        var rest = archive
        do {
            let summary = try await importer.run {
                rest.readSlice(length: min(10_000, rest.readableBytes)).flatMap { $0.readableBytes > 0 ? $0 : nil }
            }
            await importer.close()
            return summary
        } catch {
            await importer.close()
            throw error
        }
    }

    /// Versions of each kind: of the time before there were any, of several parts, markers in the middle and at the end.
    func fill() async throws {
        let store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
        _ = try await store.createBucket(bucketName("plain"), owner: "o")
        try await store.put([9], as: "only", in: bucketName("plain"))
        try await store.put([0], as: "old")
        try await store.put([0, 0], as: "untouched")
        try await store.setVersioning(enabled: true, of: videos)
        try await store.put(pattern(30_000), as: "old", attributes: ObjectAttributes(contentType: "a/b"))
        let upload = try await store.createUpload(
            of: objectKey("old"), in: videos, attributes: ObjectAttributes(), origin: origin)
        let part = try await store.putPart(pattern(70_000), number: 1, of: upload)
        _ = try await store.complete(upload, [part])
        for number in 0..<5 { try await store.put(pattern(number * 9000, UInt64(number)), as: "a/../b") }
        _ = try await store.delete([objectKey("a/../b")], in: videos)
        try await store.put([7], as: "a/../b")
        try await store.put([3], as: "gone")
        _ = try await store.delete([objectKey("gone")], in: videos)
        _ = try await store.delete([objectKey("never")], in: videos)
        for number in 0..<450 { try await store.put([UInt8(number & 255), UInt8(number >> 8)], as: "many") }
        try await store.setVersioning(enabled: false, of: videos)
        try await store.put([4, 4], as: "old")
        _ = try await store.delete([objectKey("untouched")], in: videos)
        await store.close()
    }

    @Test func everyVersionComesBackInItsOrder() async throws {
        try await fill()
        let (archive, written) = try await Self.export(directory)
        let read = try await importArchive(archive)
        #expect(read == written && read.skipped == 0)
        let (source, copy) = (try await ObjectStore.open(in: directory), try await ObjectStore.open(in: target))
        let (old, new) = (try await Self.seen(source), try await Self.seen(copy))
        #expect(old.count == written.objects + written.versions - 1 && old.count > 460)
        #expect(new == old)
        #expect(try await copy.bytes(of: "only", in: bucketName("plain")) == [9])
        #expect(try await copy.bucket(videos)?.versioning == .suspended)
        #expect(try await copy.bucket(videos)?.versionCount == source.bucket(videos)?.versionCount)
        #expect(try await copy.bucket(videos)?.size == source.bucket(videos)?.size)
        #expect(try await copy.events(after: 0, limit: 10).isEmpty)
        await source.close()
        await copy.close()
        // Once more, nothing changes.
        #expect(try await importArchive(archive) == read)
        let again = try await ObjectStore.open(in: target)
        #expect(try await Self.seen(again) == old)
        await again.close()
    }

    @Test func theDefaultIsTheLatestOnly() async throws {
        try await fill()
        let (archive, written) = try await Self.export(directory, versions: false)
        #expect(written.versions == 0 && written.objects == 4)
        let text = String(decoding: archive.readableBytesView, as: UTF8.self)
        #expect(!text.contains("user.apus.version=") && !text.contains(".versions/"))
        try await importArchive(archive)
        let copy = try await ObjectStore.open(in: target)
        #expect(try await Self.seen(copy).map(\.key) == ["a/../b", "many", "old"])
        await copy.close()
    }

    @Test func aPrefixIsEnough() async throws {
        try await fill()
        let (archive, written) = try await Self.export(directory, prefix: "a/")
        #expect(written.objects == 1 && written.versions == 6)
        try await importArchive(archive)
        let copy = try await ObjectStore.open(in: target)
        #expect(try await Set(Self.seen(copy).map(\.key)) == ["a/../b"])
        await copy.close()
    }

    @Test func systemTarFindsTheLatestInItsPlace() async throws {
        try await fill()
        let (archive, _) = try await Self.export(directory, prefix: "o")
        try write(Array(archive.readableBytesView), to: target.path + "/archive.tar")
        try #require(system("cd \(target.path) && mkdir out && tar --warning=all -C out -xf archive.tar") == 0)
        #expect(try contents(of: target.path + "/out/videos/old") == [4, 4])
        #expect(try TemporaryDirectory.names(in: target.path + "/out/.versions/videos/old").count == 2)
    }

    /// What is there already becomes older than what comes.
    @Test func whatIsThereStays() async throws {
        try await fill()
        let store = try await ObjectStore.open(in: target)
        _ = try await store.createBucket(videos, owner: "o")
        try await store.setVersioning(enabled: true, of: videos)
        let own = try await store.put([1, 2, 3], as: "gone")
        await store.close()
        try await importArchive(Self.export(directory, prefix: "gone").0)
        let copy = try await ObjectStore.open(in: target)
        let versions = try await copy.listVersions(in: videos).versions
        #expect(versions.count == 3 && versions.last?.id == own.version && versions[0].isLatest)
        if case .marker = versions[0].content {} else { Issue.record("the latest is no marker") }
        await copy.close()
    }

    @Test func aBucketWithoutVersionsTakesTheLatest() async throws {
        try await fill()
        let store = try await ObjectStore.open(in: target)
        _ = try await store.createBucket(videos, owner: "o")
        await store.close()
        let reasons = Mutex<Set<String>>([])
        let summary = try await importArchive(Self.export(directory, prefix: "old").0) { _, why in
            reasons.withLock { _ = $0.insert(why) }
        }
        #expect(summary.objects == 1 && summary.skipped == 2)
        #expect(reasons.withLock { $0 } == ["its bucket keeps no versions"])
        let copy = try await ObjectStore.open(in: target)
        #expect(try await copy.bytes(of: "old") == [4, 4])
        await copy.close()
    }

    @Test func missingContentIsLeftOut() async throws {
        try await fill()
        let store = try await ObjectStore.open(in: directory)
        let version = try #require(
            try await store.listVersions(in: videos, prefix: "old").versions.first {
                $0.key.text == "old" && !$0.isLatest
            })
        var found: ObjectRecord?
        if case .object(let record) = version.content { found = record }
        let record = try #require(found)
        let files = try await store.read { try $0.pieces(of: record.content).map(\.file) }
        await store.close()
        try #require(unlink(directory.path(of: files.first ?? record.content)) == 0)
        let (archive, written) = try await Self.export(directory, prefix: "old")
        #expect(written.skipped == 1)
        #expect(try await importArchive(archive).versions == 1)
    }

    @Test func aServerGoesOnBeside() async throws {
        let store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
        try await store.setVersioning(enabled: true, of: videos)
        for number in 0..<300 { try await store.put([1, UInt8(number & 255)], as: "key") }
        let access = try await StoreAccess.open(at: FilePath(directory.path), isExclusive: false)
        var archive = ByteBuffer()
        var pieces = 0
        _ = try await StoreExport(access, includesVersions: true).run { piece in
            archive.writeImmutableBuffer(piece)
            pieces += 1
            guard pieces % 50 == 0 else { return }
            try await store.put([2], as: "key")
            _ = try await store.delete([objectKey("key")], in: videos)
        }
        await access.close()
        try await importArchive(archive)
        let copy = try await ObjectStore.open(in: target)
        let (all, some) = (try await Self.seen(store).map(\.id), try await Self.seen(copy).map(\.id))
        // All of one moment's history, and perhaps some of what came since.
        #expect(some.count >= 300 && Array(all.suffix(some.count)) == some)
        await copy.close()
        await store.close()
    }

    static let hostile: [(attributes: [String: String], size: Int64, why: String)] = [
        (["version": ""], 0, "its version is none"),
        (["version": "NULL"], 0, "its version is none"),
        (["version": "../../etc/passwd"], 0, "its version is none"),
        (["version": String(repeating: "g", count: 32)], 0, "its version is none"),
        (["version": String(repeating: "a", count: 33)], 0, "its version is none"),
        (["version": "null", "marker": "keep"], 0, "its version is none"),
        (["version": "null", "replaced": "-1"], 0, "the time at which it was replaced is none"),
        (["version": "null", "replaced": "99999999999999999999"], 0, "the time at which it was replaced is none"),
        (["version": "null", "replaced": ""], 0, "the time at which it was replaced is none"),
        (["version": "null", "marker": "delete"], 5, "it is a delete marker with content"),
        (["version": "null", "marker": "delete", "parts": "0"], 0, "it is a delete marker with content"),
        (["marker": "delete"], 0, "it is a delete marker without a name"),
    ]

    /// Archives of one bucket and the members that are given, each with so many bytes.
    static func archive(_ members: [(attributes: [String: String], size: Int64)]) -> ByteBuffer {
        var archive = ByteBuffer()
        let time = Instant(seconds: 1_700_000_000)
        let folder = TarHeader(
            path: "videos/", kind: .folder, size: 0, modified: time,
            attributes: [("bucket", "videos"), ("versioning", "Enabled")])
        archive.writeBytes(folder.bytes)
        for (attributes, size) in members {
            let own = ["bucket": "videos", "key": "key"].merging(attributes) { $1 }
            let header = TarHeader(
                path: "videos/key", size: size, modified: time, attributes: own.map { ($0.key, $0.value) })
            archive.writeBytes(header.bytes)
            archive.writeRepeatingByte(1, count: Int(size))
            archive.writeBytes(TarHeader.padding(size))
        }
        archive.writeBytes(TarHeader.end)
        return archive
    }

    @Test(arguments: hostile.indices) func hostileMembersAreLeftOut(index: Int) async throws {
        let (attributes, size, why) = Self.hostile[index]
        let good = (attributes: ["version": "null"], size: Int64(3))
        let reasons = Mutex<[String]>([])
        let summary = try await importArchive(Self.archive([(attributes, size), good])) { _, why in
            reasons.withLock { $0.append(why) }
        }
        #expect(summary.skipped == 1 && summary.objects == 1)
        #expect(reasons.withLock { $0 } == [why])
        let store = try await ObjectStore.open(in: target)
        #expect(try await Self.seen(store).map(\.id) == ["null"])
        await store.close()
    }

    /// Names that come twice, in any order: the key keeps a history that can be listed, read and deleted.
    @Test func namesThatComeTwice() async throws {
        let (one, two) = (String(repeating: "a", count: 32), String(repeating: "b", count: 32))
        let members: [(attributes: [String: String], size: Int64)] = [
            (["version": one, "replaced": "5"], 1), (["version": two, "replaced": "9000000000000000000"], 2),
            (["version": one], 3), (["version": "null"], 4), (["version": "null", "marker": "delete"], 0),
            (["version": "null"], 5), (["version": two, "marker": "delete"], 0), ([:], 6),
        ]
        let summary = try await importArchive(Self.archive(members))
        #expect(summary.skipped == 2)
        let store = try await ObjectStore.open(in: target)
        let versions = try await store.listVersions(in: videos).versions
        #expect(versions.count == 4 && versions.filter(\.isLatest).count == 1)
        #expect(Set(versions.map(\.id.text)).isSuperset(of: [one, two, "null"]))
        for version in versions {
            _ = try await store.delete([Deletion(version.key, version: version.id)], in: videos)
        }
        #expect(try await store.listVersions(in: videos).versions.isEmpty)
        #expect(try await store.bucket(videos)?.versionCount == 0)
        await store.close()
    }

    /// Random histories: the copy lists the same.
    @Test(arguments: 1...6) func randomHistories(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
        for _ in 0..<150 {
            let key = objectKey(["a", "a/", "b", "ü"].randomElement(using: &random) ?? "a")
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5: try await store.put(random.bytes(Int.random(in: 0...9, using: &random)), as: key.text)
            case 5..<7: _ = try await store.delete([key], in: videos)
            case 7..<9:
                let versions = try await store.listVersions(in: videos).versions
                if let one = versions.randomElement(using: &random) {
                    _ = try await store.delete([Deletion(one.key, version: one.id)], in: videos)
                }
            default:
                try await store.setVersioning(enabled: Bool.random(using: &random), of: videos)
            }
        }
        let expected = try await Self.seen(store)
        await store.close()
        try await importArchive(Self.export(directory).0)
        let copy = try await ObjectStore.open(in: target)
        #expect(try await Self.seen(copy) == expected, "seed \(seed)")
        await copy.close()
    }

    @Test func damagedArchivesNeverCrash() async throws {
        var random = SeededGenerator(seed: 11)
        let good = Self.archive([
            (["version": "null", "replaced": "5"], 3),
            (["version": String(repeating: "c", count: 32), "marker": "delete"], 0),
        ])
        for _ in 0..<60 {
            var archive = good
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let place = Int.random(in: 0..<archive.readableBytes, using: &random)
                archive.setInteger(UInt8.random(in: 0...255, using: &random), at: place)
            }
            _ = try? await importArchive(archive)
        }
        let store = try await ObjectStore.open(in: target)
        for bucket in try await store.buckets() { _ = try await Self.seen(store, bucket.name) }
        await store.close()
    }
}
