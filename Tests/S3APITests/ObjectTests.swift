import HTTPTypes
import Model
import ObjectEngine
import S3Wire
import Testing

@Suite struct ObjectTests {
    @Test(arguments: [0, 1, 1000, 70_000, 3 << 20]) func goesRound(size: Int) async throws {
        try await S3Fixture.run { s3 in
            let content = pattern(size)
            let eTag = "\"\(Hexadecimal.text(MD5Digest.of(content)))\""
            let put = try await s3.send("PUT", "/bucket/key", body: content).expect(200)
            #expect(put.headers[.eTag] == eTag)
            let get = try await s3.send("GET", "/bucket/key").expect(200)
            #expect(get.body == content)
            #expect(get.headers[.eTag] == eTag)
            #expect(get.headers[.contentLength] == String(size))
            #expect(get.headers[.contentType] == "binary/octet-stream")
            #expect(get.headers[.lastModified] == "Tue, 14 Nov 2023 22:13:20 GMT")
            #expect(get.headers[.acceptRanges] == "bytes")
            let head = try await s3.send("HEAD", "/bucket/key").expect(200)
            #expect(head.body.isEmpty)
            #expect(head.headers[.contentLength] == String(size))
            try await s3.send("DELETE", "/bucket/key").expect(204)
            try await s3.send("GET", "/bucket/key").expect(404, .noSuchKey)
            try await s3.send("HEAD", "/bucket/key").expect(404)
            try await s3.send("DELETE", "/bucket/key").expect(204)
        }
    }

    @Test(arguments: [
        "a b+c", "%41", "é/ü", "../x", "./x", "a//b/", "//", "?#&=", "\u{1F426}", "a%2Fb", "\"<&>'", "\u{1}\u{7F}",
        "~-._", "*", "minio", "e\u{301}",
    ])
    func keepsKeysByteForByte(key: String) async throws {
        try await S3Fixture.run { s3 in
            let path = "/bucket/\(PercentEncoding.encoded(key, keepingSlashes: true))"
            try await s3.send("PUT", path, body: Array(key.utf8)).expect(200)
            #expect(try await s3.send("GET", path).expect(200).body == Array(key.utf8))
            #expect(try await s3.objects().map { Array($0.utf8) } == [Array(key.utf8)])
        }
    }

    @Test func keepsMetadataAndHeaders() async throws {
        try await S3Fixture.run { s3 in
            try await s3.send(
                "PUT", "/bucket/key",
                headers: [
                    "Content-Type": "video/x-matroska", "Cache-Control": "no-store", "Content-Language": "eu",
                    "Content-Disposition": "inline; filename=\"x\"", "Content-Encoding": "aws-chunked, gzip",
                    "Expires": "Tue, 14 Nov 2023 22:13:20 GMT", "x-amz-meta-Mtime": "17.5",
                    "x-amz-meta-b": "two  words",
                    "x-amz-storage-class": "REDUCED_REDUNDANCY",
                ],
                body: [1, 2, 3]
            ).expect(200)
            let head = try await s3.send("HEAD", "/bucket/key").expect(200)
            #expect(head.headers[.contentType] == "video/x-matroska")
            #expect(head.headers[.cacheControl] == "no-store")
            #expect(head.headers[.contentLanguage] == "eu")
            #expect(head.headers[.contentDisposition] == "inline; filename=\"x\"")
            #expect(head.headers[.contentEncoding] == "gzip")
            #expect(head.headers[.expires] == "Tue, 14 Nov 2023 22:13:20 GMT")
            #expect(head.header("x-amz-meta-mtime") == "17.5")
            #expect(head.header("x-amz-meta-b") == "two  words")
            #expect(head.header("x-amz-storage-class") == "REDUCED_REDUNDANCY")
            let shown = try await s3.send(
                "GET", "/bucket/key",
                ["response-content-type": "text/plain", "response-content-disposition": "attachment\r\nSet-Cookie: x"]
            ).expect(200)
            #expect(shown.headers[.contentType] == "text/plain")
            #expect(shown.header("set-cookie") == nil)
            #expect(shown.body == [1, 2, 3])
            let large = ["x-amz-meta-large": String(repeating: "x", count: 3000)]
            try await s3.send("PUT", "/bucket/large", headers: large).expect(400, .metadataTooLarge)
        }
    }

    @Test(arguments: [
        ("bytes=0-9", 0..<10), ("bytes=500-", 500..<1000), ("bytes=-100", 900..<1000), ("bytes=999-5000", 999..<1000),
    ])
    func givesRanges(header: String, expected: Range<Int>) async throws {
        try await S3Fixture.run { s3 in
            let content = pattern(1000)
            try await s3.send("PUT", "/bucket/key", body: content).expect(200)
            let part = try await s3.send("GET", "/bucket/key", headers: ["Range": header]).expect(206)
            #expect(part.body == Array(content[expected]))
            #expect(part.headers[.contentRange] == "bytes \(expected.lowerBound)-\(expected.upperBound - 1)/1000")
            let head = try await s3.send("HEAD", "/bucket/key", headers: ["Range": header]).expect(206)
            #expect(head.headers[.contentLength] == String(expected.count))
        }
    }

