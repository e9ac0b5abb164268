import Model
import S3Wire
import Testing

@Suite struct SignatureRefusalTests {
    static let time = SignatureVectorTests.time
    static let key = SignatureVectorTests.key
    static let plain = SignableRequest(
        method: "PUT", host: "localhost:9000", path: "/bucket/a%20key",
        query: QueryItems([.init("partNumber", "1")]), headers: [("x-amz-meta-colour", "deep  blue")]
    )

    private func code(_ request: ReceivedRequest, now: Instant = time, key: SigningKey = key) -> S3ErrorCode? {
        do {
            guard let presented = try PresentedSignature(of: request) else { return nil }
            _ = try presented.verify(request, key: key, now: now)
            return nil
        } catch {
            return error.code
        }
    }

    private func changed(_ target: String? = nil, _ change: (inout [(name: String, value: String)]) -> Void = { _ in })
        throws -> ReceivedRequest
    {
        let good = try SignedRequests.received(Self.plain)
        var headers = good.headers
        change(&headers)
        return try ReceivedRequest(
            method: good.method, target: target ?? "/bucket/a%20key?partNumber=1", headers: headers
        )
    }

    private func setting(_ name: String, _ value: String?) throws -> ReceivedRequest {
        try changed { headers in
            headers.removeAll { $0.name.lowercased() == name.lowercased() }
            if let value { headers.append((name, value)) }
        }
    }

    @Test func acceptsWhatWasSigned() throws {
        #expect(code(try changed()) == nil)
        #expect(code(try changed { $0.reverse() }) == nil)
        #expect(code(try setting("x-amz-meta-colour", " deep blue ")) == nil)
    }

    @Test(arguments: [
        "/bucket/a%20key?partNumber=2", "/bucket/a%20key", "/bucket/a%20keys?partNumber=1",
        "/bucket/a%20key?partNumber=1&x=", "/bucket//a%20key?partNumber=1", "/bucket/../bucket/a%20key?partNumber=1",
    ])
    func refusesOtherTargets(target: String) throws {
        #expect(code(try changed(target)) == .signatureDoesNotMatch)
    }

