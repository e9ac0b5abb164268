import DurableSQLite
import GRDB
package import Logging
package import Model
package import NIOCore
import S3Wire
import Synchronization
package import SystemPackage

/// A tar archive taken into a store that nobody else uses.
///
/// What `StoreExport` wrote comes back as it was: times, metadata, parts and ETags, settings of buckets. Files of
/// other archives become plain objects: the first part of a path is the bucket, unless one is named for all. No
/// events are written: functions do not run for what comes back.
package struct StoreImport: Sendable {
    /// What was taken in.
    package struct Summary: Sendable, Equatable {
        package var buckets = 0
        package var objects = 0
        package var bytes: Int64 = 0
        /// Members that are no files, or whose names no bucket or key can have.
        package var skipped = 0
    }

    private let store: ObjectStore
    private let clock: ImportClock
    private let bucket: BucketName?
    private let owner: String
    private let whenSkipped: @Sendable (_ path: String, _ why: String) -> Void

    /// Opens the store in a directory, for an import.
    ///
    /// - `bucket`: for the files of other programs' archives; `nil` for the first part of their paths.
    /// - `owner`: of buckets that the archive tells none of.
    /// - `whenSkipped`: told of members that are left out.
    ///
    /// - Throws: as `ObjectStore.open`.
    package init(
        into directory: FilePath,
        bucket: BucketName? = nil,
        owner: String,
        logger: Logger,
        now: @escaping @Sendable () -> Instant,
        whenSkipped: @escaping @Sendable (_ path: String, _ why: String) -> Void = { _, _ in }
    ) async throws(ObjectStoreError) {
        let clock = ImportClock(now)
        self.clock = clock
        self.bucket = bucket
        self.owner = owner
        self.whenSkipped = whenSkipped
        store = try await ObjectStore.open(
            at: directory,
            durability: .always,
            logger: logger,
            now: { clock.now() },
            writesEvents: false
        )
    }

    /// Takes the archive in that `read` gives piece by piece, `nil` at its end.
    ///
    /// Objects that have the same key are replaced. What was taken in before an error stays.
    ///
    /// - Throws: `invalidArchive`, `storageFull`, `io`; what `read` throws.
    package func run(read: () async throws -> ByteBuffer?) async throws -> Summary {
        var input = ArchiveInput()
        var parser = TarParser()
        var summary = Summary()
        while let block = try await input.take(TarHeader.blockSize, read) {
            switch try parser.take(block) {
            case .end:
                return summary
            case .extended(let size):
                guard let bytes = try await input.take(Int(size), read) else { throw Self.cutOff }
                try await input.skip(Int64(TarHeader.padding(size).count), read)
                try parser.extend(bytes)
            case .member(let header):
                let before = input.taken
                try await take(header, &input, &summary, read)
                // What was not looked at, and what fills the last block.
                let rest = header.size - (input.taken - before)
                try await input.skip(rest + Int64(TarHeader.padding(header.size).count), read)
            }
        }
        throw Self.cutOff
    }

    /// Ends the import; the store may be used by others again.
    package func close() async { await store.close() }

    private func take(
        _ header: TarHeader,
        _ input: inout ArchiveInput,
        _ summary: inout Summary,
        _ read: () async throws -> ByteBuffer?
    ) async throws {
        let attributes = Dictionary(header.attributes) { $1 }
        do throws(ImportRefusal) {
            if header.kind == .folder, let name = attributes[ArchiveAttribute.bucket] {
                try await makeBucket(bucketName(name), attributes, header.modified)
                summary.buckets += 1
                return
            }
            guard header.kind != .folder else { return }
            guard header.kind == .file else { throw ImportRefusal(why: "it is no file") }
            let object = try ImportedObject(header, attributes, bucket: bucket)
            try await makeBucket(object.bucket, [:], nil)
            try await put(object, &input, read)
            summary.objects += 1
            summary.bytes += header.size
        } catch {
            if let cause = error.cause { throw cause }
            summary.skipped += 1
            whenSkipped(header.path, error.why)
        }
    }

    private func bucketName(_ text: String) throws(ImportRefusal) -> BucketName {
        do { return try BucketName(text) } catch { throw ImportRefusal(why: "\(error)") }
    }

    private func makeBucket(
        _ name: BucketName,
        _ attributes: [String: String],
        _ created: Instant?
    ) async throws(ImportRefusal) {
        clock.time = created
        do {
            let tags = attributes[ArchiveAttribute.tags].flatMap(Self.strings) ?? [:]
            let settings = attributes[ArchiveAttribute.settings].flatMap(Self.strings) ?? [:]
            let isNew = try await store.createBucket(
                name,
                owner: attributes[ArchiveAttribute.owner] ?? owner,
                tags: tags
            )
            let versioning = attributes[ArchiveAttribute.versioning].flatMap(Versioning.init(rawValue:)) ?? .off
            guard isNew, !settings.isEmpty || versioning != .off else { return }
            try await store.write { index in
                try index.setVersioning(versioning, of: name)
                let id = try index.bucketID(name)
                for (kind, document) in settings {
                    try index.execute(
                        "INSERT INTO settings (bucket, kind, document) VALUES (?, ?, ?)",
                        [id, kind, document]
                    )
                }
            }
        } catch {
            throw ImportRefusal(why: "", cause: error)
        }
    }

    private func put(
        _ object: ImportedObject,
        _ input: inout ArchiveInput,
        _ read: () async throws -> ByteBuffer?
    ) async throws(ImportRefusal) {
        clock.time = object.modified
        do {
            let origin = RequestOrigin(principal: "import", sourceAddress: "")
            guard !object.parts.isEmpty else {
                let staged = try await stage(object.size, object.attributes.checksums.keys, &input, read)
                defer { staged.discard() }
                try Self.compare(try await staged.finish().eTag, with: object.eTag, object)
                _ = try await store.put(
                    staged,
                    as: object.key,
                    in: object.bucket,
                    attributes: object.attributes,
                    origin: origin
                )
                return
            }
            let algorithm = object.attributes.checksums.keys.first
            let upload = try await store.createUpload(
                of: object.key,
                in: object.bucket,
                attributes: object.attributes,
                checksum: algorithm,
                checksumType: object.attributes.checksumType,
                origin: origin
            )
            do {
                let parts = try await putParts(of: object, to: upload, &input, read)
                // Before the object that is there is replaced.
                let digests = parts.compactMap { Hexadecimal.bytes($0.eTag) }
                try Self.compare(MultipartChecksum.eTag(partDigests: digests), with: object.eTag, object)
                _ = try await store.completeUpload(
                    upload.id,
                    of: object.key,
                    in: object.bucket,
                    parts: parts,
                    origin: origin
                )
            } catch {
                // What is left of an upload that cannot be given up either is visible to its owner.
                try? await store.abortUpload(upload.id, of: object.key, in: object.bucket)
                throw error
            }
        } catch {
            throw ImportRefusal(why: "", cause: error)
        }
    }

    private func putParts(
        of object: ImportedObject,
        to upload: MultipartUpload,
        _ input: inout ArchiveInput,
        _ read: () async throws -> ByteBuffer?
    ) async throws -> [CompletedPart] {
        var parts: [CompletedPart] = []
        for (number, size) in object.parts.enumerated() {
            let staged = try await stage(size, object.attributes.checksums.keys, &input, read)
            let checksums = try await staged.finish().checksumTexts
            let part = try await store.putPart(
                staged,
                number: number + 1,
                of: upload.id,
                key: object.key,
                in: object.bucket,
                checksums: checksums
            )
            parts.append(CompletedPart(number: part.number, eTag: part.eTag, checksums: part.checksums))
        }
        return parts
    }

    private func stage(
        _ size: Int64,
        _ checksums: some Sequence<ChecksumAlgorithm>,
        _ input: inout ArchiveInput,
        _ read: () async throws -> ByteBuffer?
    ) async throws -> StagedContent {
        let staged = store.stage(checksums: Set(checksums))
        var left = size
        while left > 0 {
            guard let chunk = try await input.chunk(upTo: left, read) else { throw Self.cutOff }
            left -= Int64(chunk.readableBytes)
            try await staged.write(chunk)
        }
        return staged
    }

    /// - Throws: `invalidArchive` where the bytes are not those that were exported.
    private static func compare(_ eTag: String, with expected: String?, _ object: ImportedObject) throws {
        guard let expected, expected != eTag else { return }
        throw ObjectStoreError(
            .invalidArchive,
            "the archive is damaged: the bytes of \(object.bucket)/\(object.key) are not those that were exported"
        )
    }

    private static func strings(_ text: String) -> [String: String]? {
        guard let object = (try? JSONValue.parse(text))?.objectValue else { return nil }
        return Dictionary(object.members.compactMap { pair in pair.value.stringValue.map { (pair.key, $0) } }) { $1 }
    }

    private static let cutOff = ObjectStoreError(.invalidArchive, "the archive is cut off")
}

