import ObjectEngine
import Testing

/// What another cluster sends, more than once because it did not hear the answer.
@Suite("Deliveries of other clusters", .timeLimit(.minutes(1)))
struct DeliveryTests {
    private static let header = ["x-apus-delivery": "0123456789abcdef0123456789abcdef"]

    @Test func aRepeatedPutIsAnsweredAndNotDone() async throws {
        try await S3Fixture.run { s3 in
            let first = try await s3.send("PUT", "/bucket/k", headers: Self.header, body: [1, 2, 3]).expect(200)
            try await s3.send("PUT", "/bucket/k", body: [4]).expect(200)
            let again = try await s3.send("PUT", "/bucket/k", headers: Self.header, body: [1, 2, 3]).expect(200)
            #expect(again.header("etag") == first.header("etag"))
            #expect(try await s3.send("GET", "/bucket/k").expect(200).body == [4])
            #expect(try await s3.store.events(after: 0, limit: 10).count == 2)
            // What is no token changes nothing.
            try await s3.send("PUT", "/bucket/k", headers: ["x-apus-delivery": "?"], body: [5]).expect(200)
            #expect(try await s3.send("GET", "/bucket/k").expect(200).body == [5])
        }
    }

    @Test func aRepeatedUploadToo() async throws {
        try await S3Fixture.run { s3 in
            for _ in 0..<2 {
                let upload = try await s3.send("POST", "/bucket/k", ["uploads": ""]).expect(200).text("UploadId") ?? ""
                let part = try await s3.send(
                    "PUT", "/bucket/k", ["partNumber": "1", "uploadId": upload], body: [1, 2])
                let list =
                    "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\(part.header("etag") ?? "")"
                    + "</ETag></Part></CompleteMultipartUpload>"
                try await s3.send(
                    "POST", "/bucket/k", ["uploadId": upload], headers: Self.header, body: Array(list.utf8)
                ).expect(200)
            }
            #expect(try await s3.store.events(after: 0, limit: 10).count == 1)
        }
    }
}
