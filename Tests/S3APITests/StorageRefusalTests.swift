import S3Wire
import Synchronization
import Testing

@Suite("A store whose disk has no room left")
struct StorageRefusalTests {
    @Test("content is refused with a reason; reads, lists, deletions and what ends uploads go on")
    func refusesContentOnly() async throws {
        let refusal = Refusal()
        let reason: @Sendable () -> String? = { refusal.text.withLock { $0 } }
        try await S3Fixture.run(storageRefusal: reason) { s3 in
            try await s3.send("PUT", "/bucket/key", body: [1]).expect(200)
            let started = try await s3.send("POST", "/bucket/parts", ["uploads": ""]).expect(200)
            let id = try #require(try started.text("UploadId"))
            refusal.text.withLock { $0 = "the disk is short" }
            let refused = try await s3.send("PUT", "/bucket/other", body: [1]).expect(507, .storageFull)
            #expect(try refused.text("Message") == "the disk is short")
            try await s3.send("PUT", "/bucket/copy", headers: ["x-amz-copy-source": "/bucket/key"])
                .expect(507, .storageFull)
            try await s3.send("POST", "/bucket/more", ["uploads": ""]).expect(507, .storageFull)
            try await s3.send("PUT", "/bucket/parts", ["partNumber": "1", "uploadId": id], body: [1])
                .expect(507, .storageFull)
            try await s3.send("GET", "/bucket/key").expect(200)
            try await s3.send("GET", "/bucket").expect(200)
            try await s3.send("DELETE", "/bucket/parts", ["uploadId": id]).expect(204)
            try await s3.send("DELETE", "/bucket/key").expect(204)
            refusal.text.withLock { $0 = nil }
            try await s3.send("PUT", "/bucket/other", body: [1]).expect(200)
        }
    }

    private final class Refusal: Sendable {
        let text = Mutex<String?>(nil)
    }
}