    @Test func refusesChangedHeaders() throws {
        #expect(code(try setting("x-amz-meta-colour", "red")) == .signatureDoesNotMatch)
        #expect(code(try setting("Host", "localhost:9001")) == .signatureDoesNotMatch)
        #expect(code(try setting("x-amz-meta-shape", "round")) == .accessDenied)
        let unsigned = try setting("x-amz-content-sha256", PayloadHash.unsigned.header)
        #expect(code(unsigned) == .signatureDoesNotMatch)
        // Without the header and without a body, the hash of nothing counts; this request was signed with it, and
        // with the header, so that only the list of signed headers differs.
        #expect(code(try setting("x-amz-content-sha256", nil)) == .signatureDoesNotMatch)
        let withBody = try changed { headers in
            headers.removeAll { $0.name == "x-amz-content-sha256" }
            headers.append(("Content-Length", "1"))
        }
        #expect(code(withBody) == .invalidRequest)
        #expect(
            code(try setting("x-amz-content-sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")) == .invalidArgument)
        #expect(code(try setting("x-amz-date", nil)) == .accessDenied)
        #expect(code(try setting("x-amz-date", "20130524")) == .accessDenied)
    }

    @Test func refusesAnotherSecret() throws {
        let other = SigningKey(secretKey: "other", scope: SignatureVectorTests.scope)
        #expect(code(try changed(), key: other) == .signatureDoesNotMatch)
    }

    @Test(
        arguments: [
            (-900, nil), (900, nil), (-901, S3ErrorCode.requestTimeTooSkewed), (901, .requestTimeTooSkewed),
        ] as [(Int64, S3ErrorCode?)])
    func bindsToTheClock(seconds: Int64, expected: S3ErrorCode?) throws {
        #expect(code(try changed(), now: Self.time + .seconds(seconds)) == expected)
    }

    @Test(arguments: [
        ("", S3ErrorCode.invalidRequest),
        ("AWS AKIA:c2ln", .invalidRequest),
        ("Bearer abc", .invalidRequest),
        ("AWS4-HMAC-SHA256 ", .authorizationHeaderMalformed),
        ("AWS4-HMAC-SHA256 Credential=a/20130524/r/s3/aws4_request, SignedHeaders=host", .authorizationHeaderMalformed),
        (
            "AWS4-HMAC-SHA256 Credential=a/s3/aws4_request, SignedHeaders=host, Signature=00",
            .authorizationHeaderMalformed
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/20130524/r/ec2/aws4_request, SignedHeaders=host, Signature=00",
            .authorizationHeaderMalformed
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/20130524/r/s3/aws4_request, SignedHeaders=x-amz-date, Signature=00",
            .accessDenied
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/20130525/r/s3/aws4_request, "
                + "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-meta-colour, Signature=00",
            .authorizationHeaderMalformed
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/20130524/r/s3/aws4_request, "
                + "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-meta-colour, Signature=",
            .signatureDoesNotMatch
        ),
    ])
    func refusesMalformedAuthorization(header: String, expected: S3ErrorCode) throws {
        #expect(code(try setting("Authorization", header)) == expected)
    }

    @Test func seesAnonymousRequests() throws {
        #expect(try PresentedSignature(of: try setting("Authorization", nil)) == nil)
    }

    @Test(arguments: [
        ("X-Amz-Expires", "0"), ("X-Amz-Expires", "604801"), ("X-Amz-Expires", "-1"), ("X-Amz-Expires", "1.5"),
        ("X-Amz-Expires", ""), ("X-Amz-Date", "yesterday"), ("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256"),
        ("X-Amz-Credential", "a/b"), ("X-Amz-Signature", nil), ("X-Amz-SignedHeaders", nil), ("X-Amz-Date", nil),
    ])
    func refusesMalformedPresignedQueries(name: String, value: String?) throws {
        let request = SignableRequest(method: "GET", host: "h", path: "/b/k")
        var query = try QueryItems(
            parsing: SignatureVectorTests.signer.presign(request, expiry: 60, at: Self.time)
        )
        query.items.removeAll { $0.name == name }
        if let value { query.items.append(.init(name, value)) }
        let received = try ReceivedRequest(
            method: "GET", target: "/b/k?\(query.canonicalText)", headers: [("host", "h")]
        )
        #expect(code(received) == .authorizationQueryParametersError)
    }

    @Test func bindsPresignedRequests() throws {
        let request = SignableRequest(method: "PUT", host: "h", path: "/b/k%C3%A9")
        let query = SignatureVectorTests.signer.presign(request, expiry: 60, at: Self.time)
        func received(_ method: String, _ target: String, _ extra: [(name: String, value: String)] = []) throws
            -> ReceivedRequest
        { try ReceivedRequest(method: method, target: target, headers: [("host", "h")] + extra) }
        let good = "/b/k%C3%A9?\(query)"
        #expect(code(try received("PUT", good)) == nil)
        #expect(code(try received("PUT", "/b/ké?\(query)")) == nil)
        #expect(code(try received("DELETE", good)) == .signatureDoesNotMatch)
        #expect(code(try received("PUT", "\(good)&tagging=")) == .signatureDoesNotMatch)
        #expect(code(try received("PUT", good, [("x-amz-copy-source", "/other/secret")])) == .accessDenied)
        #expect(code(try received("PUT", good), now: Self.time + .seconds(61)) == .accessDenied)
        #expect(code(try received("PUT", good), now: Self.time + .seconds(-901)) == .accessDenied)
        let double = try received("PUT", good, [("Authorization", "AWS4-HMAC-SHA256 x")])
        #expect(code(double) == .invalidArgument)
    }

    @Test func readsAccessKeysWithSlashes() throws {
        let signer = RequestSigner(credentials: S3Credentials(accessKey: "a/b", secretKey: "s"), region: "eu")
        let signature = signer.sign(Self.plain, payload: .unsigned, at: Self.time)
        let received = try ReceivedRequest(
            method: "PUT", target: "/bucket/a%20key?partNumber=1",
            headers: Self.plain.headers + signature.headers + [("host", "localhost:9000")]
        )
        let presented = try #require(try PresentedSignature(of: received))
        #expect(presented.accessKey == "a/b")
        #expect(presented.scope.region == "eu")
    }

    @Test func keepsSigningKeys() {
        var cache = SigningKeyCache(limit: 2)
        let scope = SignatureVectorTests.scope
        let made = cache.key(accessKey: "a", secretKey: "s", scope: scope)
        let kept = cache.key(accessKey: "a", secretKey: "s", scope: scope)
        let other = cache.key(accessKey: "a", secretKey: "t", scope: scope)
        #expect(made.signature(of: "x") == kept.signature(of: "x"))
        #expect(made.signature(of: "x") != other.signature(of: "x"))
        #expect(cache.count == 2)
        _ = cache.key(accessKey: "b", secretKey: "s", scope: scope)
        #expect(cache.count == 1)
    }

    /// The worked example of the S3 user guide ("Query string request authentication alternative").
    @Test func knowsVersionTwoInQueries() throws {
        let query = "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620"
        func received(_ method: String, _ target: String) throws -> ReceivedRequest {
            try ReceivedRequest(method: method, target: target, headers: [("host", "johnsmith.s3.amazonaws.com")])
        }
        func code(
            _ request: ReceivedRequest, secret: String = SignatureVectorTests.credentials.secretKey, at seconds: Int64
        )
            -> S3ErrorCode?
        {
            do throws(S3Error) {
                try LegacyPresignature(of: request)?.verify(request, secretKey: secret, now: Instant(seconds: seconds))
                return nil
            } catch {
                return error.code
            }
        }
        let good = try received("GET", "/johnsmith/photos/puppy.jpg?\(query)")
        #expect(code(good, at: 1_175_139_620) == nil)
        #expect(try LegacyPresignature(of: good)?.accessKey == "AKIAIOSFODNN7EXAMPLE")
        #expect(code(good, at: 1_175_139_621) == .accessDenied)
        #expect(code(good, secret: "other", at: 0) == .signatureDoesNotMatch)
        #expect(code(try received("PUT", "/johnsmith/photos/puppy.jpg?\(query)"), at: 0) == .signatureDoesNotMatch)
        #expect(code(try received("GET", "/johnsmith/photos/other.jpg?\(query)"), at: 0) == .signatureDoesNotMatch)
        #expect(code(try received("GET", "/johnsmith/photos/puppy.jpg?acl&\(query)"), at: 0) == .signatureDoesNotMatch)
        // Sub-resources that the signature does not cover would make another operation of the same link.
        for name in ["publicAccessBlock", "ownershipControls", "policyStatus", "encryption", "attributes", "retention"]
        {
            let target = "/johnsmith/photos/puppy.jpg?\(name)&\(query)"
            #expect(code(try received("GET", target), at: 0) == .accessDenied, "\(name)")
        }
        #expect(code(try received("GET", "/a?AWSAccessKeyId=x&Signature=y&Expires=z"), at: 0) == .accessDenied)
        #expect(code(try received("GET", "/a?AWSAccessKeyId=x"), at: 0) == .accessDenied)
        #expect(try LegacyPresignature(of: received("GET", "/a")) == nil)
    }

    @Test func hidesTheSecret() {
        #expect("\(SignatureVectorTests.credentials)" == "S3Credentials(AKIAIOSFODNN7EXAMPLE)")
    }
}
