import Model

/// One member of a tar archive in the POSIX interchange format ("pax", IEEE Std 1003.1, `pax`), bytes in and out.
///
/// What is said about an object beside its bytes goes into extended attributes of the member
/// (`SCHILY.xattr.user.apus.…`), which GNU tar, bsdtar and Python know and keep quiet about.
struct TarHeader: Sendable, Equatable {
    enum Kind: UInt8, Sendable {
        case file = 0x30
        case folder = 0x35
        /// Links, devices: nothing that a store could keep.
        case other = 0x3F
    }

    static let blockSize = 512
    /// An extended header larger than this, in bytes, is refused: it is kept in memory.
    static let largestExtension: Int64 = 4 << 20
    static let attributePrefix = "SCHILY.xattr.user.apus."

    var path: String
    var kind: Kind = .file
    /// Of what follows, in bytes.
    var size: Int64
    var modified: Instant
    /// Extended attributes, names without `attributePrefix`.
    var attributes: [(name: String, value: String)] = []

    static func == (left: TarHeader, right: TarHeader) -> Bool {
        left.path == right.path && left.kind == right.kind && left.size == right.size
            && left.modified == right.modified && left.attributes.elementsEqual(right.attributes, by: ==)
    }

    /// The bytes before the member's own: an extended header and the plain one that old programs read.
    var bytes: [UInt8] {
        var records: [UInt8] = []
        records += Self.record("path", path)
        records += Self.record("size", String(size))
        let nanoseconds = modified.nanoseconds
        let fraction = String(nanoseconds % 1_000_000_000 + 1_000_000_000).dropFirst()
        records += Self.record("mtime", "\(nanoseconds / 1_000_000_000).\(fraction)")
        for attribute in attributes { records += Self.record(Self.attributePrefix + attribute.name, attribute.value) }
        let extended = Self.block(name: "PaxHeaders/member", size: Int64(records.count), seconds: 0, type: 0x78)
        let plain = Self.block(
            name: String(path.suffix(90)),
            size: size <= Self.largestOctal ? size : 0,
            seconds: modified.seconds,
            type: kind.rawValue
        )
        return extended + records + Self.padding(Int64(records.count)) + plain
    }

    /// What fills the last block of so many bytes.
    static func padding(_ size: Int64) -> [UInt8] {
        [UInt8](repeating: 0, count: Int((Int64(blockSize) - size % Int64(blockSize)) % Int64(blockSize)))
    }

    /// The end of an archive.
    static let end = [UInt8](repeating: 0, count: 2 * blockSize)

    private static let largestOctal: Int64 = 0o77777777777

    /// "length name=value\n", where the length counts its own digits.
    private static func record(_ name: String, _ value: String) -> [UInt8] {
        let rest = Array(" \(name)=\(value)\n".utf8)
        var length = rest.count
        while rest.count + String(length).utf8.count != length { length = rest.count + String(length).utf8.count }
        return Array(String(length).utf8) + rest
    }

    private static func block(name: String, size: Int64, seconds: Int64, type: UInt8) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: blockSize)
        func put(_ bytes: some Collection<UInt8>, at offset: Int, _ width: Int) {
            for (index, byte) in bytes.prefix(width).enumerated() { block[offset + index] = byte }
        }
        func octal(_ number: Int64, at offset: Int, _ width: Int) {
            let digits = String(max(0, number), radix: 8)
            put(
                (String(repeating: "0", count: max(0, width - 1 - digits.utf8.count)) + digits).utf8, at: offset,
                width - 1)
        }
        put(name.utf8, at: 0, 100)
        octal(type == Kind.folder.rawValue ? 0o755 : 0o644, at: 100, 8)
        octal(0, at: 108, 8)
        octal(0, at: 116, 8)
        octal(size, at: 124, 12)
        octal(min(seconds, largestOctal), at: 136, 12)
        block[156] = type
        put("ustar\u{0}00".utf8, at: 257, 8)
        put("        ".utf8, at: 148, 8)
        octal(Int64(block.reduce(0) { $0 + Int($1) }), at: 148, 7)
        return block
    }
}

/// The headers of an archive as they come: gathers what extended headers say until the member itself comes.
struct TarParser: Sendable {
    enum Step: Sendable {
        /// So many bytes of an extended header follow; hand them to `extend`.
        case extended(Int64)
        /// A member; its bytes follow.
        case member(TarHeader)
        case end
    }

    private var records: [String: String] = [:]
    private var global: [String: String] = [:]
    private var longName: String?
    private var extensionType: UInt8 = 0

    init() {}

    /// Takes a block of 512 bytes.
    ///
    /// - Throws: `invalidArchive`.
    mutating func take(_ block: [UInt8]) throws(ObjectStoreError) -> Step {
        guard block.count == TarHeader.blockSize else { throw Self.invalid("it is cut off") }
        if block.allSatisfy({ $0 == 0 }) { return .end }
        let sum = block.enumerated().reduce(0) { $0 + ((148..<156).contains($1.offset) ? 0x20 : Int($1.element)) }
        guard let expected = Self.octal(block[148..<156]), expected == Int64(sum) else {
            throw Self.invalid("a header is damaged, or it is no tar archive")
        }
        guard let size = Self.number(block[124..<136]) else { throw Self.invalid("a size is none") }
        let type = block[156]
        switch type {
        case 0x78, 0x67, 0x4C, 0x4B:  // x, g; GNU's long names: L, K
            guard size <= TarHeader.largestExtension else { throw Self.invalid("an extended header is too large") }
            extensionType = type
            return .extended(size)
        default:
            return .member(try member(block, size: size, type: type))
        }
    }

