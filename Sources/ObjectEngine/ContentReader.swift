package import NIOCore
import Synchronization
import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The bytes of an object or of a range of it, in chunks, read as they are asked for.
///
/// Goes on to give the content that it was opened on, also when the object is replaced or deleted meanwhile.
/// Each file that it reads from begin to end is verified against its check. One reader gives its bytes once. Reading
/// it to its end, closing it or dropping it lets go of the files.
package final class ContentReader: AsyncSequence, Sendable {
    package typealias Element = ByteBuffer

    /// The size of a chunk; only the last of a file may be smaller.
    package static let chunkSize = 256 << 10

    /// The range of the object that the reader gives, in bytes.
    package let range: Range<Int64>

    private let files: ContentFiles
    private let whenDamaged: @Sendable (ObjectStoreError) -> Void
    private let state: Mutex<Position>
    private let release: @Sendable () -> Void

    /// - `whenDamaged`: told of content that is not what it was.
    /// - `release`: called once, when no more file will be opened.
    init(
        range: Range<Int64>,
        position: Position,
        files: ContentFiles,
        whenDamaged: @escaping @Sendable (ObjectStoreError) -> Void = { _ in },
        release: @escaping @Sendable () -> Void
    ) {
        self.range = range
        self.files = files
        self.whenDamaged = whenDamaged
        self.release = release
        state = Mutex(position)
        if position.isAtEnd { close() }
    }

    deinit { close() }

    package func makeAsyncIterator() -> Iterator { Iterator(reader: self) }

    /// The next chunk; `nil` at the end.
    ///
    /// - Throws: `ObjectStoreError` with `damaged` where a file is missing, shorter than it should be, or, before its
    ///   last chunk is handed out, where its bytes are not those that were written; `io`, `misuse` where two ask at
    ///   once.
    package func next() async throws(ObjectStoreError) -> ByteBuffer? {
        try await advance { [files] begun throws(ObjectStoreError) in
            var position = begun
            if let chunk = position.takeReadAhead() { return (position, chunk) }
            return try await files.run { () throws(ObjectStoreError) in
                var position = begun
                let chunk = try position.read(in: files)
                return (position, chunk)
            }
        }
    }

    /// The next bytes as a range of a file, compared with their check as those of `next` are; `nil` at the end.
    ///
    /// What was read already is for `next` to give: call that first.
    ///
    /// - Throws: as `next`.
    package func nextRegion() async throws(ObjectStoreError) -> ContentRegion? {
        try await advance { [files] begun throws(ObjectStoreError) in
            try await files.run { () throws(ObjectStoreError) in
                var position = begun
                let region = try position.readRegion(in: files)
                return (position, region)
            }
        }
    }

    /// Takes the position out, goes on from there, and puts it back; `nil` at the end.
    private func advance<T>(
        _ step: (Position) async throws(ObjectStoreError) -> (Position, T)
    ) async throws(ObjectStoreError) -> T? {
        let begun = state.withLock { position -> Position? in
            guard !position.isBusy else { return nil }
            defer { position.isBusy = true }
            return position
        }
        guard let begun else { throw ObjectStoreError(.misuse, "a reader was used by two at once") }
        if begun.isAtEnd {
            state.withLock { $0.isBusy = false }
            return nil
        }
        do throws(ObjectStoreError) {
            let (position, value) = try await step(begun)
            let wasClosed = state.withLock { current in
                guard !current.isClosed else { return true }
                current = position
                return false
            }
            if position.isAtEnd, !wasClosed { close() }
            return value
        } catch {
            close()
            if error.code == .damaged { whenDamaged(error) }
            throw error
        }
    }

    /// Lets go of the files.
    ///
    /// What was not read cannot be read any more.
    package func close() {
        let isFirst = state.withLock { position in
            defer { position.close() }
            return !position.isReleased
        }
        if isFirst { release() }
    }

    package struct Iterator: AsyncIteratorProtocol {
        let reader: ContentReader

        package mutating func next() async throws -> ByteBuffer? { try await reader.next() }
    }

    /// Where a reader is.
    ///
    /// A value; `read` blocks.
    struct Position: Sendable {
        /// What is still to be read, in order; the first may be begun.
        private var pieces: ArraySlice<ContentPiece>
        private var offset: Int64
        private let end: Int64
        private var file: OpenFile?
        private var readAhead: ByteBuffer?
        private let verifies: Bool
        /// Of the file that is being read, where it is read from its beginning.
        private var check: ContentCheck?
        var isBusy = false
        private(set) var isClosed = false
        private(set) var isReleased = false

        /// - `pieces`: those that the range touches, in order.
        /// - `verifies`: whether files that are read from begin to end are compared with their checks.
        init(pieces: [ContentPiece], range: Range<Int64>, verifies: Bool) {
            self.pieces = pieces[...]
            self.verifies = verifies
            offset = range.lowerBound
            end = range.upperBound
        }

        /// Bytes that are all there.
        init(bytes: ByteBuffer) {
            pieces = []
            verifies = false
            (offset, end) = (0, 0)
            readAhead = bytes.readableBytes > 0 ? bytes : nil
        }

        var isAtEnd: Bool { isClosed || (offset >= end && readAhead == nil) }

        mutating func close() {
            isBusy = false
            isClosed = true
            isReleased = true
            file = nil
            readAhead = nil
        }

        mutating func takeReadAhead() -> ByteBuffer? {
            defer { readAhead = nil }
            return readAhead
        }

        /// Opens the first file and reads its first chunk, so that small content is read once this returns.
        ///
        /// - Returns: `false` where the file is gone.
        mutating func begin(in files: ContentFiles) throws(ObjectStoreError) -> Bool {
            guard let piece = pieces.first else { return true }
            guard let opened = try files.open(piece.file) else { return false }
            file = opened
            if offset < end { readAhead = try read(in: files) }
            return true
        }

        mutating func read(in files: ContentFiles) throws(ObjectStoreError) -> ByteBuffer {
            guard let piece = pieces.first else { throw Self.damaged("ends too early") }
            let file = try openFile(piece, in: files)
            let count = Int(Swift.min(Int64(ContentReader.chunkSize), left(of: piece)))
            let chunk = try Self.read(count, from: file, at: offset - piece.range.lowerBound)
            try chunk.withUnsafeReadableBytes { (bytes) throws(ObjectStoreError) in try verify(bytes, of: piece) }
            advance(by: Int64(count), in: piece)
            return chunk
        }

        /// As `read`, without handing out the bytes.
        mutating func readRegion(in files: ContentFiles) throws(ObjectStoreError) -> ContentRegion {
            guard let piece = pieces.first else { throw Self.damaged("ends too early") }
            let file = try openFile(piece, in: files)
            let count = Swift.min(ContentRegion.maximumSize, left(of: piece))
            let start = offset - piece.range.lowerBound
            beginCheck(of: piece)
            // Also where there is nothing to verify: what is sent is then in memory, and the kernel, which sends it on
            // the thread of many connections, need not wait for the disk.
            try verifyRegion(start..<start + count, of: file, piece)
            advance(by: count, in: piece)
            return ContentRegion(file: file, range: start..<start + count)
        }

        /// So many bytes are still in the processor's nearest cache when they are hashed.
        private static let verifiedAtOnce = 64 << 10

        private mutating func verifyRegion(
            _ range: Range<Int64>,
            of file: OpenFile,
            _ piece: ContentPiece
        ) throws(ObjectStoreError) {
            let space = UnsafeMutableRawBufferPointer.allocate(
                byteCount: Self.verifiedAtOnce,
                alignment: 4096
            )
            defer { space.deallocate() }
            var place = range.lowerBound
            while place < range.upperBound {
                let wanted = Int(Swift.min(Int64(space.count), range.upperBound - place))
                let part = UnsafeMutableRawBufferPointer(rebasing: space[..<wanted])
                let count: Int
                do throws(Errno) {
                    count = try file.read(into: part, at: place)
                } catch {
                    throw ObjectStoreError(error, "cannot read the content")
                }
                guard count > 0 else { throw Self.damaged("is shorter than it should be") }
                let isLast = place + Int64(count) == range.upperBound
                check?.update(UnsafeRawBufferPointer(rebasing: part[..<count]))
                if isLast, piece.range.lowerBound + range.upperBound == piece.range.upperBound {
                    try finishCheck(of: piece)
                }
                place += Int64(count)
            }
        }

        /// How much of a piece is still wanted.
        private func left(of piece: ContentPiece) -> Int64 { Swift.min(piece.range.upperBound, end) - offset }

        private mutating func advance(by count: Int64, in piece: ContentPiece) {
            offset += count
            guard offset >= piece.range.upperBound || offset >= end else { return }
            pieces.removeFirst()
            file = nil
        }

        /// Takes the next bytes of a piece into its check, and compares it at the piece's end.
        private mutating func verify(
            _ bytes: UnsafeRawBufferPointer,
            of piece: ContentPiece
        ) throws(ObjectStoreError) {
            beginCheck(of: piece)
            check?.update(bytes)
            if offset + Int64(bytes.count) == piece.range.upperBound { try finishCheck(of: piece) }
        }

        private mutating func beginCheck(of piece: ContentPiece) {
            if verifies, piece.check != nil, offset == piece.range.lowerBound { check = ContentCheck() }
        }

        private mutating func finishCheck(of piece: ContentPiece) throws(ObjectStoreError) {
            guard let reckoned = check, let expected = piece.check else { return }
            check = nil
            guard reckoned.value == expected else { throw Self.damaged("has not the bytes that were written") }
        }

        private mutating func openFile(_ piece: ContentPiece, in files: ContentFiles) throws(ObjectStoreError)
            -> OpenFile
        {
            if let file { return file }
            guard let opened = try files.open(piece.file) else { throw Self.damaged("is missing") }
            file = opened
            return opened
        }

        private static func read(
            _ count: Int,
            from file: OpenFile,
            at offset: Int64
        ) throws(ObjectStoreError) -> ByteBuffer {
            var chunk = ByteBufferAllocator().buffer(capacity: count)
            var failure: Errno?
            while chunk.readableBytes < count, failure == nil {
                let missing = count - chunk.readableBytes
                let place = offset + Int64(chunk.readableBytes)
                let got = chunk.writeWithUnsafeMutableBytes(minimumWritableBytes: missing) { space in
                    do throws(Errno) {
                        return try file.read(
                            into: UnsafeMutableRawBufferPointer(rebasing: space[..<missing]),
                            at: place
                        )
                    } catch {
                        failure = error
                        return 0
                    }
                }
                if got == 0 { break }
            }
            if let failure { throw ObjectStoreError(failure, "cannot read the content") }
            guard chunk.readableBytes == count else { throw damaged("is shorter than it should be") }
            return chunk
        }

        private static func damaged(_ how: String) -> ObjectStoreError {
            ObjectStoreError(.damaged, "a content file \(how); see apus store verify, and restore a backup")
        }
    }
}
