import Model
import S3Wire
import Testing

/// Who gets in, over the wire.
@Suite struct AccessTests {
    static let cows = S3Credentials(accessKey: "cows", secretKey: "secret")

    static func policy(
        _ action: String,
        _ resource: String = "/*",
        effect: String = "Allow",
        condition: String = "{}"
    ) -> [UInt8] {
        Array(
            """
            {"Version": "2012-10-17", "Statement": {"Effect": "\(effect)", "Principal": "*", "Action": [\(action)],
              "Resource": ["arn:aws:s3:::bucket\(resource)"], "Condition": \(condition)}}
            """.utf8)
    }

    @Test func keepsPolicies() async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("GET", "/bucket", ["policy": ""]).expect(404, .noSuchBucketPolicy)
            try await s3.send("GET", "/bucket", ["policyStatus": ""]).expect(404, .noSuchBucketPolicy)
            let policy = Self.policy(#""s3:GetObject""#)
            try await s3.send("PUT", "/bucket", ["policy": ""], body: policy).expect(204)
            let got = try await s3.send("GET", "/bucket", ["policy": ""]).expect(200)
            #expect(got.body == policy)
            #expect(got.header("content-type") == "application/json")
            let status = try await s3.send("GET", "/bucket", ["policyStatus": ""]).expect(200)
            #expect(try status.text("IsPublic") == "true")
            try await s3.send("PUT", "/bucket", ["policy": ""], body: Array("{}".utf8)).expect(400, .malformedPolicy)
            try await s3.send("PUT", "/bucket", ["policy": ""]).expect(400, .missingRequestBody)
            try await s3.send("PUT", "/other", ["policy": ""], body: policy).expect(404, .noSuchBucket)
            try await s3.send("GET", "/other", ["policy": ""]).expect(404, .noSuchBucket)
            let large = policy + [UInt8](repeating: 32, count: 20 << 10)
            try await s3.send("PUT", "/bucket", ["policy": ""], body: large).expect(400, .malformedPolicy)
            #expect(try await s3.send("GET", "/bucket", ["policy": ""]).body == policy)
            try await s3.send("DELETE", "/bucket", ["policy": ""]).expect(204)
            try await s3.send("DELETE", "/bucket", ["policy": ""]).expect(204)
            try await s3.send("GET", "/bucket", ["policy": ""]).expect(404, .noSuchBucketPolicy)
        }
    }

    @Test func letsAnybodyDoWhatThePolicySays() async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("PUT", "/bucket/open/a", body: [1, 2]).expect(200)
            try await s3.send("PUT", "/bucket/closed/a", body: [3]).expect(200)
            try await s3.sendUnsigned("GET", "/bucket/open/a").expect(403, .accessDenied)
            try await s3.send("PUT", "/bucket", ["policy": ""], body: Self.policy(#""s3:GetObject""#, "/open/*"))
                .expect(204)
            #expect(try await s3.sendUnsigned("GET", "/bucket/open/a").expect(200).body == [1, 2])
            try await s3.sendUnsigned("HEAD", "/bucket/open/a").expect(200)
            #expect(try await s3.send("GET", "/bucket/open/a", credentials: Self.cows).expect(200).body == [1, 2])
            for path in ["/bucket/closed/a", "/bucket/open", "/bucket/open/%2e%2e/closed/b", "/bucket", "/"] {
                try await s3.sendUnsigned("GET", path).expect(403, .accessDenied)
            }
            try await s3.sendUnsigned("GET", "/bucket/open/a?versionId=null").expect(403, .accessDenied)
            // What there is not looks like what may not be read, to those who may not list.
            try await s3.sendUnsigned("GET", "/bucket/open/missing").expect(403, .accessDenied)
            try await s3.send("GET", "/bucket/open/missing").expect(404, .noSuchKey)
            try await s3.sendUnsigned("GET", "/missing/open/a").expect(404, .noSuchBucket)
            for (method, path) in [("PUT", "/bucket/open/b"), ("DELETE", "/bucket/open/a"), ("PUT", "/new")] {
                try await s3.sendUnsigned(method, path, body: [1]).expect(403, .accessDenied)
            }
            try await s3.sendUnsigned("POST", "/bucket/open/b?uploads").expect(403, .accessDenied)
            #expect(try await s3.objects() == ["closed/a", "open/a"])
        }
    }

    /// Whatever looks like a signature is verified; nothing of it makes somebody nobody.
    @Test func neverTakesABadSignatureForNone() async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("PUT", "/bucket/a", body: [1]).expect(200)
            try await s3.send("PUT", "/bucket", ["policy": ""], body: Self.policy(#""s3:*""#)).expect(204)
            try await s3.sendUnsigned("PUT", "/bucket/b", body: [1]).expect(200)
            let wrong = S3Credentials(accessKey: "access", secretKey: "wrong")
            try await s3.send("PUT", "/bucket/c", body: [1], credentials: wrong).expect(403, .signatureDoesNotMatch)
            for query in [
                "X-Amz-Signature=0", "X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Credential=a", "x-amz-signature=0",
                "X-Amz-Expires=60", "X-Amz-SignedHeaders=host", "Signature=0", "AWSAccessKeyId=access",
                "AWSAccessKeyId=access&Signature=0&Expires=1800000000",
            ] {
                let put = try await s3.sendUnsigned("PUT", "/bucket/c?\(query)", body: [1])
                #expect((400...403).contains(put.status), "\(query)")
                let get = try await s3.sendUnsigned("GET", "/bucket/a?\(query)")
                #expect((400...403).contains(get.status), "\(query)")
            }
            for value in ["", "Basic YTpi", "AWS a:b", "AWS4-HMAC-SHA256 x", "Bearer x"] {
                let get = try await s3.sendUnsigned("GET", "/bucket/a", headers: [("Authorization", value)])
                // An empty header does not reach the server.
                #expect(value.isEmpty || (400...403).contains(get.status), "\(value)")
            }
            let signed: [(name: String, value: String)] = [
                ("x-amz-content-sha256", PayloadHash.signedChunks.header), ("x-amz-decoded-content-length", "1"),
            ]
            try await s3.sendUnsigned("PUT", "/bucket/c", headers: signed, body: [1]).expect(403, .accessDenied)
            let other = [(name: "x-amz-content-sha256", value: PayloadHash.of([2]).header)]
            try await s3.sendUnsigned("PUT", "/bucket/c", headers: other, body: [1]).expect(400, .contentSHA256Mismatch)
            #expect(try await s3.objects() == ["a", "b"])
        }
    }

    @Test func deniesAdministratorsButForThePolicy() async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("PUT", "/bucket/a", body: [1]).expect(200)
            try await s3.send("PUT", "/bucket", ["policy": ""], body: Self.policy(#""s3:*""#, "*", effect: "Deny"))
                .expect(204)
            try await s3.send("GET", "/bucket/a").expect(403, .accessDenied)
            try await s3.send("PUT", "/bucket/b", body: [1]).expect(403, .accessDenied)
            try await s3.send("GET", "/bucket").expect(403, .accessDenied)
            try await s3.send("DELETE", "/bucket", ["cors": ""]).expect(403, .accessDenied)
            try await s3.send("GET", "/bucket", ["policy": ""]).expect(200)
            // A copy out of it reads it.
            try await s3.send("PUT", "/second").expect(200)
            try await s3.send("PUT", "/second/a", headers: ["x-amz-copy-source": "/bucket/a"]).expect(
                403, .accessDenied)
            let body = Array("<Delete><Object><Key>a</Key></Object></Delete>".utf8)
            let deletion = try await s3.send("POST", "/bucket", ["delete": ""], body: body).expect(200)
            #expect(try deletion.text("Error", "Code") == "AccessDenied")
            #expect(try await s3.objects() == ["a"])
            try await s3.send("DELETE", "/bucket", ["policy": ""]).expect(204)
            try await s3.send("GET", "/bucket/a").expect(200)
        }
    }

    @Test func asksForAllThatAnOperationDoes() async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("PUT", "/bucket/a", body: [1]).expect(200)
            try await s3.send(
                "PUT", "/bucket", ["policy": ""], body: Self.policy(#""s3:PutObject", "s3:DeleteObject""#)
            )
            .expect(204)
            func send(_ method: String, _ path: String, _ headers: [(name: String, value: String)] = []) async throws
                -> Answer
            { try await s3.sendUnsigned(method, path, headers: headers, body: [7]) }
            try await send("PUT", "/bucket/b").expect(200)
            try await send("PUT", "/bucket/c", [("x-amz-acl", "public-read")]).expect(403, .accessDenied)
            try await send("PUT", "/bucket/c", [("x-amz-tagging", "a=b")]).expect(403, .accessDenied)
            try await send("PUT", "/bucket/c", [("x-amz-copy-source", "/bucket/a")]).expect(403, .accessDenied)
            try await send("PUT", "/bucket/c", [("x-amz-copy-source", "/missing/a")]).expect(404, .noSuchBucket)
            try await send("POST", "/bucket/c?uploads").expect(403, .accessDenied)
            try await send("DELETE", "/bucket/b").expect(204)
            let body = Array("<Delete><Object><Key>a</Key></Object></Delete>".utf8)
            try await s3.sendUnsigned("POST", "/bucket?delete", body: body).expect(200)
            #expect(try await s3.objects().isEmpty)
            try await s3.send("DELETE", "/bucket", ["policy": ""]).expect(204)
            try await s3.sendUnsigned("POST", "/bucket?delete", body: body).expect(403, .accessDenied)
            try await s3.sendUnsigned("POST", "/missing?delete", body: body).expect(404, .noSuchBucket)
        }
    }

    @Test func judgesConditions() async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("PUT", "/bucket/home/a", body: [1]).expect(200)
            let condition =
                #"{"StringLike": {"s3:prefix": "home/*"}, "IpAddress": {"aws:SourceIp": ["127.0.0.0/8", "::1"]}}"#
            let policy = Self.policy(#""s3:ListBucket""#, "", condition: condition)
            try await s3.send("PUT", "/bucket", ["policy": ""], body: policy).expect(204)
            let list = try await s3.sendUnsigned("GET", "/bucket?list-type=2&fetch-owner=true&prefix=home/").expect(200)
            #expect(try list.xml()["Contents"]?["Owner"]?["ID"]?.text == "somebody")
            try await s3.sendUnsigned("GET", "/bucket?prefix=other/").expect(403, .accessDenied)
            try await s3.sendUnsigned("GET", "/bucket").expect(403, .accessDenied)
            let status = try await s3.send("GET", "/bucket", ["policyStatus": ""]).expect(200)
            #expect(try status.text("IsPublic") == "false")
            let late = Self.policy(
                #""s3:GetObject""#, condition: #"{"DateGreaterThan": {"aws:CurrentTime": "2024-01-01T00:00:00Z"}}"#)
            try await s3.send("PUT", "/bucket", ["policy": ""], body: late).expect(204)
            try await s3.sendUnsigned("GET", "/bucket/home/a").expect(403, .accessDenied)
            let presignedOnly = Self.policy(
                #""s3:GetObject""#, effect: "Deny",
                condition: #"{"StringEquals": {"s3:authType": "REST-QUERY-STRING"}}"#)
            try await s3.send("PUT", "/bucket", ["policy": ""], body: presignedOnly).expect(204)
            try await s3.send("GET", "/bucket/home/a").expect(200)
            try await s3.sendUnsigned("GET", s3.presigned("GET", "/bucket/home/a")).expect(403, .accessDenied)
        }
    }

    @Test func blocksPublicAccess() async throws {
        try await S3Fixture.run { s3 in
            let name = "publicAccessBlock"
            try await s3.send("GET", "/bucket", [name: ""]).expect(404, .noSuchPublicAccessBlockConfiguration)
            func block(_ flags: String...) async throws {
                let inner = flags.map { "<\($0)>true</\($0)>" }.joined()
                let body = "<PublicAccessBlockConfiguration>\(inner)</PublicAccessBlockConfiguration>"
                try await s3.send("PUT", "/bucket", [name: ""], body: Array(body.utf8)).expect(200)
            }
            let open = Self.policy(#""s3:GetObject""#)
            try await s3.send("PUT", "/bucket/a", headers: ["x-amz-acl": "public-read"], body: [1]).expect(200)
            try await s3.sendUnsigned("GET", "/bucket/a").expect(200)
            try await block("IgnorePublicAcls")
            try await s3.sendUnsigned("GET", "/bucket/a").expect(403, .accessDenied)
            try await block("BlockPublicPolicy", "BlockPublicAcls")
            try await s3.send("PUT", "/bucket", ["policy": ""], body: open).expect(403, .accessDenied)
            try await s3.send("PUT", "/bucket/b", headers: ["x-amz-acl": "public-read"], body: [1])
                .expect(403, .accessDenied)
            try await s3.send("PUT", "/bucket", ["acl": ""], headers: ["x-amz-acl": "public-read"])
                .expect(403, .accessDenied)
            try await s3.send("PUT", "/bucket/b", headers: ["x-amz-acl": "private"], body: [1]).expect(200)
            try await block()
            try await s3.send("PUT", "/bucket", ["policy": ""], body: open).expect(204)
            try await s3.sendUnsigned("GET", "/bucket/b").expect(200)
            try await block("RestrictPublicBuckets")
            try await s3.sendUnsigned("GET", "/bucket/b").expect(403, .accessDenied)
            try await s3.send("GET", "/bucket/b", credentials: Self.cows).expect(200)
            let got = try await s3.send("GET", "/bucket", [name: ""]).expect(200)
            #expect(try got.text("RestrictPublicBuckets") == "true")
            #expect(try got.text("BlockPublicAcls") == "false")
            try await s3.send("DELETE", "/bucket", [name: ""]).expect(204)
            try await s3.sendUnsigned("GET", "/bucket/b").expect(200)
        }
    }
}
