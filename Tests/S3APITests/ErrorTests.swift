import NIOCore
import NIOHTTP1
import S3Wire
import Testing

@testable import S3API

@Suite("What errors come to")
struct ErrorTests {
    @Test(
        "a client that goes in the middle of its request is no fault of the server",
        arguments: [
            HTTPParserError.invalidEOFState as any Error, ChannelError.inputClosed,
            IOError(errnoCode: 104, reason: "read"),
        ])
    func clientIsGone(error: any Error) {
        #expect(S3Error(error).code == .incompleteBody)
    }
}
