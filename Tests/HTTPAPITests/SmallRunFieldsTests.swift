import NIOHTTP1
import Testing

@testable import HTTPAPI

struct SmallRunFieldsTests {
    @Test func whatIsThere() throws {
        let fields = try #require(
            SmallRunFields(
                HTTPHeaders([
                    ("Host", "a"), ("Content-Length", "12"), ("AUTHORIZATION", "Basic x"), ("authorization", "Basic y"),
                    ("accept", "Application/Octet-Stream"), ("User-Agent", "b"),
                ])))
        #expect(fields.length == 12 && fields.authorization == "Basic x" && fields.wantsBytes)
        let least = try #require(SmallRunFields(HTTPHeaders([("content-length", "0")])))
        #expect(least.length == 0 && least.authorization == nil && !least.wantsBytes)
    }

    @Test(
        arguments: [
            [], [("content-length", "x")], [("content-length", "-1")], [("content-length", "")],
            [("content-length", "1"), ("Content-Length", "1")], [("content\u{d}length", "1")],
        ] as [[(String, String)]])
    func noLength(_ headers: [(String, String)]) { #expect(SmallRunFields(HTTPHeaders(headers)) == nil) }

    @Test(arguments: ["Expect", "UPGRADE", "Idempotency-Key", "traceparent", "Origin", "Transfer-Encoding"])
    func more(_ name: String) {
        #expect(SmallRunFields(HTTPHeaders([("Content-Length", "1"), (name, "x")])) == nil)
        #expect(SmallRunFields(HTTPHeaders([("Content-Length", "1"), (name + "s", "x")])) != nil)
    }
}
