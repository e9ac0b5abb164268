import Model
import S3Wire
import TestKit
import Testing

@Suite struct PostFormTests {
    static let now = Instant(seconds: 1_700_000_000)

    static func fields(_ fields: KeyValuePairs<String, String>, fileName: String = "cow.jpg") -> FormFields {
        var form = FormFields()
        form.fileName = fileName
        for (name, value) in fields { form.append(name, value) }
        return form
    }

    static func fields(of fields: [String: String]) -> FormFields {
        var form = FormFields()
        for (name, value) in fields { form.append(name, value) }
        return form
    }

    static func policy(_ conditions: String, expiration: String = "2030-01-01T00:00:00.000Z") throws -> PostPolicy {
        let text = #"{"expiration": "\#(expiration)", "conditions": [\#(conditions)]}"#
        return try PostPolicy(parsing: Base64.encode(Array(text.utf8)))
    }

    static let three = #"{"bucket": "bucket"}, ["starts-with", "$key", "user/"], {"acl": "private"}"#

    @Test(
        arguments: [
            (three, ["key": "user/a", "acl": "private"], nil),
            (three, ["key": "user/a", "ACL": "private"], nil),
            (
                three, ["key": "other/a", "acl": "private"],
                #"Policy Condition failed: ["starts-with", "$key", "user/"]"#
            ),
            (three, ["key": "user/a", "acl": "public-read"], #"Policy Condition failed: ["eq", "$acl", "private"]"#),
            (three, ["key": "user/a"], #"Policy Condition failed: ["eq", "$acl", "private"]"#),
            (three, ["key": "user/a", "acl": "private", "x-amz-meta-a": "b"], "Extra input fields: x-amz-meta-a"),
            (
                three, ["key": "user/a", "acl": "private", "x-ignore-a": "b", "policy": "p", "x-amz-signature": "s"],
                nil
            ),
            (
                #"{"bucket": "other"}, ["eq", "$key", "a"]"#, ["key": "a"],
                #"Policy Condition failed: ["eq", "$bucket", "other"]"#
            ),
            (#"{"bucket": "bucket"}, ["starts-with", "$key", ""]"#, ["key": "anything"], nil),
            (#"["starts-with", "$key", ""]"#, ["key": "anything"], "Policy missing condition: bucket"),
            (
                #"{"bucket": "bucket"}, ["eq", "$Key", "a"], ["starts-with", "$Content-Type", "image/"]"#,
                ["key": "a", "Content-Type": "image/png, image/gif"], nil
            ),
            (
                #"["eq", "$key", "a"], ["starts-with", "$Content-Type", "image/"]"#,
                ["key": "a", "Content-Type": "image/png,text/html"],
                #"Policy Condition failed: ["starts-with", "$content-type", "image/"]"#
            ),
            (#"{"bucket": "bucket"}"#, ["key": "a"], "Extra input fields: key"),
        ] as [(String, [String: String], String?)])
    func checks(conditions: String, fields: [String: String], failure: String?) throws {
        let policy = try Self.policy(conditions)
        do throws(S3Error) {
            try policy.check(Self.fields(of: fields), bucket: "bucket", now: Self.now)
            #expect(failure == nil)
        } catch {
            #expect(error.code == .accessDenied)
            #expect(error.message == "Invalid according to Policy: \(failure ?? "nothing")")
        }
    }

    @Test func expires() throws {
        let policy = try Self.policy(#"{"bucket": "bucket"}, ["eq", "$key", "a"]"#, expiration: "2023-11-14T22:13:20Z")
        let error = #expect(throws: S3Error.self) {
            try policy.check(Self.fields(["key": "a"]), bucket: "bucket", now: Self.now)
        }
        #expect(error?.message == "Invalid according to Policy: Policy expired.")
        try policy.check(Self.fields(["key": "a"]), bucket: "bucket", now: Self.now + .seconds(-1))
    }

    @Test func boundsLengths() throws {
        let policy = try Self.policy(#"["content-length-range", 2, "4"], ["content-length-range", 1, 3]"#)
        #expect(policy.length == 2...3)
        try policy.check(length: 1, isEnd: false)
        try policy.check(length: 3, isEnd: true)
        #expect(throws: S3Error.self) { try policy.check(length: 1, isEnd: true) }
        let error = #expect(throws: S3Error.self) { try policy.check(length: 4, isEnd: false) }
        #expect(error?.code == .entityTooLarge)
        try Self.policy("").check(length: .max, isEnd: true)
    }

    @Test(
        arguments: [
            "", "!", "bm8=", Base64.encode(Array("[]".utf8)), Base64.encode(Array("{}".utf8)),
            Base64.encode(Array(#"{"expiration": "2030-01-01T00:00:00Z"}"#.utf8)),
            Base64.encode(Array(#"{"expiration": "soon", "conditions": []}"#.utf8)),
            Base64.encode(Array(#"{"expiration": "2030-01-01T00:00:00Z", "conditions": {}}"#.utf8)),
            Base64.encode(Array(#"{"expiration": "2030-01-01T00:00:00Z", "conditions": [], "x": 1}"#.utf8)),
        ]
            + [
                "1", "[]", #"["eq"]"#, #"["eq", "key", "a"]"#, #"["eq", "$", "a"]"#, #"["like", "$key", "a"]"#,
                #"["eq", "$key", 1]"#, #"{"key": 1}"#, #"["content-length-range", 1]"#,
                #"["content-length-range", 2, 1]"#,
                #"["content-length-range", -1, 1]"#, #"["content-length-range", "x", 1]"#,
            ].map { Base64.encode(Array(#"{"expiration": "2030-01-01T00:00:00Z", "conditions": [\#($0)]}"#.utf8)) })
    func refusesPolicies(text: String) {
        let error = #expect(throws: S3Error.self) { _ = try PostPolicy(parsing: text) }
        #expect(error?.code == .invalidPolicyDocument)
    }

    @Test(arguments: [
        ("a", "cow.jpg", "a"), ("up/${filename}", "cow.jpg", "up/cow.jpg"),
        ("${filename}", "C:\\dir\\cow.jpg", "cow.jpg"),
        ("${filename}", "/etc/cow.jpg", "cow.jpg"), ("${filename}${filename}", "a", "aa"), ("x${filename}", "", "x"),
        ("${filename}", "${filename}", "${filename}"), ("${FILENAME}", "a", "${FILENAME}"),
    ])
    func namesKeys(key: String, fileName: String, wanted: String) throws {
        let form = try PostForm(Self.fields(["key": key], fileName: fileName))
        #expect(form.key == wanted)
        #expect(form.fields["key"] == wanted)
    }

    @Test(
        arguments: [
            (["x-ignore-a": ""], PostForm.Success.noContent), (["success_action_status": "200"], .empty),
            (["success_action_status": "201"], .document), (["success_action_status": "302"], .noContent),
            (["success_action_redirect": "https://a/b?c=d"], .redirect("https://a/b?c=d")),
            (["redirect": "http://a"], .redirect("http://a")), (["success_action_redirect": "/b"], .noContent),
            (["success_action_redirect": "http://a\r\nSet-Cookie: b"], .noContent),
            (["success_action_redirect": "javascript:alert(1)", "success_action_status": "201"], .document),
        ] as [([String: String], PostForm.Success)])
    func knowsWhatToAnswer(fields: [String: String], success: PostForm.Success) throws {
        var form = Self.fields(of: fields)
        form.append("key", "k")
        #expect(try PostForm(form).success == success)
    }

    @Test func refusesForms() {
        for fields in [FormFields(), Self.fields(["key": ""])] {
            let error = #expect(throws: S3Error.self) { _ = try PostForm(fields) }
            #expect(error?.code == .userKeyMustBeSpecified)
        }
        let twice = #expect(throws: S3Error.self) { _ = try PostForm(Self.fields(["key": "a", "Key": "b"])) }
        #expect(twice?.code == .malformedPOSTRequest)
    }

    @Test func becomesARequest() throws {
        let form = try PostForm(
            Self.fields([
                "key": "k", "acl": "public-read", "Content-Type": "text/plain", "x-amz-meta-Colour": "blue",
                "x-amz-signature": "s", "x-amz-date": "d", "policy": "p", "host": "evil", "authorization": "evil",
                "x-amz-storage-class": "STANDARD",
                "tagging": "<Tagging><TagSet><Tag><Key>a&amp;b</Key><Value>c d</Value></Tag></TagSet></Tagging>",
            ]))
        let upload = try ReceivedRequest(method: "POST", target: "/b", headers: [("host", "h"), ("referer", "r")])
        let request = try form.request(like: upload)
        let headers = Dictionary(request.headers.map { ($0.name, $0.value) }) { "\($0),\($1)" }
        #expect(
            headers == [
                "x-amz-acl": "public-read", "content-type": "text/plain", "x-amz-meta-colour": "blue", "host": "h",
                "referer": "r", "x-amz-storage-class": "STANDARD", "x-amz-tagging": "a%26b=c%20d",
            ])
        let broken = try PostForm(Self.fields(["key": "k", "x-amz-meta-a": "b\r\nc: d"]))
        #expect(throws: S3Error.self) { _ = try broken.request(like: upload) }
        let noTags = try PostForm(Self.fields(["key": "k", "tagging": "a=b"]))
        #expect(throws: S3Error.self) { _ = try noTags.request(like: upload) }
    }

    /// The worked example of the S3 API reference ("Examples: Browser-based upload using HTTP POST").
    @Test func knowsTheSignatureOfTheReference() throws {
        let policy =
            "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7ImJ1Y2tldCI6"
            + "ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFj"
            + "bCI6ICJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tl"
            + "dC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5"
            + "cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZl"
            + "ci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoN"
            + "CiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVx"
            + "dWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAx"
            + "NTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9"
        let signature = "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
        let form = Self.fields([
            "policy": policy, "x-amz-signature": signature, "x-amz-algorithm": "AWS4-HMAC-SHA256",
            "x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request",
            "x-amz-date": "20151229T000000Z",
        ])
        let presented = try #require(try PostSignature(of: form))
        #expect(presented.accessKey == "AKIAIOSFODNN7EXAMPLE")
        try presented.verify(secretKey: secret) { SigningKey(secretKey: secret, scope: $0) }
        let error = #expect(throws: S3Error.self) {
            try presented.verify(secretKey: "x") { SigningKey(secretKey: "x", scope: $0) }
        }
        #expect(error?.code == .signatureDoesNotMatch)
        #expect(try PostPolicy(parsing: policy).length == nil)
    }

    @Test func readsSignatures() throws {
        #expect(try PostSignature(of: Self.fields(["key": "k"])) == nil)
        for fields: KeyValuePairs<String, String> in [
            ["policy": "p"], ["x-amz-signature": "s"], ["signature": "s"], ["policy": "p", "awsaccesskeyid": "a"],
            ["x-amz-credential": "c"], ["x-amz-algorithm": "a"],
            [
                "policy": "p", "x-amz-signature": "s", "x-amz-algorithm": "x", "x-amz-credential": "a",
                "x-amz-date": "d",
            ],
            ["policy": "p", "signature": "s", "awsaccesskeyid": "a", "x-amz-signature": "s"],
            [
                "policy": "p", "x-amz-signature": "s", "x-amz-algorithm": "AWS4-HMAC-SHA256",
                "x-amz-credential": "a/20151229/r/s3/aws4_request", "x-amz-date": "20151230T000000Z",
            ],
            [
                "policy": "p", "x-amz-signature": "s", "x-amz-algorithm": "AWS4-HMAC-SHA256",
                "x-amz-credential": "nonsense", "x-amz-date": "20151230T000000Z",
            ],
        ] {
            let error = #expect(throws: S3Error.self) { _ = try PostSignature(of: Self.fields(fields)) }
            #expect(error?.code == .invalidArgument)
        }
        let old = try #require(
            try PostSignature(of: Self.fields(["policy": "cA==", "signature": "x", "AWSAccessKeyId": "a"])))
        #expect(throws: S3Error.self) { try old.verify(secretKey: "s") { SigningKey(secretKey: "s", scope: $0) } }
    }

    @Test func redirects() {
        #expect(
            PostForm.redirection(to: "http://a/?b=c", bucket: "b", key: "k &é", eTag: "e")
                == "http://a/?b=c&bucket=b&key=k%20%26%C3%A9&etag=%22e%22")
        #expect(PostForm.redirection(to: "http://a", bucket: "b", key: "k", eTag: "e").hasPrefix("http://a?bucket=b"))
    }
}

/// Whatever comes, the parsers answer with a value or with S3's words, and come to an end.
@Suite struct AccessNoiseTests {
    private func mutated(_ text: String, _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 1..<5, using: &generator) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(contentsOf: "{}[]\"*${:?<>&".utf8.shuffled(using: &generator).prefix(3), at: place)
            default: bytes.removeSubrange(place..<min(bytes.count, place + 10))
            }
        }
        return bytes
    }

    @Test(arguments: UInt64(0)..<10) func survivesNoise(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let policy = BucketPolicyTests.statement(
            condition:
                #"{"StringLike": {"s3:prefix": ["a*", "${aws:username}"]}, "IpAddress": {"aws:SourceIp": "::/3"}}"#)
        let request = AccessRequest(.getObject, bucket: "bucket", key: "key", facts: [.sourceAddress: "::1"])
        for _ in 0..<300 {
            let parsed = refusal { () throws(S3Error) in
                let policy = try BucketPolicy(parsing: mutated(policy, &generator), bucket: "bucket")
                _ = policy.verdict(on: request, by: .anonymous)
            }
            #expect(parsed == nil || parsed == .malformedPolicy)
            let random = refusal { () throws(S3Error) in
                let document = JSONValue.object(["Statement": .random(using: &generator)])
                _ = try BucketPolicy(parsing: document.bytes(), bucket: "bucket")
            }
            #expect(random == nil || random == .malformedPolicy)
            let cors = refusal { () throws(S3Error) in
                let rules = "<CORSConfiguration>\(CrossOriginTests.rules)</CORSConfiguration>"
                _ = try CrossOriginConfiguration(parsing: mutated(rules, &generator)).grant(origin: "a", method: "GET")
            }
            #expect([nil, .malformedXML, .invalidRequest].contains(cors))
            let form = refusal { () throws(S3Error) in
                let text = #"{"expiration": "2030-01-01T00:00:00Z", "conditions": [["eq", "$key", "a"], {"acl": "b"}]}"#
                _ = try PostPolicy(parsing: Base64.encode(mutated(text, &generator)))
            }
            #expect(form == nil || form == .invalidPolicyDocument)
            let host = String(decoding: mutated("bucket.s3.localhost:9000", &generator), as: UTF8.self)
            let bucket = VirtualHostTests.hosts.bucket(inHost: host) ?? ""
            #expect(bucket.utf8.count <= 253)
            _ = IPNetwork(String(decoding: mutated("2001:db8::1.2.3.4/64", &generator), as: UTF8.self))
        }
    }

    private func refusal(_ body: () throws(S3Error) -> Void) -> S3ErrorCode? {
        do throws(S3Error) {
            try body()
            return nil
        } catch {
            return error.code
        }
    }
}
