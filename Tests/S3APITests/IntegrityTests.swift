import HTTPTypes
import Model
import S3Wire
import Testing

@Suite struct IntegrityTests {
    @Test(arguments: ChecksumAlgorithm.allCases) func verifiesAndKeepsChecksums(algorithm: ChecksumAlgorithm)
        async throws
    {
        try await S3Fixture.run { s3 in
            let content = pattern(5000)
            let value = Base64.encode(Checksum.of(content, algorithm))
            let wrong = Base64.encode(Checksum.of([0], algorithm))
            let name = algorithm.headerName
            let bad = try await s3.send("PUT", "/bucket/key", headers: [name: wrong], body: content)
            try bad.expect(400, .badDigest)
            try await s3.send("PUT", "/bucket/key", headers: [name: "AAA="], body: content).expect(400, .invalidRequest)
            #expect(try await s3.objects().isEmpty)
            let put = try await s3.send("PUT", "/bucket/key", headers: [name: value], body: content).expect(200)
            #expect(put.header(name) == value)
            #expect(put.header("x-amz-checksum-type") == "FULL_OBJECT")
            let head = try await s3.send("HEAD", "/bucket/key", headers: ["x-amz-checksum-mode": "ENABLED"])
            #expect(head.header(name) == value)
            #expect(try await s3.send("HEAD", "/bucket/key").header(name) == nil)
        }
    }

    @Test func verifiesDigests() async throws {
        try await S3Fixture.run { s3 in
            let right = Base64.encode(MD5Digest.of([1, 2]))
            try await s3.send("PUT", "/bucket/a", headers: ["Content-MD5": right], body: [1, 2]).expect(200)
            try await s3.send("PUT", "/bucket/b", headers: ["Content-MD5": right], body: [2, 1]).expect(400, .badDigest)
            try await s3.send("PUT", "/bucket/b", headers: ["Content-MD5": "AAAA"], body: [1]).expect(
                400, .invalidDigest)
            try await s3.send("PUT", "/bucket/b", body: [1], payload: .of([2])).expect(400, .contentSHA256Mismatch)
            try await s3.send("PUT", "/bucket/c", body: [1], payload: .unsigned).expect(200)
            let two = ["x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="]
            try await s3.send("PUT", "/bucket/b", headers: two, body: [1]).expect(400, .invalidRequest)
            try await s3.send("PUT", "/bucket/b", headers: ["x-amz-sdk-checksum-algorithm": "CRC32"], body: [1])
                .expect(400, .invalidRequest)
            #expect(try await s3.objects() == ["a", "c"])
        }
    }

    /// A body in chunks, signed where the form wants it, as continued from the signature of its head.
    private static func framed(
        _ chunks: [[UInt8]],
        payload: PayloadHash,
        headers: [String: String],
        trailer: [(name: String, value: String)]
    ) -> [UInt8] {
        let request = SignableRequest(
            method: "PUT", host: "localhost", path: "/bucket/key", headers: headers.map { ($0.key, $0.value) }
        )
        let head = RequestSigner(credentials: S3Fixture.credentials).sign(request, payload: payload, at: S3Fixture.time)
        var chain = ChunkSignatures(seed: head.signature, key: head.key, signingTime: head.signingTime)
        var body: [UInt8] = []
        for chunk in chunks + [[]] {
            let isSigned = payload != .unsignedChunksWithTrailer
            let signature = isSigned ? ";chunk-signature=\(chain.next(chunk: chunk))" : ""
            body += Array("\(String(chunk.count, radix: 16))\(signature)\r\n".utf8)
            if !chunk.isEmpty { body += chunk + [13, 10] }
        }
        for (name, value) in trailer { body += Array("\(name):\(value)\r\n".utf8) }
        if payload == .signedChunksWithTrailer {
            body += Array("x-amz-trailer-signature:\(chain.trailer(trailer))\r\n".utf8)
        }
        return body + [13, 10]
    }

    @Test(arguments: [PayloadHash.signedChunks, .signedChunksWithTrailer, .unsignedChunksWithTrailer])
    func takesChunks(payload: PayloadHash) async throws {
        try await S3Fixture.run { s3 in
            let chunks = [pattern(65_536), pattern(65_536, seed: 2), pattern(77, seed: 3)]
            let content = chunks.flatMap { $0 }
            let checksum = Base64.encode(Checksum.of(content, .crc64nvme))
            let hasTrailer = payload != .signedChunks
            var headers = ["Content-Encoding": "aws-chunked", "x-amz-decoded-content-length": String(content.count)]
            if hasTrailer { headers["x-amz-trailer"] = "x-amz-checksum-crc64nvme" }
            let trailer = hasTrailer ? [(name: "x-amz-checksum-crc64nvme", value: checksum)] : []
            let body = Self.framed(chunks, payload: payload, headers: headers, trailer: trailer)
            let put = try await s3.send("PUT", "/bucket/key", headers: headers, body: body, payload: payload).expect(
                200)
            #expect(put.header("x-amz-checksum-crc64nvme") == (hasTrailer ? checksum : nil))
            let get = try await s3.send("GET", "/bucket/key").expect(200)
            #expect(get.body == content)
            #expect(get.headers[.contentEncoding] == nil)
        }
    }

