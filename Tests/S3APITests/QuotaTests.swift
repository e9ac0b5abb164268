import Model
import ObjectEngine
import S3Wire
import Testing

/// What S3 clients are told of quotas.
@Suite struct QuotaTests {
    @Test func tooMuchIsRefusedWithQuotaExceeded() async throws {
        try await S3Fixture.run { s3 in
            s3.store.limit { $0 == "somebody" ? StorageQuota(bytesPerBucket: ByteCount(100)) : nil }
            try await s3.send("PUT", "/bucket/a", body: [UInt8](repeating: 1, count: 60)).expect(200)
            let refused = try await s3.send("PUT", "/bucket/b", body: [UInt8](repeating: 1, count: 41))
            try refused.expect(403)
            #expect(refused.text.contains("<Code>QuotaExceeded</Code>"))
            #expect(refused.text.contains("would hold 101 bytes, and the owner's quota allows 100 in one bucket"))
            try await s3.send("GET", "/bucket/b").expect(404)
            // Large content is refused before it was taken in.
            try await s3.send("PUT", "/bucket/c", body: [UInt8](repeating: 1, count: 70_000)).expect(403)
            try await s3.send("PUT", "/bucket/b", headers: ["x-amz-copy-source": "/bucket/a"]).expect(403)
            try await s3.send("DELETE", "/bucket/a").expect(204)
            try await s3.send("PUT", "/bucket/b", body: [UInt8](repeating: 1, count: 41)).expect(200)
        }
    }

    @Test func tooManyBucketsAreRefused() async throws {
        try await S3Fixture.run { s3 in
            s3.store.limit { _ in StorageQuota(buckets: 2) }
            try await s3.send("PUT", "/second").expect(200)
            let refused = try await s3.send("PUT", "/third")
            try refused.expect(400)
            #expect(refused.text.contains("<Code>TooManyBuckets</Code>"))
            // The one that is there is no new one.
            try await s3.send("PUT", "/second").expect(200)
        }
    }

    @Test func partsAreRefused() async throws {
        try await S3Fixture.run { s3 in
            s3.store.limit { _ in StorageQuota(totalBytes: ByteCount(100)) }
            let begun = try await s3.send("POST", "/bucket/a", ["uploads": ""]).expect(200)
            let id = try #require(begun.text.split(separator: "<UploadId>").last?.prefix { $0 != "<" })
            let part = try await s3.send(
                "PUT", "/bucket/a", ["partNumber": "1", "uploadId": String(id)],
                body: [UInt8](repeating: 1, count: 101))
            try part.expect(403)
            #expect(part.text.contains("<Code>QuotaExceeded</Code>"))
        }
    }
}