/// Why a member is left out, or, with a cause, why the import ends.
struct ImportRefusal: Error {
    let why: String
    var cause: (any Error)?
}

/// An object as an archive tells of it.
private struct ImportedObject {
    let bucket: BucketName
    let key: ObjectKey
    let size: Int64
    let modified: Instant
    let attributes: ObjectAttributes
    /// `nil` for an archive of another program.
    let eTag: String?
    /// In bytes; empty for an object that came in one piece.
    let parts: [Int64]

    init(_ header: TarHeader, _ said: [String: String], bucket: BucketName?) throws(ImportRefusal) {
        var path = ArchivePath.key(of: header.path)
        var name = bucket?.text
        if let own = said[ArchiveAttribute.bucket], let key = said[ArchiveAttribute.key] {
            (name, path) = (bucket?.text ?? own, key)
        } else if bucket == nil {
            let parts = path.split(separator: "/", maxSplits: 1)
            guard parts.count == 2 else { throw ImportRefusal(why: "no bucket is named; give one with --bucket") }
            (name, path) = (String(parts[0]), String(parts[1]))
        }
        do {
            self.bucket = try BucketName(name ?? "")
            key = try ObjectKey(path)
            attributes = try ObjectAttributes(
                contentType: said[ArchiveAttribute.contentType] ?? ObjectAttributes.defaultContentType,
                text: said[ArchiveAttribute.attributes] ?? ""
            )
        } catch {
            throw ImportRefusal(why: "\(error)")
        }
        size = header.size
        modified = header.modified
        eTag = said[ArchiveAttribute.eTag]
        parts = said[ArchiveAttribute.parts]?.split(separator: ",").compactMap { Int64($0) } ?? []
        guard parts.isEmpty || parts.reduce(0, { $0 &+ $1 }) == size, parts.count <= 10_000,
            parts.allSatisfy({ $0 >= 0 })
        else { throw ImportRefusal(why: "its parts do not add up") }
    }
}

