import Crypto
package import Model

/// The S3 access key of a user.
package enum AccessKeyText {
    private static let digits = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)

    /// The key that a user gets: the name itself where that can be one, as in OSCAR; else one made from it.
    ///
    /// Slashes, commas, spaces and equals signs have a meaning in the header that carries the key (SigV4).
    package static func make(for user: UserID) -> String {
        let isSafe =
            (3...64).contains(user.text.utf8.count)
            && user.text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "@"): true
                default: false
                }
            }
        return isSafe ? user.text : "user-" + derived(user)
    }

    /// 120 bits of a digest, in base 32.
    private static func derived(_ user: UserID) -> String {
        var bytes: [UInt8] = []
        var group: UInt64 = 0
        var bits = 0
        for byte in Array(SHA256.hash(data: Array(user.text.utf8))).prefix(15) {
            group = group << 8 | UInt64(byte)
            bits += 8
            while bits >= 5 {
                bits -= 5
                bytes.append(digits[Int(group >> UInt64(bits) & 31)])
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
