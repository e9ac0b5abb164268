import HTTPTypes
import Model
import S3Wire
import Testing

@Suite struct CopyTests {
    private func withSource(_ body: @escaping @Sendable (S3Fixture) async throws -> Void) async throws {
        try await S3Fixture.run { s3 in
            let headers = [
                "Content-Type": "text/plain", "x-amz-meta-a": "b",
                "x-amz-checksum-sha1": "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=",
            ]
            try await s3.send("PUT", "/bucket/a%20b", headers: headers, body: Array("abc".utf8)).expect(200)
            try await s3.send("PUT", "/second").expect(200)
            try await body(s3)
        }
    }

    @Test(arguments: [
        "/bucket/a%20b", "bucket/a%20b", "/bucket/a%20b?versionId=null", "%2Fbucket/a b", "bucket%2Fa%20b",
    ])
    func copies(source: String) async throws {
        try await withSource { s3 in
            let copy = try await s3.send("PUT", "/second/x", headers: ["x-amz-copy-source": source]).expect(200).xml()
            #expect(copy.name == "CopyObjectResult")
            #expect(copy["ETag"]?.text == "\"900150983cd24fb0d6963f7d28e17f72\"")
            let get = try await s3.send("GET", "/second/x", headers: ["x-amz-checksum-mode": "ENABLED"]).expect(200)
            #expect(get.text == "abc")
            #expect(get.headers[.contentType] == "text/plain")
            #expect(get.header("x-amz-meta-a") == "b")
            #expect(get.header("x-amz-checksum-sha1") == "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=")
        }
    }

    @Test func replacesMetadata() async throws {
        try await withSource { s3 in
            let source = ["x-amz-copy-source": "/bucket/a%20b"]
            try await s3.send("PUT", "/bucket/a%20b", headers: source).expect(400, .invalidRequest)
            let replace = ["x-amz-metadata-directive": "REPLACE", "x-amz-meta-c": "d", "Content-Type": "image/png"]
            try await s3.send("PUT", "/bucket/a%20b", headers: source.merging(replace) { $1 }).expect(200)
            let get = try await s3.send("GET", "/bucket/a%20b").expect(200)
            #expect(get.text == "abc")
            #expect(get.headers[.contentType] == "image/png")
            #expect(get.header("x-amz-meta-a") == nil)
            #expect(get.header("x-amz-meta-c") == "d")
            let odd = source.merging(["x-amz-metadata-directive": "MERGE"]) { $1 }
            try await s3.send("PUT", "/second/x", headers: odd).expect(400, .invalidArgument)
        }
    }

    @Test func refusesBadSources() async throws {
        try await withSource { s3 in
            for (source, status, code) in [
                ("/bucket/missing", 404, S3ErrorCode.noSuchKey), ("/missing/key", 404, .noSuchBucket),
                ("/bucket", 400, .invalidArgument), ("", 400, .invalidArgument), ("/UP/key", 400, .invalidBucketName),
                ("/bucket/%zz", 400, .invalidArgument), ("/bucket/a%20b?versionId=7", 400, .invalidArgument),
            ] {
                try await s3.send("PUT", "/second/x", headers: ["x-amz-copy-source": source]).expect(status, code)
            }
        }
    }

    @Test(arguments: [
        ("if-match", "\"900150983cd24fb0d6963f7d28e17f72\"", 200), ("if-match", "\"x\"", 412),
        ("if-none-match", "\"900150983cd24fb0d6963f7d28e17f72\"", 412), ("if-none-match", "\"x\"", 200),
        ("if-modified-since", "Tue, 14 Nov 2023 22:13:20 GMT", 412),
        ("if-unmodified-since", "Tue, 14 Nov 2023 22:13:20 GMT", 200),
    ])
    func copiesConditionally(condition: String, value: String, status: Int) async throws {
        try await withSource { s3 in
            let headers = ["x-amz-copy-source": "/bucket/a%20b", "x-amz-copy-source-\(condition)": value]
            try await s3.send("PUT", "/second/x", headers: headers).expect(status)
        }
    }
}
