import Model
import S3Wire
import Testing

@Suite struct RangeAndConditionTests {
    @Test(arguments: [
        ("bytes=0-9", 0..<10), ("bytes=5-", 5..<100), ("bytes=-10", 90..<100), ("bytes=99-200", 99..<100),
        ("bytes=0-0", 0..<1), ("bytes=-200", 0..<100), ("Bytes=1-2", 1..<3),
    ])
    func resolvesRanges(header: String, expected: Range<Int64>) throws {
        #expect(try ByteRange(parsing: header)?.resolved(size: 100) == expected)
    }

    @Test(arguments: [
        "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "bytes=0-1,3-4", "lines=0-1", "bytes=0-1-2",
        "bytes=+1-2", "bytes= 1-2", "bytes=99999999999999999999-", "bytes=--1",
    ])
    func ignoresOthers(header: String) { #expect(ByteRange(parsing: header) == nil) }

    @Test(arguments: [("bytes=100-", 100), ("bytes=100-200", 100), ("bytes=-0", 100), ("bytes=0-", 0), ("bytes=-5", 0)])
    func knowsTheUnsatisfiable(header: String, size: Int64) throws {
        let range = try #require(ByteRange(parsing: header))
        let error = #expect(throws: S3Error.self) { _ = try range.resolved(size: size) }
        #expect(error?.code == .invalidRange)
    }

    static let modified = Instant(nanoseconds: 784_111_777_500_000_000)
    static let same = "Sun, 06 Nov 1994 08:49:37 GMT"
    static let before = "Sun, 06 Nov 1994 08:49:36 GMT"

    @Test(arguments: [
        ([:], RequestConditions.Outcome.proceed),
        (["if-match": "\"abc\""], .proceed),
        (["if-match": "abc"], .proceed),
        (["if-match": "*"], .proceed),
        (["if-match": "\"x\", W/\"abc\""], .proceed),
        (["if-match": "\"x\""], .failed),
        (["if-match": ""], .failed),
        (["if-none-match": "\"abc\""], .notModified),
        (["if-none-match": "*"], .notModified),
        (["if-none-match": "\"x\""], .proceed),
        (["if-modified-since": same], .notModified),
        (["if-modified-since": before], .proceed),
        (["if-modified-since": "nonsense"], .proceed),
        (["if-unmodified-since": same], .proceed),
        (["if-unmodified-since": before], .failed),
        (["if-match": "abc", "if-unmodified-since": before], .proceed),
        (["if-none-match": "x", "if-modified-since": same], .proceed),
        (["if-match": "abc", "if-none-match": "abc"], .notModified),
        (["if-match": "x", "if-none-match": "abc"], .failed),
    ])
    func evaluates(headers: [String: String], expected: RequestConditions.Outcome) {
        let conditions = RequestConditions { headers[$0] }
        #expect(conditions.isEmpty == (headers.isEmpty || headers.values.contains("nonsense")))
        #expect(conditions.evaluate(eTag: "abc", lastModified: Self.modified) == expected)
        let copy = RequestConditions(prefix: "x-amz-copy-source-") { headers[String($0.dropFirst(18))] }
        #expect(copy == conditions)
    }

    @Test func noObjectMatchesNothing() {
        #expect(!ETagCondition.any.holds(eTag: nil))
        #expect(ETagCondition.any.holds(eTag: "x"))
        #expect(ETagCondition(parsing: " \"a\" , b") == .oneOf(["a", "b"]))
    }
}
