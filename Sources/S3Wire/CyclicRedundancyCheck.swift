/// A reflected cyclic redundancy check that starts with and is inverted by all ones: CRC-32 (ISO 3309), CRC-32C
/// (RFC 3720) and CRC-64/NVME (NVM Express base specification, "64b CRC").
///
/// Reckoned eight bytes at a time ("slicing-by-8", Kounavis and Berry 2005).
struct CyclicRedundancyCheck<Word: FixedWidthInteger & UnsignedInteger & Sendable>: Sendable {
    private let table: CRCTable<Word>
    private var register = Word.max

    init(table: CRCTable<Word>) { self.table = table }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        register = table.entries.withUnsafeBufferPointer { Self.advance(register, over: bytes, table: $0) }
    }

    /// The check of all bytes so far, most significant byte first.
    var bytes: [UInt8] { CRCTable.bytes(~register) }

    @inline(__always)
    private static func advance(
        _ start: Word,
        over bytes: UnsafeRawBufferPointer,
        table: UnsafeBufferPointer<Word>
    ) -> Word {
        var register = UInt64(start)
        var position = 0
        let wholeEnd = bytes.count & ~7
        while position < wholeEnd {
            let block = bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self).littleEndian ^ register
            var next = Word(0)
            for lane in 0..<8 {
                let byte = Int(truncatingIfNeeded: block &>> UInt64(8 &* lane)) & 255
                next ^= table[(7 &- lane) &* 256 &+ byte]
            }
            register = UInt64(next)
            position &+= 8
        }
        while position < bytes.count {
            let byte = Int(truncatingIfNeeded: register) & 255 ^ Int(bytes[position])
            register = register &>> 8 ^ UInt64(table[byte])
            position &+= 1
        }
        return Word(truncatingIfNeeded: register)
    }
}

/// The tables of one polynomial, and its arithmetic.
struct CRCTable<Word: FixedWidthInteger & UnsignedInteger & Sendable>: Sendable {
    /// The polynomial, least significant bit first.
    let polynomial: Word
    /// Eight tables of 256 entries: the n-th advances a byte over n further zero bytes.
    fileprivate let entries: [Word]

    init(polynomial: Word) {
        self.polynomial = polynomial
        var entries = [Word](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            entries[byte] = (0..<8).reduce(Word(byte)) { word, _ in word & 1 == 1 ? word >> 1 ^ polynomial : word >> 1 }
        }
        for index in 256..<entries.count {
            let previous = entries[index - 256]
            entries[index] = previous >> 8 ^ entries[Int(previous & 255)]
        }
        self.entries = entries
    }

    /// The check of two texts one after the other, from the check of each and the length of the second in bytes
    /// (as zlib's `crc32_combine`).
    func combined(_ first: Word, _ second: Word, secondLength: Int64) -> Word {
        product(power(8, of: secondLength), first) ^ second
    }

    /// x to the power `factor` * `exponent`, modulo the polynomial; `factor` a power of two.
    private func power(_ factor: Int, of exponent: Int64) -> Word {
        var square = Word(1) << (Word.bitWidth - 2)
        for _ in 0..<factor.trailingZeroBitCount { square = product(square, square) }
        var result = Word(1) << (Word.bitWidth - 1)
        var rest = exponent
        while rest > 0 {
            if rest & 1 == 1 { result = product(square, result) }
            square = product(square, square)
            rest >>= 1
        }
        return result
    }

    /// The product of two polynomials modulo the polynomial.
    private func product(_ left: Word, _ right: Word) -> Word {
        var (sum, factor) = (Word(0), right)
        var bit = Word(1) << (Word.bitWidth - 1)
        while bit != 0 {
            if left & bit != 0 { sum ^= factor }
            factor = factor & 1 == 1 ? factor >> 1 ^ polynomial : factor >> 1
            bit >>= 1
        }
        return sum
    }

    static func bytes(_ word: Word) -> [UInt8] {
        (1...Word.bitWidth / 8).map { UInt8(truncatingIfNeeded: word >> (Word.bitWidth - 8 * $0)) }
    }

    static func word(_ bytes: [UInt8]) -> Word { bytes.reduce(Word(0)) { $0 << 8 | Word($1) } }
}

/// The polynomials that S3 knows.
enum CRCTables {
    static let crc32 = CRCTable<UInt32>(polynomial: 0xEDB8_8320)
    static let crc32c = CRCTable<UInt32>(polynomial: 0x82F6_3B78)
    static let crc64nvme = CRCTable<UInt64>(polynomial: 0x9A6C_9329_AC4B_C9B5)
}
