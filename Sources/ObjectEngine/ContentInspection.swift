import Model
import S3Wire
import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What a look at a content file says.
enum ContentVerdict: Sendable, Equatable {
    /// `check` is what its bytes give; `isProven` whether they were compared with anything.
    case sound(check: UInt64, isProven: Bool)
    case missing
    case wrongSize(Int64)
    case wrongBytes
    case unreadable(Errno)
}

/// A content file that is read to its end, in turns.
///
/// Memory stays at one buffer; what was read does not stay in the system's memory either.
struct ContentInspection: Sendable {
    /// So many bytes are read before a thread is given back.
    private static let turnSize: Int64 = 64 << 20
    private static let bufferSize = 1 << 20

    let owned: OwnedFile
    let files: ContentFiles

    /// - Throws: `closed` where the task was cancelled.
    func run() async throws(ObjectStoreError) -> ContentVerdict {
        let files = files
        let owned = owned
        let opened = try await files.run { () throws(ObjectStoreError) -> Result<OpenFile, Errno> in
            do throws(Errno) {
                return .success(try files.calls.open(files.contentPath(owned.file), O_RDONLY))
            } catch {
                return .failure(error)
            }
        }
        switch opened {
        case .failure(.noSuchFileOrDirectory): return .missing
        case .failure(let error): return .unreadable(error)
        case .success(let file): return try await read(file)
        }
    }

    private func read(_ file: OpenFile) async throws(ObjectStoreError) -> ContentVerdict {
        var turn = Turn(hasher: Hasher(usesMD5: owned.check == nil && isDigest))
        do throws(Errno) {
            let size = Int64(try file.status().st_size)
            guard size == owned.size else { return .wrongSize(size) }
        } catch {
            return .unreadable(error)
        }
        while turn.offset < owned.size {
            guard !Task.isCancelled else { throw ObjectStoreError(.closed, "the task was cancelled") }
            let begun = turn
            let end = min(owned.size, begun.offset + Self.turnSize)
            let read = try await files.run { () throws(ObjectStoreError) -> Result<Turn, Errno> in
                do throws(Errno) {
                    return .success(try begun.read(file, to: end))
                } catch {
                    return .failure(error)
                }
            }
            switch read {
            case .failure(let error): return .unreadable(error)
            case .success(let next): turn = next
            }
        }
        return verdict(turn.hasher)
    }

    private func verdict(_ hasher: Hasher) -> ContentVerdict {
        let value = hasher.check.value
        if let expected = owned.check { return value == expected ? .sound(check: value, isProven: true) : .wrongBytes }
        guard let digest = hasher.md5?.value else { return .sound(check: value, isProven: false) }
        return Hexadecimal.text(digest) == owned.eTag ? .sound(check: value, isProven: true) : .wrongBytes
    }

    /// Whether the ETag is the MD5 of the bytes.
    private var isDigest: Bool { owned.eTag?.utf8.count == 32 }

    private struct Hasher: Sendable {
        var check = ContentCheck()
        var md5: MD5Digest?

        init(usesMD5: Bool) { md5 = usesMD5 ? MD5Digest() : nil }
    }

    /// Where a reading is.
    private struct Turn: Sendable {
        var hasher: Hasher
        var offset: Int64 = 0

        /// Blocks.
        func read(_ file: OpenFile, to end: Int64) throws(Errno) -> Turn {
            var next = self
            let space = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferSize, alignment: 16)
            defer { space.deallocate() }
            while next.offset < end {
                let wanted = min(space.count, Int(end - next.offset))
                let count = try file.read(into: .init(rebasing: space[..<wanted]), at: next.offset)
                // Cut off while it was read.
                guard count > 0 else { throw Errno.ioError }
                let bytes = UnsafeRawBufferPointer(rebasing: space[..<count])
                next.hasher.check.update(bytes)
                next.hasher.md5?.update(bytes)
                next.offset += Int64(count)
            }
            file.forgetCache()
            return next
        }
    }
}