    @Test(arguments: ChecksumAlgorithm.allCases) func takesChecksumsInTrailers(algorithm: ChecksumAlgorithm)
        async throws
    {
        try await S3Fixture.run { s3 in
            let content = pattern(70_000)
            let name = algorithm.headerName
            let headers = ["x-amz-decoded-content-length": "70000", "x-amz-trailer": name]
            for payload in [PayloadHash.signedChunksWithTrailer, .unsignedChunksWithTrailer] {
                func body(_ value: [UInt8]) -> [UInt8] {
                    let trailer = [(name: name, value: Base64.encode(Checksum.of(value, algorithm)))]
                    return Self.framed([content], payload: payload, headers: headers, trailer: trailer)
                }
                try await s3.send("PUT", "/bucket/key", headers: headers, body: body([0]), payload: payload)
                    .expect(400, .badDigest)
                let put = try await s3.send(
                    "PUT", "/bucket/key", headers: headers, body: body(content), payload: payload
                ).expect(200)
                #expect(put.header(name) == Base64.encode(Checksum.of(content, algorithm)))
            }
        }
    }

    @Test(arguments: [PayloadHash.signedChunks, .signedChunksWithTrailer, .unsignedChunksWithTrailer])
    func keepsNothingOfBrokenChunks(payload: PayloadHash) async throws {
        try await S3Fixture.run { s3 in
            let content = pattern(1000)
            var headers = ["x-amz-decoded-content-length": "1000"]
            if payload != .signedChunks { headers["x-amz-trailer"] = "x-amz-checksum-crc32" }
            let right = [(name: "x-amz-checksum-crc32", value: Base64.encode(Checksum.of(content, .crc32)))]
            let trailer = payload == .signedChunks ? [] : right
            let good = Self.framed([content], payload: payload, headers: headers, trailer: trailer)
            func send(_ body: [UInt8]) async throws -> Answer {
                try await s3.send("PUT", "/bucket/key", headers: headers, body: body, payload: payload)
            }
            var changed = good
            changed[500] ^= 1
            let isSigned = payload != .unsignedChunksWithTrailer
            let refusal = try await send(changed)
            try refusal.expect(isSigned ? 403 : 400, isSigned ? .signatureDoesNotMatch : .badDigest)
            try await send(Array(good[..<900])).expect(400, .incompleteBody)
            if payload != .signedChunks {
                let without = Self.framed([content], payload: payload, headers: headers, trailer: [])
                try await send(without).expect(400, .invalidRequest)
            }
            headers["x-amz-decoded-content-length"] = nil
            try await send(good).expect(411, .missingContentLength)
            #expect(try await s3.objects().isEmpty)
        }
    }

    @Test func refusesStrangers() async throws {
        try await S3Fixture.run { s3 in
            for target in ["/", "/bucket", "/bucket/key"] {
                try await s3.sendUnsigned("GET", target).expect(403, .accessDenied)
            }
            try await s3.sendUnsigned("PUT", "/bucket/key", body: [1]).expect(403, .accessDenied)
            let wrong = S3Credentials(accessKey: "access", secretKey: "wrong")
            try await s3.send("PUT", "/bucket/key", body: [1], credentials: wrong).expect(403, .signatureDoesNotMatch)
            let unknown = S3Credentials(accessKey: "unknown", secretKey: "secret")
            try await s3.send("PUT", "/bucket/key", body: [1], credentials: unknown).expect(403, .invalidAccessKeyId)
            let nobody = S3Credentials(accessKey: "nobody", secretKey: "secret")
            try await s3.send("PUT", "/bucket/key", body: [1], credentials: nobody).expect(403, .accessDenied)
            try await s3.sendUnsigned("PUT", "/bucket/%zz", body: [1]).expect(400, .invalidURI)
            try await s3.send("PUT", "/bucket/%ff", body: [1]).expect(400, .invalidURI)
            #expect(try await s3.objects().isEmpty)
        }
    }

    @Test func presigns() async throws {
        try await S3Fixture.run { s3 in
            let path = "/bucket/a%20b"
            try await s3.sendUnsigned("PUT", s3.presigned("PUT", path), body: [1, 2]).expect(200)
            let shown = s3.presigned("GET", path, ["response-content-type": "image/png"])
            let get = try await s3.sendUnsigned("GET", shown).expect(200)
            #expect(get.body == [1, 2])
            #expect(get.headers[.contentType] == "image/png")
            try await s3.sendUnsigned("PUT", s3.presigned("GET", path), body: [3]).expect(403, .signatureDoesNotMatch)
            let other = s3.presigned("GET", path).replacing("/bucket/a%20b", with: "/bucket/b")
            try await s3.sendUnsigned("GET", other).expect(403, .signatureDoesNotMatch)
        }
    }

    @Test func answersBrowsers() async throws {
        try await S3Fixture.run { s3 in
            let preflight = try await s3.sendUnsigned(
                "OPTIONS", "/bucket/key",
                headers: [
                    ("Origin", "https://example.org"), ("Access-Control-Request-Method", "PUT"),
                    ("Access-Control-Request-Headers", "authorization,x-amz-date"),
                ]
            ).expect(200)
            #expect(preflight.header("Access-Control-Allow-Origin") == "*")
            #expect(preflight.header("Access-Control-Allow-Headers") == "authorization,x-amz-date")
            #expect(preflight.header("Access-Control-Allow-Methods")?.contains("PUT") == true)
            let get = try await s3.send("GET", "/bucket")
            #expect(get.header("Access-Control-Expose-Headers")?.contains("ETag") == true)
        }
    }

    @Test func isAlive() async throws {
        try await S3Fixture.run { s3 in
            try await s3.sendUnsigned("GET", "/minio/health/live").expect(200)
            try await s3.sendUnsigned("GET", "/minio/health/other").expect(404, .noSuchBucket)
        }
    }
}
