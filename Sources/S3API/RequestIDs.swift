import Synchronization

/// Makes the identifiers of requests: 16 hexadecimal digits that no other request of this process has, and hardly one
/// of another.
///
/// Asks the system for randomness once, not for each request.
final class RequestIDs: Sendable {
    static let shared = RequestIDs()

    private let start = UInt64.random(in: .min ... .max)
    private let count = Atomic<UInt64>(0)

    func next() -> String {
        // SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): one to one.
        var mixed = start &+ count.wrappingAdd(0x9E37_79B9_7F4A_7C15, ordering: .relaxed).newValue
        mixed = (mixed ^ mixed &>> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed &>> 27) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed &>> 31
        return String(unsafeUninitializedCapacity: 16) { digits in
            for index in 0..<16 {
                let value = UInt8(truncatingIfNeeded: mixed &>> (60 - 4 * UInt64(index))) & 0xF
                digits[index] = value < 10 ? 0x30 + value : 0x41 + value - 10
            }
            return 16
        }
    }
}