    /// Takes the bytes of an extended header.
    ///
    /// - Throws: `invalidArchive`.
    mutating func extend(_ bytes: [UInt8]) throws(ObjectStoreError) {
        switch extensionType {
        case 0x78: records.merge(try Self.records(bytes)) { $1 }
        case 0x67: global.merge(try Self.records(bytes)) { $1 }
        case 0x4C: longName = try Self.text(bytes.prefix { $0 != 0 })
        default: break
        }
    }

    private mutating func member(_ block: [UInt8], size: Int64, type: UInt8) throws(ObjectStoreError) -> TarHeader {
        let said = global.merging(records) { $1 }
        defer {
            records = [:]
            longName = nil
        }
        guard said["GNU.sparse.major"] == nil, said["GNU.sparse.size"] == nil, type != 0x53 else {
            throw Self.invalid("it has sparse files; make it without --sparse")
        }
        var path = try Self.text(block[0..<100].prefix { $0 != 0 })
        let prefix = try Self.text(block[345..<500].prefix { $0 != 0 })
        if !prefix.isEmpty, block[257..<263].elementsEqual("ustar\0".utf8) { path = "\(prefix)/\(path)" }
        path = said["path"] ?? longName ?? path
        var length = size
        if let text = said["size"] {
            guard let number = Int64(text), number >= 0 else { throw Self.invalid("a size is none") }
            length = number
        }
        // Directories of old programs are files whose names end in a slash.
        let isFolder = type == 0x35 || ((type == 0 || type == 0x30) && path.utf8.last == 0x2F && said["path"] == nil)
        let kind: TarHeader.Kind =
            isFolder ? .folder : type == 0 || type == 0x30 || type == 0x37 ? .file : .other
        let seconds = Self.octal(block[136..<148]) ?? 0
        let attributes = said.compactMap { name, value in
            name.hasPrefix(TarHeader.attributePrefix)
                ? (name: String(name.dropFirst(TarHeader.attributePrefix.count)), value: value) : nil
        }
        return TarHeader(
            path: path,
            kind: kind,
            size: kind == .other ? (type == 0x31 || type == 0x32 ? 0 : length) : length,
            modified: said["mtime"].flatMap(Self.instant) ?? Instant(nanoseconds: seconds &* 1_000_000_000),
            attributes: attributes.sorted { $0.name < $1.name }
        )
    }

    private static func records(_ bytes: [UInt8]) throws(ObjectStoreError) -> [String: String] {
        var found: [String: String] = [:]
        var rest = bytes[...]
        while let first = rest.first, first != 0 {
            guard let space = rest.firstIndex(of: 0x20),
                let length = Int(String(decoding: rest[..<space], as: UTF8.self)),
                length > space - rest.startIndex + 1, length <= rest.count,
                rest[rest.startIndex + length - 1] == 0x0A
            else { throw invalid("an extended header is damaged") }
            let record = rest[(space + 1)..<(rest.startIndex + length - 1)]
            guard let equals = record.firstIndex(of: 0x3D) else { throw invalid("an extended header is damaged") }
            found[try text(record[..<equals])] = try text(record[(equals + 1)...])
            rest = rest.dropFirst(length)
        }
        return found
    }

    private static func text(_ bytes: some Sequence<UInt8>) throws(ObjectStoreError) -> String {
        guard let text = String(validating: Array(bytes), as: UTF8.self) else { throw invalid("a name is not UTF-8") }
        return text
    }

    /// Octal digits, or GNU's binary form for large numbers.
    private static func number(_ field: ArraySlice<UInt8>) -> Int64? {
        guard let first = field.first, first & 0x80 != 0 else { return octal(field) }
        guard first == 0x80, field.dropFirst().dropLast(8).allSatisfy({ $0 == 0 }) else { return nil }
        let value = field.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return Int64(exactly: value)
    }

    private static func octal(_ field: ArraySlice<UInt8>) -> Int64? {
        let text = field.drop { $0 == 0x20 }.prefix { $0 != 0 && $0 != 0x20 }
        guard !text.isEmpty else { return 0 }
        return Int64(String(decoding: text, as: UTF8.self), radix: 8).flatMap { $0 >= 0 ? $0 : nil }
    }

    /// Seconds, perhaps with a fraction.
    private static func instant(_ text: String) -> Instant? {
        let parts = text.split(separator: ".", maxSplits: 1)
        guard let first = parts.first, let seconds = Int64(first), abs(seconds) < 9_000_000_000 else { return nil }
        let digits = parts.count > 1 ? String(parts[1].prefix(9)) : ""
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        let padded = digits + String(repeating: "0", count: 9 - digits.utf8.count)
        return Instant(nanoseconds: seconds * 1_000_000_000 + (Int64(padded) ?? 0))
    }

    private static func invalid(_ why: String) -> ObjectStoreError {
        ObjectStoreError(.invalidArchive, "the archive cannot be read: \(why)")
    }
}