    @Test func knowsOddRanges() async throws {
        try await S3Fixture.run { s3 in
            let eTag = try #require(try await s3.send("PUT", "/bucket/key", body: pattern(10)).headers[.eTag])
            for header in ["bytes=10-", "bytes=-0"] {
                try await s3.send("GET", "/bucket/key", headers: ["Range": header]).expect(416, .invalidRange)
            }
            for header in ["bytes=5-4", "bytes=0-1,3-4", "lines=1-2", "nonsense"] {
                #expect(
                    try await s3.send("GET", "/bucket/key", headers: ["Range": header]).expect(200).body.count == 10)
            }
            try await s3.send("GET", "/bucket/key", headers: ["Range": "bytes=0-1", "If-Range": eTag]).expect(206)
            try await s3.send("GET", "/bucket/key", headers: ["Range": "bytes=0-1", "If-Range": "\"x\""]).expect(200)
            try await s3.send("GET", "/bucket/key", ["partNumber": "1"]).expect(206)
            try await s3.send("GET", "/bucket/key", ["partNumber": "2"]).expect(416, .invalidPartNumber)
            try await s3.send("GET", "/bucket/key", ["partNumber": "0"]).expect(400, .invalidArgument)
        }
    }

    @Test(arguments: [
        ("If-Match", "\"900150983cd24fb0d6963f7d28e17f72\"", 200), ("If-Match", "\"other\"", 412),
        ("If-Match", "*", 200),
        ("If-None-Match", "\"900150983cd24fb0d6963f7d28e17f72\"", 304), ("If-None-Match", "\"other\"", 200),
        ("If-Modified-Since", "Tue, 14 Nov 2023 22:13:20 GMT", 304),
        ("If-Modified-Since", "Tue, 14 Nov 2023 22:13:19 GMT", 200),
        ("If-Unmodified-Since", "Tue, 14 Nov 2023 22:13:20 GMT", 200),
        ("If-Unmodified-Since", "Tue, 14 Nov 2023 22:13:19 GMT", 412),
    ])
    func readsConditionally(name: String, value: String, status: Int) async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("PUT", "/bucket/key", body: Array("abc".utf8)).expect(200)
            let get = try await s3.send("GET", "/bucket/key", headers: [name: value])
            try get.expect(status, status == 412 ? .preconditionFailed : nil)
            if status == 304 {
                #expect(get.body.isEmpty)
                #expect(get.headers[.eTag] == "\"900150983cd24fb0d6963f7d28e17f72\"")
            }
            try await s3.send("HEAD", "/bucket/key", headers: [name: value]).expect(status)
        }
    }

    @Test func writesConditionally() async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("PUT", "/bucket/key", headers: ["If-None-Match": "*"], body: [1]).expect(200)
            try await s3.send("PUT", "/bucket/key", headers: ["If-None-Match": "*"], body: [2])
                .expect(412, .preconditionFailed)
            let eTag = try #require(try await s3.send("HEAD", "/bucket/key").headers[.eTag])
            try await s3.send("PUT", "/bucket/key", headers: ["If-Match": "\"x\""], body: [3])
                .expect(412, .preconditionFailed)
            #expect(try await s3.send("GET", "/bucket/key").body == [1])
            try await s3.send("PUT", "/bucket/key", headers: ["If-Match": eTag], body: [4]).expect(200)
            #expect(try await s3.send("GET", "/bucket/key").body == [4])
            try await s3.send("PUT", "/bucket/missing", headers: ["If-Match": eTag], body: [5]).expect(404, .noSuchKey)
            try await s3.send("PUT", "/bucket/key", headers: ["If-None-Match": "\"x\""], body: [6])
                .expect(501, .notImplemented)
        }
    }

    @Test func refusesWhatItWouldIgnore() async throws {
        try await S3Fixture.run { s3 in
            for (name, value) in [
                ("x-amz-server-side-encryption", "AES256"),
                ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
                ("x-amz-object-lock-mode", "GOVERNANCE"), ("x-amz-acl", "public-read"),
                ("x-amz-grant-read", "id=x"),
            ] {
                try await s3.send("PUT", "/bucket/key", headers: [name: value], body: [1]).expect(501, .notImplemented)
            }
            try await s3.send("PUT", "/bucket/key", headers: ["x-amz-acl": "private"], body: [1]).expect(200)
            try await s3.send("PUT", "/bucket/\(String(repeating: "k", count: 1025))").expect(400, .keyTooLong)
            try await s3.send("PUT", "/missing/key", body: pattern(100_000)).expect(404, .noSuchBucket)
            try await s3.send("PUT", "/missing/key", body: [1]).expect(404, .noSuchBucket)
            try await s3.send("GET", "/missing/key").expect(404, .noSuchBucket)
        }
    }

    @Test func tellsWhoPutIt() async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("PUT", "/bucket/key", headers: ["x-amz-meta-a": "b"], body: [1]).expect(200)
            let events = try await s3.store.events(after: 0, limit: 10)
            #expect(events.map(\.principal) == ["somebody"])
            #expect(events.first.map { ["127.0.0.1", "::1"].contains($0.sourceAddress) } == true)
            #expect(events.first?.cause == .put)
            #expect(events.first?.userMetadata == ["a": "b"])
        }
    }
}
