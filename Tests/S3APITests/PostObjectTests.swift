import HTTPTypes
import Model
import S3Wire
import Testing

/// Uploads from browsers.
@Suite struct PostObjectTests {
    private static let boundary = "xxBOUNDARYxx"
    private static let scope = CredentialScope(date: "20231114", region: "us-east-1")

    private static func body(_ fields: [(String, String)], file: [UInt8]?, fileName: String = "cow.jpg") -> [UInt8] {
        var text = ""
        for (name, value) in fields {
            text += "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n"
        }
        guard let file else { return Array("\(text)--\(boundary)--\r\n".utf8) }
        text += "--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\(fileName)\"\r\n\r\n"
        return Array(text.utf8) + file + Array("\r\n--\(boundary)--\r\n".utf8)
    }

    /// The fields of a signed form.
    private static func signed(
        _ fields: [(String, String)],
        conditions: String = "",
        expiration: String = "2023-11-14T23:00:00Z",
        secret: String = "secret"
    ) -> [(String, String)] {
        let all =
            fields + [
                ("x-amz-algorithm", "AWS4-HMAC-SHA256"), ("x-amz-credential", "access/\(scope.text)"),
                ("x-amz-date", "20231114T221320Z"),
            ]
        let covered = all.map { #"["starts-with", "$\#($0.0)", ""]"# } + [#"{"bucket": "bucket"}"#, conditions]
        let list = covered.filter { !$0.isEmpty }.joined(separator: ", ")
        let policy = Base64.encode(Array(#"{"expiration": "\#(expiration)", "conditions": [\#(list)]}"#.utf8))
        let signature = Hexadecimal.text(SigningKey(secretKey: secret, scope: scope).signature(of: policy))
        return all + [("policy", policy), ("x-amz-signature", signature)]
    }

    private func post(
        _ s3: S3Fixture,
        _ fields: [(String, String)],
        file: [UInt8]? = [1, 2, 3],
        fileName: String = "cow.jpg",
        path: String = "/bucket",
        headers: [(name: String, value: String)] = []
    ) async throws -> Answer {
        let type = (name: "Content-Type", value: "multipart/form-data; boundary=\(Self.boundary)")
        return try await s3.sendUnsigned(
            "POST", path, headers: [type] + headers, body: Self.body(fields, file: file, fileName: fileName))
    }

    @Test(arguments: [0, 1, 70_000, 3_000_000]) func uploads(size: Int) async throws {
        try await S3Fixture.run { s3 in
            let content = pattern(size)
            let fields = Self.signed([
                ("key", "up/${filename}"), ("Content-Type", "image/jpeg"), ("x-amz-meta-Colour", "blue"),
                ("Cache-Control", "no-store"),
            ])
            let answer = try await post(s3, fields, file: content).expect(204)
            #expect(answer.body.isEmpty)
            let got = try await s3.send("GET", "/bucket/up/cow.jpg").expect(200)
            #expect(got.body == content)
            #expect(got.header("content-type") == "image/jpeg")
            #expect(got.header("x-amz-meta-colour") == "blue")
            #expect(got.header("cache-control") == "no-store")
            #expect(got.header("etag") == answer.header("etag"))
        }
    }

    @Test func answersAsItIsAsked() async throws {
        try await S3Fixture.run { s3 in
            let created = try await post(s3, Self.signed([("key", "a&b"), ("success_action_status", "201")])).expect(
                201)
            #expect(try created.text("Key") == "a&b")
            #expect(try created.text("Bucket") == "bucket")
            #expect(try created.text("Location")?.hasSuffix("/bucket/a%26b") == true)
            #expect(try created.text("ETag") == created.header("etag"))
            try await post(s3, Self.signed([("key", "b"), ("success_action_status", "200")]), path: "/bucket/").expect(
                200)
            let redirect = try await post(
                s3, Self.signed([("key", "c d"), ("success_action_redirect", "https://a.example/done?x=y")])
            ).expect(303)
            #expect(
                redirect.header("location")?.hasPrefix(
                    "https://a.example/done?x=y&bucket=bucket&key=c%20d&etag=%22") == true)
            #expect(try await s3.objects() == ["a&b", "b", "c d"])
        }
    }

    @Test func keepsNothingOfWhatIsNotAllowed() async throws {
        try await S3Fixture.run { s3 in
            let key = [("key", "a")]
            func refuse(_ fields: [(String, String)], _ status: Int, _ code: S3ErrorCode, file: [UInt8]? = [1])
                async throws
            {
                try await post(s3, fields, file: file).expect(status, code)
            }
            try await refuse(Self.signed(key, secret: "wrong"), 403, .signatureDoesNotMatch)
            try await refuse(Self.signed(key, expiration: "2023-11-14T22:00:00Z"), 403, .accessDenied)
            try await refuse(Self.signed(key, conditions: #"["eq", "$key", "b"]"#), 403, .accessDenied)
            try await refuse(Self.signed(key) + [("acl", "public-read")], 403, .accessDenied)
            try await refuse(Self.signed(key, conditions: #"["content-length-range", 2, 3]"#), 400, .entityTooSmall)
            try await refuse(
                Self.signed(key, conditions: #"["content-length-range", 0, 3]"#), 400, .entityTooLarge,
                file: pattern(1_000_000))
            try await refuse(Self.signed(key, conditions: "7"), 400, .invalidPolicyDocument)
            try await refuse(Self.signed([]), 400, .userKeyMustBeSpecified)
            try await refuse(Self.signed(key), 400, .incorrectNumberOfFilesInPostRequest, file: nil)
            try await refuse(key, 403, .accessDenied)
            try await refuse(key + [("policy", "e30=")], 400, .invalidArgument)
            try await refuse(Self.signed(key).filter { $0.0 != "policy" }, 400, .invalidArgument)
            try await refuse(Self.signed([("key", String(repeating: "a", count: 1025))]), 400, .keyTooLong)
            try await refuse(
                Self.signed(key + [("x-amz-checksum-crc32", "AAAAAA==")]), 400, .badDigest, file: [1, 2])
            try await refuse(
                Self.signed(key + [("x-amz-server-side-encryption-customer-key", "x")]), 501, .notImplemented)
            try await refuse(
                key + [("filler", String(repeating: "a", count: 21_000))], 400, .maximumPostPreDataLengthExceeded)
            try await post(s3, Self.signed(key), path: "/missing").expect(403, .accessDenied)
            let both = [(name: "Authorization", value: "AWS4-HMAC-SHA256 x")]
            try await post(s3, Self.signed(key), headers: both).expect(400, .authorizationHeaderMalformed)
            let other = [(name: "Content-Type", value: "text/plain")]
            try await s3.sendUnsigned("POST", "/bucket", headers: other, body: [1]).expect(412, .preconditionFailed)
            let broken = [(name: "Content-Type", value: "multipart/form-data")]
            try await s3.sendUnsigned("POST", "/bucket", headers: broken, body: [1]).expect(400, .malformedPOSTRequest)
            #expect(try await s3.objects().isEmpty)
        }
    }

    @Test func letsAnybodyUploadWhereThePolicySays() async throws {
        try await S3Fixture.run { s3 in
            let policy = AccessTests.policy(#""s3:PutObject""#, "/in/*")
            try await s3.send("PUT", "/bucket", ["policy": ""], body: policy).expect(204)
            try await post(s3, [("key", "in/${filename}")], fileName: "C:\\x\\a.txt").expect(204)
            try await post(s3, [("key", "out/a")]).expect(403, .accessDenied)
            try await post(s3, [("key", "in/b"), ("acl", "public-read")]).expect(403, .accessDenied)
            let open = try await post(s3, Self.signed([("key", "out/b"), ("acl", "public-read")])).expect(204)
            #expect(open.header("etag") != nil)
            try await s3.sendUnsigned("GET", "/bucket/out/b").expect(200)
            try await s3.sendUnsigned("GET", "/bucket/in/a.txt").expect(403, .accessDenied)
            #expect(try await s3.objects() == ["in/a.txt", "out/b"])
        }
    }

    /// As boto3 signs forms where it is not told otherwise.
    @Test func knowsVersionTwo() async throws {
        try await S3Fixture.run { s3 in
            let text =
                #"{"expiration": "2023-11-14T23:00:00Z", "conditions": [{"bucket": "bucket"}, ["eq", "$key", "a"]]}"#
            let policy = Base64.encode(Array(text.utf8))
            // HMAC-SHA1 of the policy with the key "secret", reckoned elsewhere.
            let signature = "zp5ubfsCunvJoO/gmrYyKOXFPS4="
            let fields = [("key", "a"), ("AWSAccessKeyId", "access"), ("policy", policy)]
            try await post(s3, fields + [("signature", signature)]).expect(204)
            try await post(s3, fields + [("signature", "AAAA")]).expect(403, .signatureDoesNotMatch)
            try await post(s3, fields.filter { $0.0 != "AWSAccessKeyId" } + [("signature", signature)])
                .expect(400, .invalidArgument)
        }
    }
}
