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
    private let store: ObjectStore
    private let clock: ImportClock
    private let bucket: BucketName?
    private let owner: String
    private let whenSkipped: @Sendable (_ path: String, _ why: String) -> Void
    private let whenAdvanced: @Sendable (ArchiveSummary) -> Void

    /// Opens the store in a directory, for an import.
    ///
    /// - `bucket`: for the files of other programs' archives; `nil` for the first part of their paths.
    /// - `owner`: of buckets that the archive tells none of.
    /// - `whenSkipped`: told of members that are left out.
    /// - `whenAdvanced`: told often; cheap, please.
    ///
    /// - Throws: as `ObjectStore.open`.
    package init(
        into directory: FilePath,
        bucket: BucketName? = nil,
        owner: String,
        logger: Logger,
        now: @escaping @Sendable () -> Instant,
        whenSkipped: @escaping @Sendable (_ path: String, _ why: String) -> Void = { _, _ in },
        whenAdvanced: @escaping @Sendable (ArchiveSummary) -> Void = { _ in }
    ) async throws(ObjectStoreError) {
        let clock = ImportClock(now)
        self.clock = clock
        self.bucket = bucket
        self.owner = owner
        self.whenSkipped = whenSkipped
        self.whenAdvanced = whenAdvanced
        store = try await ObjectStore.open(
            at: directory,
            durability: .always,
            logger: logger,
            now: { clock.now() },
            writesEvents: false
        )
    }

    /// How far an import is.
    private struct Run {
        var input = ArchiveInput()
        var summary = ArchiveSummary()
        /// The version that was brought back last, and when it was replaced.
        var last: (bucket: BucketName, key: ObjectKey, replaced: Instant?)?
    }

    /// Takes the archive in that `read` gives piece by piece, `nil` at its end.
    ///
    /// Objects that have the same key are replaced; versions come back under their names, in the order of the archive, as
    /// newer ones than those that their key has. What was taken in before an error stays.
    ///
    /// - Throws: `invalidArchive`, `storageFull`, `io`; what `read` throws.
    package func run(read: () async throws -> ByteBuffer?) async throws -> ArchiveSummary {
        var run = Run()
        var parser = TarParser()
        while let block = try await run.input.take(TarHeader.blockSize, read) {
            switch try parser.take(block) {
            case .end:
                return run.summary
            case .extended(let size):
                guard let bytes = try await run.input.take(Int(size), read) else { throw Self.cutOff }
                try await run.input.skip(Int64(TarHeader.padding(size).count), read)
                try parser.extend(bytes)
            case .member(let header):
                let before = run.input.taken
                try await take(header, &run, read)
                // What was not looked at, and what fills the last block.
                let rest = header.size - (run.input.taken - before)
                try await run.input.skip(rest + Int64(TarHeader.padding(header.size).count), read)
                whenAdvanced(run.summary)
            }
        }
        throw Self.cutOff
    }

    /// Ends the import; the store may be used by others again.
    package func close() async { await store.close() }

    private func take(_ header: TarHeader, _ run: inout Run, _ read: () async throws -> ByteBuffer?) async throws {
        let attributes = Dictionary(header.attributes) { $1 }
        do throws(ImportRefusal) {
            if header.kind == .folder, let name = attributes[ArchiveAttribute.bucket] {
                try await makeBucket(bucketName(name), attributes, header.modified)
                run.summary.buckets += 1
                return
            }
            guard header.kind != .folder else { return }
            guard header.kind == .file else { throw ImportRefusal(why: "it is no file") }
            let object = try ImportedObject(header, attributes, bucket: bucket)
            try await makeBucket(object.bucket, [:], nil)
            if let version = object.version {
                try await put(object, as: version, &run, read)
            } else {
                try await put(object, restoring: nil, &run.input, read)
            }
            if object.version?.isEarlier == true { run.summary.versions += 1 } else { run.summary.objects += 1 }
            run.summary.bytes += header.size
        } catch {
            if let cause = error.cause { throw cause }
            run.summary.skipped += 1
            whenSkipped(header.path, error.why)
        }
    }

    /// Brings a version back, unless it is there.
    private func put(
        _ object: ImportedObject,
        as version: ArchivedVersion,
        _ run: inout Run,
        _ read: () async throws -> ByteBuffer?
    ) async throws(ImportRefusal) {
        let found: FoundVersion
        do {
            guard try await store.bucket(object.bucket)?.versioning != .off else {
                guard !version.isEarlier else { throw ImportRefusal(why: "its bucket keeps no versions") }
                return try await put(object, restoring: nil, &run.input, read)
            }
            found = try await store.find(object.key, version: version.id, in: object.bucket)
        } catch let error as ImportRefusal {
            throw error
        } catch {
            throw ImportRefusal(why: "", cause: error)
        }
        let previous = run.last.flatMap { $0.bucket == object.bucket && $0.key == object.key ? $0.replaced : nil }
        run.last = (object.bucket, object.key, version.replaced)
        switch found {
        case .marker where version.isMarker: return
        case .object(let there) where !version.isMarker && there.eTag == object.eTag && there.size.bytes == object.size:
            return
        case .marker, .object:
            // Of that name each key has one, which the latest write replaces.
            guard version.id == .null else { throw ImportRefusal(why: "another version of that name is there") }
        case .nothing: break
        }
        let restored = RestoredVersion(id: version.id, replacement: previous)
        guard version.isMarker else { return try await put(object, restoring: restored, &run.input, read) }
        clock.time = object.modified
        do throws(ObjectStoreError) {
            try await store.restoreMarker(restored, of: object.key, in: object.bucket)
        } catch {
            throw ImportRefusal(why: "", cause: error)
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
        restoring: RestoredVersion?,
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
                    origin: origin,
                    restoring: restoring
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
                    origin: origin,
                    restoring: restoring
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
