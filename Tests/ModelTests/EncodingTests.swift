import TestKit
import Testing

@testable import Model

struct EncodingTests {
    /// RFC 4648 section 10, and bytes that need the last two digits.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
        ("\u{FB}\u{FF}", "w7vDvw=="), ("~~~???", "fn5+Pz8/"),
    ])
    func base64(_ plain: String, _ encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(plain.utf8))
    }

    @Test(arguments: [
        "Z", "Zg", "Zg=", "Zg===", "Z===", "====", "=", "Zg==Zg==", "Zm9v\n", " Zm9v", "Zm9-", "Zm9_", "Zm=v",
        "Zm9vYg=", "é===", "Zm9vZ",
    ])
    func strictBase64Refuses(_ text: String) { #expect(Base64.decode(text) == nil) }

    @Test func base64InLines() {
        #expect(Base64.decodeSkippingWhiteSpace(bytes("Zm9v\r\nYmFy\n")) == bytes("foobar"))
        #expect(Base64.decodeSkippingWhiteSpace(bytes(" \n")) == [])
        #expect(Base64.decodeSkippingWhiteSpace(bytes("Zm9v*")) == nil)
        #expect(Base64.decodeSkippingWhiteSpace(bytes("Zm9")) == nil)
    }

    @Test(arguments: 0..<5)
    func base64OfRandomBytes(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for count in 0..<300 {
            let plain = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(Base64.decode(Base64.encode(plain)) == plain, "seed \(seed)")
        }
    }

    @Test(arguments: [
        ("incoming/a b.png", "incoming%2Fa+b.png"), ("a+b", "a%2Bb"), ("é", "%C3%A9"), ("-_.~", "-_.~"),
        ("*'()!", "%2A%27%28%29%21"),
        ("", ""), ("\n%", "%0A%25"), ("日", "%E6%97%A5"),
    ])
    func queries(_ plain: String, _ escaped: String) {
        #expect(QueryEncoding.escape(plain) == escaped)
        #expect(QueryEncoding.unescape(escaped) == plain)
    }

    @Test(arguments: [
        ("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("%2f%2F", "//"), ("a%", "a%"), ("%41", "A"),
        ("100%25", "100%"), ("%%41", "%A"),
        ("%FF", "\u{FFFD}"),
    ])
    func damagedQueries(_ text: String, _ plain: String) { #expect(QueryEncoding.unescape(text) == plain) }
}
