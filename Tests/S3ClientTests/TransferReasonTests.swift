import NIOCore
import Testing

@testable import S3Client

@Suite("Reasons of transfers that failed")
struct TransferReasonTests {
    @Test("are the system's words")
    func system() {
        #expect(IOError(errnoCode: 111, reason: "connect(host:1)").transferReason == "Connection refused")
        #expect(CancellationError().transferReason == "CancellationError()")
    }
}
