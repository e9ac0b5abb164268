import Model
import S3Wire
import Testing

@Suite struct TextFormTests {
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func codesBase64(plain: String, coded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == coded)
        #expect(Base64.decode(coded) == Array(plain.utf8))
    }

    @Test(arguments: ["Z", "Zg", "Zg=", "Zh==", "Zg==Zg==", "Zm9=", "====", "Zm 9", "Zm9-", "é==="])
    func refusesBrokenBase64(text: String) { #expect(Base64.decode(text) == nil) }

    @Test func codesHexadecimal() {
        #expect(Hexadecimal.text([0, 15, 16, 255]) == "000f10ff")
        #expect(Hexadecimal.bytes("000F10ff") == [0, 15, 16, 255])
        #expect(Hexadecimal.bytes("0") == nil)
        #expect(Hexadecimal.bytes("0g") == nil)
    }

    @Test func encodesAllButUnreserved() {
        #expect(PercentEncoding.encoded("AZaz09-._~") == "AZaz09-._~")
        #expect(PercentEncoding.encoded("a b+c/é*'(\u{7F}") == "a%20b%2Bc%2F%C3%A9%2A%27%28%7F")
        #expect(PercentEncoding.encoded("a/b c", keepingSlashes: true) == "a/b%20c")
    }

    @Test(arguments: ["%", "%2", "a%2", "%zz", "%2g", "%ff", "%C3", "%C3%28", "%ED%A0%80", "%F5%80%80%80"])
    func refusesBrokenPercentEncoding(text: String) { #expect(PercentEncoding.decoded(text) == nil) }

    @Test func decodesPlusInQueriesOnly() {
        #expect(PercentEncoding.decoded("a+b") == "a+b")
        #expect(PercentEncoding.decoded("a+b%2B", plusIsSpace: true) == "a b+")
    }

    @Test func percentEncodingGoesRound() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            let scalars = (0..<20).map { _ in Unicode.Scalar(UInt32.random(in: 0...0xD7FF, using: &random)) ?? "x" }
            let text = String(String.UnicodeScalarView(scalars))
            #expect(PercentEncoding.decoded(PercentEncoding.encoded(text))?.utf8.elementsEqual(text.utf8) == true)
        }
    }

    @Test func parsesQueries() throws {
        let query = try QueryItems(parsing: "uploads&prefix=a%2Fb+c&x=1=2&&empty=&prefix=second")
        #expect(query.contains("uploads"))
        #expect(query["prefix"] == "a/b c")
        #expect(query["x"] == "1=2")
        #expect(query["empty"]?.isEmpty == true)
        #expect(query["missing"] == nil)
        #expect(query.canonicalText == "empty=&prefix=a%2Fb%20c&prefix=second&uploads=&x=1%3D2")
        #expect(throws: S3Error.self) { _ = try QueryItems(parsing: "a=%ff") }
        #expect(throws: S3Error.self) { _ = try QueryItems(parsing: "%=a") }
    }

    @Test func sortsQueriesByEncodedNames() {
        let query = QueryItems([.init("a-"), .init("a", "2"), .init("a", "10"), .init("B"), .init("é")])
        #expect(query.canonicalText == "%C3%A9=&B=&a=10&a=2&a-=")
    }

    @Test(arguments: [
        ("/", S3Path.service), ("/b", .bucket("b")), ("/b/", .bucket("b")), ("/b/k", .object(bucket: "b", key: "k")),
        ("/b//k", .object(bucket: "b", key: "/k")), ("/b/../k", .object(bucket: "b", key: "../k")),
        ("/b/a%2Fb%20c", .object(bucket: "b", key: "a/b c")), ("/b/k/", .object(bucket: "b", key: "k/")),
        ("/b/%2F", .object(bucket: "b", key: "/")), ("/b/a+b", .object(bucket: "b", key: "a+b")),
        ("/b/é", .object(bucket: "b", key: "é")), ("//k", .object(bucket: "", key: "k")),
        ("/b/%00", .object(bucket: "b", key: "\0")),
    ])
    func parsesPaths(text: String, path: S3Path) throws { #expect(try S3Path(parsing: text) == path) }

    @Test(arguments: ["", "b/k", "/b/%ff", "/b/%", "http://h/b/k", "*"])
    func refusesPaths(text: String) { #expect(throws: S3Error.self) { _ = try S3Path(parsing: text) } }

    @Test func encodesPaths() throws {
        let bucket = try BucketName("some-bucket")
        let key = try ObjectKey("a b/../c+é")
        let path = S3Path.encoded(bucket: bucket, key: key)
        #expect(path == "/some-bucket/a%20b/../c%2B%C3%A9")
        #expect(try S3Path(parsing: path) == .object(bucket: "some-bucket", key: key.text))
        #expect(S3Path.encoded(bucket: bucket) == "/some-bucket")
    }

    @Test(arguments: [
        "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
    ])
    func parsesDates(text: String) throws {
        let instant = try #require(HTTPDate.parse(text))
        #expect(instant.seconds == 784_111_777)
        #expect(HTTPDate.text(instant) == "Sun, 06 Nov 1994 08:49:37 GMT")
    }

    @Test(arguments: [
        "", "now", "Sun, 06 Nov 1994 08:49:37 PST", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT", "Xyz, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nox 1994 08:49:37 GMT",
        "Sun, +6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 99999999999999999999 08:49:37 GMT", "1994-11-06T08:49:37Z",
    ])
    func refusesDates(text: String) { #expect(HTTPDate.parse(text) == nil) }

    @Test func datesGoRound() throws {
        for seconds in stride(from: Int64(0), to: 4_000_000_000, by: 12_345_677) {
            let instant = Instant(seconds: seconds)
            #expect(HTTPDate.parse(HTTPDate.text(instant)) == instant)
            #expect(Instant(signingTime: instant.signingTime) == instant)
        }
        #expect(Instant(signingTime: "20130524T000000") == nil)
        #expect(Instant(signingTime: "2013052xT000000Z") == nil)
        #expect(Instant(signingTime: "20131324T000000Z") == nil)
    }

    @Test func knowsPayloadForms() {
        for form in [
            "UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", PayloadHash.empty.header,
        ] {
            #expect(PayloadHash(header: form)?.header == form)
        }
        #expect(PayloadHash.empty.header == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(PayloadHash(header: "unsigned-payload") == nil)
        #expect(PayloadHash(header: "") == nil)
    }

    @Test func everyErrorCodeHasStatusAndMessage() {
        for code in S3ErrorCode.allCases {
            #expect((400...599).contains(code.status))
            #expect(!code.defaultMessage.isEmpty)
        }
    }
}
