import DurableSQLite
import GRDB
import Glibc
import Logging
import Model
import NIOCore
import ObjectEngine
import S3Wire
import Synchronization
import SystemPackage
import TestKit

/// A directory that goes, with all that is in it, when the object goes.
final class TemporaryDirectory: Sendable {
    let path: String

    /// - `inMemory`: where the system has room for that; syncs cost nothing there.
    init(inMemory: Bool = false) throws {
        let parent = inMemory && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        var template = Array("\(parent)/object-engine-tests-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        if unlink(path) == 0 { return }
        for name in (try? names(in: path)) ?? [] { remove("\(path)/\(name)") }
        rmdir(path)
    }

    static func names(in path: String) throws -> [String] {
        guard let stream = opendir(path) else { throw Errno(rawValue: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// The names of all content files.
    func contentFiles() throws -> [String] {
        try Self.names(in: path + "/content").flatMap { try Self.names(in: "\(path)/content/\($0)") }.sorted()
    }

    /// How many contents there are, in files and in the index.
    func contentCount() throws -> Int {
        let index = try DatabaseQueue(path: path + "/index.sqlite")
        let small = try index.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM small_contents") ?? 0 }
        return try contentFiles().count + small
    }

    /// Where the file of an object's content is.
    func path(of content: ContentID) -> String { "\(path)/content/\(content.text.suffix(2))/\(content.text)" }

    func stagedFiles() throws -> [String] { try Self.names(in: path + "/staging") }
}

/// A clock that goes on by one millisecond each time it is asked.
final class StepClock: Sendable {
    private let milliseconds = Mutex<Int64>(1_700_000_000_000)

    func now() -> Instant {
        milliseconds.withLock {
            $0 += 1
            return Instant(nanoseconds: $0 * 1_000_000)
        }
    }
}

let clock = StepClock()
let origin = RequestOrigin(principal: "tester", sourceAddress: "192.0.2.7")

func bucketName(_ text: String) -> BucketName {
    do { return try BucketName(text) } catch { preconditionFailure("\(error)") }
}

func objectKey(_ text: String) -> ObjectKey {
    do { return try ObjectKey(text) } catch { preconditionFailure("\(error)") }
}

let videos = bucketName("videos")

enum ContentSizes {
    /// Content up to this size, in bytes, is kept in the index (`docs/object-store.md`).
    static let small = 16_384
}

extension ObjectStore {
    static func open(
        in directory: TemporaryDirectory,
        durability: Durability = .never,
        syncInterval: Duration = DurableDatabase.syncInterval,
        probe: (any FileSystemProbe)? = nil
    ) async throws -> ObjectStore {
        try await open(
            at: FilePath(directory.path),
            durability: durability,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            now: { clock.now() },
            syncInterval: syncInterval,
            probe: probe
        )
    }

    /// Opens the store in a directory, lets it tidy up, and closes it.
    static func reclaimSpace(in directory: TemporaryDirectory) async throws {
        let store = try await open(in: directory)
        await store.reclaimSpace()
        await store.close()
    }

    func staged(_ bytes: [UInt8], checksums: Set<ChecksumAlgorithm> = [], chunk: Int = 100_000) async throws
        -> StagedContent
    {
        let staged = stage(checksums: checksums)
        for start in stride(from: 0, to: bytes.count, by: chunk) {
            try await staged.write(ByteBuffer(bytes: bytes[start..<min(start + chunk, bytes.count)]))
        }
        try await staged.finish()
        return staged
    }

    @discardableResult
    func put(
        _ bytes: [UInt8],
        as key: String,
        in bucket: BucketName = videos,
        attributes: ObjectAttributes = ObjectAttributes(),
        condition: WriteCondition = .none
    ) async throws -> ObjectRecord {
        try await put(
            staged(bytes),
            as: objectKey(key),
            in: bucket,
            attributes: attributes,
            condition: condition,
            origin: origin
        )
    }

    func bytes(of record: ObjectRecord, range: Range<Int64>? = nil) async throws -> [UInt8] {
        try await open(record, range: range).allBytes()
    }

    func bytes(of key: String, in bucket: BucketName = videos) async throws -> [UInt8]? {
        try await open(objectKey(key), in: bucket)?.reader.allBytes()
    }

    func putPart(_ bytes: [UInt8], number: Int, of upload: MultipartUpload) async throws -> UploadPart {
        let content = try await staged(bytes, checksums: Set(upload.checksumAlgorithm.map { [$0] } ?? []))
        return try await putPart(
            content,
            number: number,
            of: upload.id,
            key: upload.key,
            in: upload.bucket,
            checksums: content.summary?.checksumTexts ?? [:]
        )
    }

    func complete(_ upload: MultipartUpload, _ parts: [UploadPart]) async throws -> ObjectRecord {
        try await completeUpload(
            upload.id,
            of: upload.key,
            in: upload.bucket,
            parts: parts.map { CompletedPart(number: $0.number, eTag: $0.eTag, checksums: $0.checksums) },
            origin: origin
        )
    }
}

extension ContentReader {
    func allBytes() async throws -> [UInt8] {
        var all: [UInt8] = []
        for try await chunk in self { all += chunk.readableBytesView }
        return all
    }
}

/// Bytes that the seed decides, quick to make: a pattern of 64 KiB.
func pattern(_ count: Int, _ seed: UInt64 = 1) -> [UInt8] {
    var generator = SeededGenerator(seed: seed)
    let first = UInt8.random(in: 0...255, using: &generator)
    return (0..<count).map { first &+ UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
}

func write(_ bytes: [UInt8], to path: String) throws {
    let file = try FileDescriptor.open(
        FilePath(path),
        .writeOnly,
        options: [.create, .truncate],
        permissions: .ownerReadWrite
    )
    try file.closeAfter { _ = try file.writeAll(bytes) }
}

func contents(of path: String) throws -> [UInt8] {
    let file = try FileDescriptor.open(FilePath(path), .readOnly)
    return try file.closeAfter {
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while case let count = try chunk.withUnsafeMutableBytes({ try file.read(into: $0) }), count > 0 {
            all += chunk[..<count]
        }
        return all
    }
}
