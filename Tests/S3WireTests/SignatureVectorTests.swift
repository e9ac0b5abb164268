import Model
import S3Wire
import Testing

/// The worked examples of the S3 API reference ("Authenticating Requests (AWS Signature Version 4)").
@Suite struct SignatureVectorTests {
    static let credentials = S3Credentials(
        accessKey: "AKIAIOSFODNN7EXAMPLE",
        secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    )
    static let time = Instant(seconds: 1_369_353_600)
    static let signer = RequestSigner(credentials: credentials)
    static let host = "examplebucket.s3.amazonaws.com"
    static let scope = CredentialScope(date: "20130524", region: "us-east-1")
    static let key = SigningKey(secretKey: credentials.secretKey, scope: scope)

    struct Example: Sendable, CustomTestStringConvertible {
        let name: String
        let request: SignableRequest
        var payload = PayloadHash.empty
        let signature: String
        var testDescription: String { name }
    }

    static let examples = [
        Example(
            name: "GET object with a range",
            request: SignableRequest(
                method: "GET", host: host, path: "/test.txt", headers: [("Range", "bytes=0-9")]
            ),
            signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        ),
        Example(
            name: "PUT object",
            request: SignableRequest(
                method: "PUT", host: host, path: "/test%24file.text",
                headers: [
                    ("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ]
            ),
            payload: .of("Welcome to Amazon S3.".utf8),
            signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        ),
        Example(
            name: "GET bucket lifecycle",
            request: SignableRequest(
                method: "GET", host: host, path: "/", query: QueryItems([.init("lifecycle")])
            ),
            signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        ),
        Example(
            name: "list objects",
            request: SignableRequest(
                method: "GET", host: host, path: "/",
                query: QueryItems([.init("prefix", "J"), .init("max-keys", "2")])
            ),
            signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        ),
        Example(
            name: "PUT object in signed chunks",
            request: chunkedRequest(extraHeaders: []),
            payload: .signedChunks,
            signature: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
        ),
        Example(
            name: "PUT object in signed chunks with a trailer",
            request: chunkedRequest(extraHeaders: [("x-amz-trailer", "x-amz-checksum-crc32c")]),
            payload: .signedChunksWithTrailer,
            signature: "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
        ),
    ]

    static func chunkedRequest(extraHeaders: [(name: String, value: String)]) -> SignableRequest {
        var headers: [(name: String, value: String)] = [
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"), ("Content-Encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", "66560"),
        ]
        headers += extraHeaders.isEmpty ? [("Content-Length", "66824")] : extraHeaders
        return SignableRequest(
            method: "PUT", host: "s3.amazonaws.com", path: "/examplebucket/chunkObject.txt", headers: headers
        )
    }

    @Test(arguments: examples) func signs(_ example: Example) {
        let signature = Self.signer.sign(example.request, payload: example.payload, at: Self.time)
        #expect(signature.signature == example.signature)
    }

    @Test(arguments: examples) func verifies(_ example: Example) throws {
        let received = try SignedRequests.received(example.request, payload: example.payload)
        let presented = try #require(try PresentedSignature(of: received))
        #expect(presented.accessKey == Self.credentials.accessKey)
        #expect(presented.scope == Self.scope)
        #expect(presented.payload == example.payload)
        _ = try presented.verify(received, key: Self.key, now: Self.time)
    }

    @Test func presigns() throws {
        let request = SignableRequest(method: "GET", host: Self.host, path: "/test.txt")
        let query = Self.signer.presign(request, expiry: 86_400, at: Self.time)
        #expect(query.hasSuffix("=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"))
        let received = try ReceivedRequest(
            method: "GET", target: "/test.txt?\(query)", headers: [("Host", Self.host)]
        )
        let presented = try #require(try PresentedSignature(of: received))
        #expect(presented.isPresigned)
        #expect(presented.payload == .unsigned)
        _ = try presented.verify(received, key: Self.key, now: Self.time + .seconds(86_400))
        let error = #expect(throws: S3Error.self) {
            _ = try presented.verify(received, key: Self.key, now: Self.time + .seconds(86_401))
        }
        #expect(error?.code == .accessDenied)
    }

    @Test func signsChunks() {
        var chain = ChunkSignatures(
            seed: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", key: Self.key,
            signingTime: Self.time.signingTime
        )
        let a = UInt8(ascii: "a")
        let chunks = [65_536, 1024, 0].map { [UInt8](repeating: a, count: $0) }
        #expect(
            chunks.map { chain.next(chunk: $0) } == [
                "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
                "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
                "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
            ]
        )
    }

    @Test func signsChunksWithTrailer() {
        var chain = ChunkSignatures(
            seed: "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e", key: Self.key,
            signingTime: Self.time.signingTime
        )
        let content = [UInt8](repeating: UInt8(ascii: "a"), count: 66_560)
        #expect(
            [Array(content[..<65_536]), Array(content[65_536...]), []].map { chain.next(chunk: $0) } == [
                "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
                "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
                "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
            ]
        )
        let checksum = Base64.encode(Checksum.of(content, .crc32c))
        #expect(checksum == "sOO8/Q==")
        #expect(
            chain.trailer([("x-amz-checksum-crc32c", checksum)])
                == "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
        )
    }
}

/// Signed requests as a server gets them.
enum SignedRequests {
    static func received(
        _ request: SignableRequest,
        payload: PayloadHash = .empty,
        at time: Instant = SignatureVectorTests.time
    ) throws -> ReceivedRequest {
        let signature = SignatureVectorTests.signer.sign(request, payload: payload, at: time)
        let query = request.query.items.isEmpty ? "" : "?\(request.query.canonicalText)"
        return try ReceivedRequest(
            method: request.method, target: request.path + query,
            headers: request.headers + signature.headers + [("Host", request.host)]
        )
    }
}
