import NIOCore
import S3Wire
import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Content on its way in: bytes not yet written, the file behind them, and what was reckoned from them so
/// far.
///
/// A value that one call at a time takes, works on and puts back; the methods that touch the file block.
struct Intake: Sendable {
    /// So many bytes are collected before they are hashed and written.
    ///
    /// Smaller content needs no file until it is put. Half of it made one large upload a third slower: threads wake one
    /// another for each.
    static let flushSize = 512 << 10

    let id: ContentID
    private(set) var size: Int64 = 0
    private(set) var file: OpenFile?
    private var waiting: [ByteBuffer] = []
    private var waitingSize = 0
    private var isHashed = false
    private var md5 = MD5Digest()
    private var check = ContentCheck()
    private var checksums: [Checksum]

    init(id: ContentID, checksums: Set<ChecksumAlgorithm>) {
        self.id = id
        self.checksums = checksums.map(Checksum.init)
    }

    /// Whether enough is collected to be worth a write.
    var isFull: Bool { waitingSize >= Self.flushSize }
    /// Whether so little came that hashing it may run on the caller's thread (some 50 µs).
    var isTiny: Bool { file == nil && size <= 16 << 10 }

    mutating func add(_ buffer: ByteBuffer) {
        guard buffer.readableBytes > 0 else { return }
        waiting.append(buffer)
        waitingSize += buffer.readableBytes
        size += Int64(buffer.readableBytes)
    }

    /// Hashes and writes what was collected.
    ///
    /// Blocks.
    mutating func flush(in files: ContentFiles) throws(ObjectStoreError) {
        hashWaiting()
        hasWritten(to: try writeWaiting(in: files))
    }

    /// Hashes what was collected, for `hasWritten` to follow.
    mutating func hashWaiting() {
        guard !isHashed else { return }
        isHashed = true
        for buffer in waiting { buffer.withUnsafeReadableBytes { hash($0) } }
    }

    /// What was collected is hashed and in the file.
    mutating func hasWritten(to file: OpenFile) {
        self.file = file
        waiting.removeAll(keepingCapacity: true)
        waitingSize = 0
        isHashed = false
    }

    /// Hashes and writes bytes that are not collected first, but where they are small content so far.
    ///
    /// Blocks.
    mutating func take(_ bytes: UnsafeRawBufferPointer, in files: ContentFiles) throws(ObjectStoreError) {
        guard file != nil || size + Int64(bytes.count) > PlacedContent.inlineLimit else {
            return add(ByteBuffer(bytes: bytes))
        }
        if waitingSize > 0 { try flush(in: files) }
        hash(bytes)
        size += Int64(bytes.count)
        do throws(Errno) {
            let file = try openFile(in: files)
            self.file = file
            try file.write(bytes)
        } catch {
            throw ObjectStoreError(error, "cannot write the content")
        }
    }

    /// Ends the intake: all bytes are hashed; small content stays in memory.
    ///
    /// Blocks where there is a file.
    mutating func finish(in files: ContentFiles) throws(ObjectStoreError) -> ContentSummary {
        hashWaiting()
        if file != nil { hasWritten(to: try writeWaiting(in: files)) }
        var values: [ChecksumAlgorithm: [UInt8]] = [:]
        for checksum in checksums { values[checksum.algorithm] = checksum.value }
        return ContentSummary(size: size, md5: md5.value, checksums: values, check: check.value)
    }

    /// The bytes in one piece, where they are few enough to be kept in the index.
    var smallContent: ByteBuffer? {
        guard file == nil, size <= PlacedContent.inlineLimit else { return nil }
        guard waiting.count != 1 else { return waiting[0] }
        var whole = ByteBufferAllocator().buffer(capacity: Int(size))
        for buffer in waiting { whole.writeImmutableBuffer(buffer) }
        return whole
    }

    /// Puts the content in its place, durably.
    ///
    /// Blocks.
    mutating func settle(in files: ContentFiles) throws(ObjectStoreError) {
        hasWritten(to: try writeWaiting(in: files))
        try files.settle(id, file: file)
    }

    private mutating func hash(_ bytes: UnsafeRawBufferPointer) {
        md5.update(bytes)
        check.update(bytes)
        for index in checksums.indices { checksums[index].update(bytes) }
    }

    /// Writes what was collected, for `hasWritten` to follow; makes the file also where that is nothing.
    ///
    /// Blocks.
    func writeWaiting(in files: ContentFiles) throws(ObjectStoreError) -> OpenFile {
        do throws(Errno) {
            let file = try openFile(in: files)
            for buffer in waiting {
                try buffer.withTypedReadableBytes { (bytes) throws(Errno) in try file.write(bytes) }
            }
            return file
        } catch {
            throw ObjectStoreError(error, "cannot write the content")
        }
    }

    private func openFile(in files: ContentFiles) throws(Errno) -> OpenFile {
        if let file { return file }
        return try files.calls.open(files.stagingPath(id), O_WRONLY | O_CREAT | O_EXCL)
    }
}

extension ByteBuffer {
    /// `withUnsafeReadableBytes` with a typed error.
    func withTypedReadableBytes(_ body: (UnsafeRawBufferPointer) throws(Errno) -> Void) throws(Errno) {
        let result = withUnsafeReadableBytes { bytes in
            do throws(Errno) { return Result<Void, Errno>.success(try body(bytes)) } catch {
                return .failure(error)
            }
        }
        try result.get()
    }
}
