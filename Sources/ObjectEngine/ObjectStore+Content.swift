import Logging
package import Model
package import NIOCore
package import SystemPackage

extension ObjectStore {
    /// Opens an object's content, or a range of it, for reading.
    ///
    /// - `range`: in bytes; `nil` for all.
    ///
    /// - Throws: `contentReplaced`: look the object up again and repeat; `invalidRange`; `damaged`, `io`,
    ///   `closed`.
    package func open(
        _ record: ObjectRecord,
        range: Range<Int64>? = nil
    ) async throws(ObjectStoreError) -> ContentReader {
        try await open(try await locate(record), range: range)
    }

    /// Finds out where an object's content is, for `open`.
    ///
    /// - Throws: `io`, `closed`.
    package func locate(_ record: ObjectRecord) async throws(ObjectStoreError) -> FoundObject {
        FoundObject(record: record, content: try await read { try $0.storedContent(of: record) })
    }

    /// Opens the content of an object that `find` found, or a range of it, for reading.
    ///
    /// Small content is there already, and was compared with its check once this returns.
    ///
    /// - `range`: in bytes; `nil` for all.
    /// - `verifying`: whether files that are read from begin to end are compared with their checks.
    ///
    /// - Throws: as `open(_:range:)` of a record.
    package func open(
        _ found: FoundObject,
        range: Range<Int64>? = nil,
        verifying: Bool = true
    ) async throws(ObjectStoreError) -> ContentReader {
        let record = found.record
        let all = 0..<record.size.bytes
        let range = range ?? all
        guard range.lowerBound >= 0, range.upperBound <= all.upperBound else {
            throw ObjectStoreError(
                .invalidRange,
                "the range \(range) lies outside of the object's \(record.size.bytes) bytes"
            )
        }
        if case .bytes(let bytes, let check) = found.content {
            return try reader(of: bytes, range: range, check: check, record)
        }
        let release = try pin(record)
        do throws(ObjectStoreError) {
            let pieces = try await pieces(of: found).filter { $0.range.overlaps(range) || range.isEmpty }
            let files = files
            let position = try await files.run { () throws(ObjectStoreError) -> ContentReader.Position? in
                var position = ContentReader.Position(pieces: pieces, range: range, verifies: verifying)
                return try position.begin(in: files) ? position : nil
            }
            guard let position else { throw await missing(record) }
            return ContentReader(
                range: range,
                position: position,
                files: files,
                whenDamaged: { [logger] in Self.log($0, record, logger) },
                release: release
            )
        } catch {
            release()
            if error.code == .damaged { Self.log(error, record, logger) }
            throw error
        }
    }

    /// Looks an object up and opens it, again where it is replaced in between, so that record and bytes
    /// belong together.
    ///
    /// - `range`: says which bytes, once the record is known; `nil` for all.
    ///
    /// - Returns: `nil` where there is no object of that key.
    /// - Throws: what `range` throws, and as `open(_:range:)`.
    package func open(
        _ key: ObjectKey,
        in bucket: BucketName,
        range: @Sendable (ObjectRecord) throws(ObjectStoreError) -> Range<Int64>? = { _ in nil }
    ) async throws(ObjectStoreError) -> (record: ObjectRecord, reader: ContentReader)? {
        while let found = try await find(key, in: bucket) {
            do throws(ObjectStoreError) {
                return (found.record, try await open(found, range: range(found.record)))
            } catch {
                guard error.code == .contentReplaced else { throw error }
            }
        }
        return nil
    }

    /// Content that is in memory already, compared with its check; `nil` where it is not.
    ///
    /// - Throws: `damaged`.
    package func bytes(of found: FoundObject) throws(ObjectStoreError) -> ByteBuffer? {
        guard case .bytes(let bytes, let check) = found.content else { return nil }
        try verify(bytes, check: check, found.record)
        return bytes
    }

    /// - Throws: `damaged`.
    private func verify(_ bytes: ByteBuffer, check: UInt64, _ record: ObjectRecord) throws(ObjectStoreError) {
        let isWhole =
            Int64(bytes.readableBytes) == record.size.bytes
            && bytes.withUnsafeReadableBytes { ContentCheck.of($0) } == check
        guard !isWhole else { return }
        let error = ObjectStoreError(
            .damaged,
            "content in the index has not the bytes that were written; see apus store verify, and restore a backup"
        )
        Self.log(error, record, logger)
        throw error
    }

