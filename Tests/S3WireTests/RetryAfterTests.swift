import Model
import S3Wire
import Testing

@Suite struct RetryAfterTests {
    private let now = Instant(seconds: 1_445_412_480)  // Wed, 21 Oct 2015 07:28:00 GMT

    @Test(arguments: [("0", 0), ("120", 120), ("86400", 3600), ("9223372036854775807", 3600)] as [(String, Int64)])
    func seconds(text: String, seconds: Int64) { #expect(RetryAfter.parse(text, at: now) == .seconds(seconds)) }

    @Test(
        arguments: [
            ("Wed, 21 Oct 2015 07:29:00 GMT", 60), ("Wed, 21 Oct 2015 07:27:00 GMT", 0),
            ("Thu, 22 Oct 2015 07:28:00 GMT", 3600),
        ] as [(String, Int64)])
    func dates(text: String, seconds: Int64) { #expect(RetryAfter.parse(text, at: now) == .seconds(seconds)) }

    @Test(arguments: ["", "-1", "soon", "1.5", "99999999999999999999", "Wed, 99 Oct 2015 07:29:00 GMT"])
    func nonsense(text: String) { #expect(RetryAfter.parse(text, at: now) == nil) }
}
