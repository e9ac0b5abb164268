import NIOCore

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
