import Model
import NIOCore
import S3Wire
import SystemPackage

/// Packs files into a ZIP archive without compression (PKWARE APPNOTE 6.3.10), with sizes and offsets of 64 bits where they are needed.
///
/// The archive is written piece by piece; of each file only a buffer is in memory. Sizes and checksums follow the content in data
/// descriptors (section 4.3.9), so each file is read once.
enum ZipArchive {
    private struct Member {
        let name: [UInt8]
        let offset: UInt64
        var size: UInt64 = 0
        var crc: UInt32 = 0
    }

    /// A file that is not larger, and an archive that does not grow larger, does with 32 bits.
    private static let limit = UInt64(UInt32.max)
    private static let chunk = 256 << 10

    /// Writes the archive of those files; `write` takes its pieces in order.
    static func write(
        _ files: [Folder.FoundFile],
        to write: (ByteBuffer) async throws -> Void
    ) async throws {
        var members: [Member] = []
        var offset: UInt64 = 0
        for file in files {
            var member = Member(name: Array(file.name.utf8), offset: offset)
            let head = localHeader(member)
            try await write(ByteBuffer(bytes: head))
            offset += UInt64(head.count)
            var crc = Checksum(.crc32)
            var position: Int64 = 0
            while true {
                let (path, start) = (file.path, position)
                let bytes = try await Folder.offload { try Folder.read(path, from: start, atMost: chunk) }
                if bytes.isEmpty { break }
                crc.update(bytes)
                position += Int64(bytes.count)
                try await write(ByteBuffer(bytes: bytes))
            }
            member.size = UInt64(position)
            member.crc = crc.value.reduce(0) { $0 << 8 | UInt32($1) }
            let descriptor = dataDescriptor(member)
            try await write(ByteBuffer(bytes: descriptor))
            offset += member.size + UInt64(descriptor.count)
            members.append(member)
        }
        try await write(ByteBuffer(bytes: directory(members, at: offset)))
    }

    /// Flags: bit 3 sizes in a data descriptor, bit 11 names in UTF-8.
    ///
    /// Version 45: ZIP64.
    private static func localHeader(_ member: Member) -> [UInt8] {
        var out: [UInt8] = []
        out.append(little: UInt32(0x0403_4B50))
        for field: UInt16 in [45, 0x0808, 0, 0, 0x21] { out.append(little: field) }
        for field: UInt32 in [0, .max, .max] { out.append(little: field) }
        out.append(little: UInt16(member.name.count))
        // A ZIP64 field says that the descriptor's sizes have 64 bits (section 4.3.9.2).
        out.append(little: UInt16(20))
        out += member.name
        out.append(little: UInt16(1))
        out.append(little: UInt16(16))
        out.append(little: UInt64(0))
        out.append(little: UInt64(0))
        return out
    }

    private static func dataDescriptor(_ member: Member) -> [UInt8] {
        var out: [UInt8] = []
        out.append(little: UInt32(0x0807_4B50))
        out.append(little: member.crc)
        out.append(little: member.size)
        out.append(little: member.size)
        return out
    }

    private static func directory(_ members: [Member], at start: UInt64) -> [UInt8] {
        var out: [UInt8] = []
        for member in members {
            out.append(little: UInt32(0x0201_4B50))
            for field: UInt16 in [45, 45, 0x0808, 0, 0, 0x21] { out.append(little: field) }
            out.append(little: member.crc)
            out.append(little: UInt32.max)
            out.append(little: UInt32.max)
            out.append(little: UInt16(member.name.count))
            for field: UInt16 in [28, 0, 0, 0] { out.append(little: field) }
            out.append(little: UInt32(0))
            out.append(little: UInt32.max)
            out += member.name
            out.append(little: UInt16(1))
            out.append(little: UInt16(24))
            for value in [member.size, member.size, member.offset] { out.append(little: value) }
        }
        let size = UInt64(out.count)
        let count = UInt64(members.count)
        // ZIP64 end of central directory, its locator, and the old end record (sections 4.3.14 to 4.3.16).
        out.append(little: UInt32(0x0606_4B50))
        out.append(little: UInt64(44))
        for field: UInt16 in [45, 45] { out.append(little: field) }
        for field: UInt32 in [0, 0] { out.append(little: field) }
        for field in [count, count, size, start] { out.append(little: field) }
        out.append(little: UInt32(0x0706_4B50))
        out.append(little: UInt32(0))
        out.append(little: start + size)
        out.append(little: UInt32(1))
        out.append(little: UInt32(0x0605_4B50))
        for field: UInt16 in [0, 0, UInt16(min(count, 0xFFFF)), UInt16(min(count, 0xFFFF))] {
            out.append(little: field)
        }
        out.append(little: UInt32(min(size, limit)))
        out.append(little: UInt32(min(start, limit)))
        out.append(little: UInt16(0))
        return out
    }
}

extension [UInt8] {
    fileprivate mutating func append(little value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }
}
