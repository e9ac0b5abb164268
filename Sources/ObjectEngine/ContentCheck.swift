/// The check of content's bytes that the index keeps: XXH64 with seed 0 (xxHash specification, version 0.1.1).
///
/// It finds damage, not malice; `xxh64sum` of any system reckons the same. Chosen since it needs no special
/// instructions to be faster than a disk and a network, beside the MD5 that S3 asks for.
struct ContentCheck: Sendable {
    private static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
    private static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
    private static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
    private static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
    private static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

    private var lanes: (UInt64, UInt64, UInt64, UInt64) = (
        prime1 &+ prime2, prime2, 0, 0 &- prime1
    )
    private var size: UInt64 = 0
    /// Bytes that do not fill a stripe of 32 yet.
    private var rest: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    /// The check of bytes that are all there.
    static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var check = ContentCheck()
        check.update(bytes)
        return check.value
    }

    /// Takes in the next bytes.
    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        let waiting = Int(size & 31)
        size &+= UInt64(bytes.count)
        var position = 0
        if waiting > 0 {
            position = min(32 - waiting, bytes.count)
            keep(UnsafeRawBufferPointer(rebasing: bytes[..<position]), at: waiting)
            guard waiting + position == 32 else { return }
            withUnsafeBytes(of: rest) { Self.mix($0, into: &lanes) }
        }
        let end = bytes.count - (bytes.count - position) % 32
        if position < end { Self.mix(UnsafeRawBufferPointer(rebasing: bytes[position..<end]), into: &lanes) }
        if end < bytes.count { keep(UnsafeRawBufferPointer(rebasing: bytes[end...]), at: 0) }
    }

    /// The check of all bytes so far.
    var value: UInt64 {
        var hash: UInt64
        if size >= 32 {
            hash =
                Self.rotate(lanes.0, 1) &+ Self.rotate(lanes.1, 7) &+ Self.rotate(lanes.2, 12)
                &+ Self.rotate(lanes.3, 18)
            for lane in [lanes.0, lanes.1, lanes.2, lanes.3] {
                hash = (hash ^ Self.round(0, lane)) &* Self.prime1 &+ Self.prime4
            }
        } else {
            hash = Self.prime5
        }
        hash &+= size
        hash = withUnsafeBytes(of: rest) { Self.finish(hash, UnsafeRawBufferPointer(rebasing: $0[..<Int(size & 31)])) }
        hash = (hash ^ hash &>> 33) &* Self.prime2
        hash = (hash ^ hash &>> 29) &* Self.prime3
        return hash ^ hash &>> 32
    }

    private mutating func keep(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        withUnsafeMutableBytes(of: &rest) { rest in
            UnsafeMutableRawBufferPointer(rebasing: rest[offset...]).copyMemory(from: bytes)
        }
    }

    /// Takes in whole stripes.
    private static func mix(_ bytes: UnsafeRawBufferPointer, into lanes: inout (UInt64, UInt64, UInt64, UInt64)) {
        var (first, second, third, fourth) = lanes
        var position = 0
        while position < bytes.count {
            first = round(first, word(bytes, position))
            second = round(second, word(bytes, position &+ 8))
            third = round(third, word(bytes, position &+ 16))
            fourth = round(fourth, word(bytes, position &+ 24))
            position &+= 32
        }
        lanes = (first, second, third, fourth)
    }

    /// Takes in the last bytes, fewer than a stripe.
    private static func finish(_ start: UInt64, _ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash = start
        var position = 0
        while position + 8 <= bytes.count {
            hash = rotate(hash ^ round(0, word(bytes, position)), 27) &* prime1 &+ prime4
            position += 8
        }
        if position + 4 <= bytes.count {
            let half = UInt64(bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self).littleEndian)
            hash = rotate(hash ^ half &* prime1, 23) &* prime2 &+ prime3
            position += 4
        }
        while position < bytes.count {
            hash = rotate(hash ^ UInt64(bytes[position]) &* prime5, 11) &* prime1
            position += 1
        }
        return hash
    }

    @inline(__always)
    private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self).littleEndian
    }

    @inline(__always)
    private static func round(_ lane: UInt64, _ input: UInt64) -> UInt64 {
        rotate(lane &+ input &* prime2, 31) &* prime1
    }

    @inline(__always)
    private static func rotate(_ word: UInt64, _ count: UInt64) -> UInt64 { word &<< count | word &>> (64 &- count) }
}