/// The time that objects get: that of the archive while one is taken in.
private final class ImportClock: Sendable {
    private let base: @Sendable () -> Instant
    private let fixed = Mutex<Instant?>(nil)

    init(_ now: @escaping @Sendable () -> Instant) { base = now }

    var time: Instant? {
        get { fixed.withLock { $0 } }
        set { fixed.withLock { $0 = newValue } }
    }

    func now() -> Instant { time ?? base() }
}

/// The bytes of an archive, in the portions that its reader wants.
struct ArchiveInput {
    private var waiting = ByteBuffer()
    /// How many bytes were taken or skipped.
    private(set) var taken: Int64 = 0

    /// Exactly so many bytes; `nil` where there are not as many.
    mutating func take(_ count: Int, _ read: () async throws -> ByteBuffer?) async throws -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            guard let chunk = try await chunk(upTo: Int64(count - bytes.count), read) else { return nil }
            bytes += chunk.readableBytesView
        }
        return bytes
    }

    /// Some bytes, at least one; `nil` at the end.
    mutating func chunk(upTo count: Int64, _ read: () async throws -> ByteBuffer?) async throws -> ByteBuffer? {
        while waiting.readableBytes == 0 {
            guard let more = try await read() else { return nil }
            waiting = more
        }
        let length = Int(min(count, Int64(waiting.readableBytes)))
        taken += Int64(length)
        return waiting.readSlice(length: length)
    }

    mutating func skip(_ count: Int64, _ read: () async throws -> ByteBuffer?) async throws {
        var left = count
        while left > 0 {
            guard let chunk = try await chunk(upTo: left, read) else { return }
            left -= Int64(chunk.readableBytes)
        }
    }
}