    /// A reader of bytes that are there.
    private func reader(
        of bytes: ByteBuffer,
        range: Range<Int64>,
        check: UInt64,
        _ record: ObjectRecord
    ) throws(ObjectStoreError) -> ContentReader {
        try verify(bytes, check: check, record)
        let start = bytes.readerIndex + Int(range.lowerBound)
        guard let slice = bytes.getSlice(at: start, length: Int(range.upperBound - range.lowerBound)) else {
            throw ObjectStoreError(.misuse, "a range lies outside of the object")
        }
        return ContentReader(range: range, position: .init(bytes: slice), files: files, release: {})
    }

    /// Says which object is damaged; there is nothing that a request could do about it.
    private static func log(_ error: ObjectStoreError, _ record: ObjectRecord, _ logger: Logger) {
        logger.error(
            "an object's content is damaged",
            metadata: [
                "bucket": "\(record.bucket)", "key": "\(record.key)", "content": "\(record.content)",
                "error": "\(error.message)",
            ]
        )
    }

    /// Copies an object's content into a new file, inside the kernel and sharing blocks where the file system
    /// can.
    ///
    /// The file is not made durable. Where the copy fails, no file is left.
    ///
    /// - Throws: `contentReplaced`: look the object up again and repeat; `storageFull`, `io` (also where
    ///   there is a file of that name), `damaged`, `closed`.
    package func export(_ record: ObjectRecord, to path: FilePath) async throws(ObjectStoreError) {
        let release = try pin(record)
        defer { release() }
        let content = try await read { try $0.storedContent(of: record) }
        if case .bytes(let bytes, _) = content {
            return try await files.run { [files] () throws(ObjectStoreError) in
                try ContentCopy.write(bytes, to: path.string, files)
            }
        }
        let pieces = try await pieces(of: FoundObject(record: record, content: content))
        let copy = ContentCopy(pieces: pieces, files: files, path: path.string)
        guard try await copy.run() else { throw await missing(record) }
    }

    /// The range of one part of a multipart object.
    ///
    /// - `number`: 1 to the object's `partCount`; 1 is all of an object that came in one piece.
    ///
    /// - Returns: `nil` where there is no such part.
    /// - Throws: `contentReplaced`, `io`, `closed`.
    package func range(ofPart number: Int, of record: ObjectRecord) async throws(ObjectStoreError) -> Range<
        Int64
    >? {
        guard number >= 1, number <= record.partCount ?? 1 else { return nil }
        guard record.partCount != nil else { return 0..<record.size.bytes }
        return try await pieces(of: FoundObject(record: record, content: .pieces))[number - 1].range
    }

    /// One page of the parts that a multipart upload made an object from; none where it came in one piece.
    ///
    /// - `number`: the page begins behind that part.
    ///
    /// - Throws: `io`, `closed`.
    package func parts(
        of record: ObjectRecord,
        after number: Int = 0,
        limit: Int = 1000
    ) async throws(ObjectStoreError) -> [ObjectPart] {
        guard record.partCount != nil else { return [] }
        return try await read { try $0.objectParts(of: record.content, after: number, limit: limit) }
    }

    /// The files of an object, in order; at least one.
    func pieces(of found: FoundObject) async throws(ObjectStoreError) -> [ContentPiece] {
        let record = found.record
        guard let count = record.partCount else {
            let check: UInt64? = if case .file(let check) = found.content { check } else { nil }
            return [ContentPiece(file: record.content, range: 0..<record.size.bytes, check: check)]
        }
        let pieces = try await read { try $0.pieces(of: record.content) }
        guard pieces.count == count, count > 0 else { throw await missing(record) }
        return pieces
    }

    /// Keeps content of many files in place.
    ///
    /// - Returns: what lets it go again.
    private func pin(_ record: ObjectRecord) throws(ObjectStoreError) -> @Sendable () -> Void {
        guard record.partCount != nil else { return {} }
        guard collector.pin(record.content) else { throw Self.replaced(record) }
        return { [collector] in collector.unpin(record.content) }
    }

    /// Why an object's content is not there: it was replaced, or the store is damaged.
    func missing(_ record: ObjectRecord) async -> ObjectStoreError {
        do throws(ObjectStoreError) {
            guard try await read({ try $0.isInUse(record.content) }) else { return Self.replaced(record) }
            return ObjectStoreError(
                .damaged,
                "the content \(record.content) of an object is missing; restore a backup of the data directory"
            )
        } catch {
            return error
        }
    }

    private static func replaced(_ record: ObjectRecord) -> ObjectStoreError {
        ObjectStoreError(
            .contentReplaced,
            "the object \(record.key) of the bucket \(record.bucket) was replaced or deleted; look it up again"
        )
    }
}
