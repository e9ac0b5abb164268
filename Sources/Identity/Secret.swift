import Crypto

/// Random texts that nobody can guess, from the system's cryptographic random source, and their comparison.
package enum Secret {
    private static let letters = Array("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789".utf8)
    private static let capitals = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".utf8)
    private static let alphanumerics = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8
    )

    /// A password of 24 characters without look-alikes: 140 bits.
    package static func makePassword() -> String { text(24, of: letters) }

    /// An S3 access key of 20 capitals and digits, the form of AWS's.
    package static func makeAccessKey() -> String { text(20, of: capitals) }

    /// An S3 secret key of 40 letters and digits, the length of AWS's: 238 bits.
    package static func makeSecretKey() -> String { text(40, of: alphanumerics) }

    /// Whether two texts have the same UTF-8 bytes, in a time that tells nothing about where they differ.
    package static func matches(_ one: some StringProtocol, _ other: some StringProtocol) -> Bool {
        // Digests compare in constant time in swift-crypto, and hide the lengths.
        SHA256.hash(data: Array(one.utf8)) == SHA256.hash(data: Array(other.utf8))
    }

    private static func text(_ count: Int, of alphabet: [UInt8]) -> String {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<count).map { _ in alphabet[Int.random(in: alphabet.indices, using: &generator)] }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The token of a service: 32 random bytes as 64 hexadecimal digits, as OSCAR makes it.
package enum ServiceToken {
    /// The number of hexadecimal digits.
    package static let length = 64

    /// A new token, lower case.
    package static func make() -> String {
        var generator = SystemRandomNumberGenerator()
        let digits = Array("0123456789abcdef".utf8)
        var bytes: [UInt8] = []
        for _ in 0..<(length / 2) {
            let byte = UInt8.random(in: .min ... .max, using: &generator)
            bytes.append(digits[Int(byte >> 4)])
            bytes.append(digits[Int(byte & 0xF)])
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Whether a bearer value has the form of a service's token.
    package static func isWellFormed(_ text: some StringProtocol) -> Bool {
        text.utf8.count == length
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) || (0x41...0x46).contains(byte)
            }
    }
}
