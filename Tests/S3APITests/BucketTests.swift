import Model
import ObjectEngine
import S3Wire
import Testing

@Suite struct BucketTests {
    @Test func aBucketOfSomebodyElseIsNotTaken() async throws {
        try await S3Fixture.run { s3 in
            _ = try await s3.store.createBucket(try BucketName("theirs"), owner: "somebody-else")
            try await s3.send("PUT", "/theirs").expect(409, .bucketAlreadyExists)
        }
    }

    @Test func livesAndDies() async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("PUT", "/second").expect(200)
            // Asking again is harmless.
            #expect(try await s3.send("PUT", "/second").expect(200).header("Location") == "/second")
            try await s3.send("HEAD", "/second").expect(200)
            let list = try await s3.send("GET", "/").expect(200).xml()
            #expect(list["Buckets"]?.all("Bucket").map { $0["Name"]?.text } == ["bucket", "second"])
            #expect(list["Owner"]?["ID"]?.text == "somebody")
            #expect(list["Buckets"]?.children.first?["CreationDate"]?.text == "2023-11-14T22:13:20.000Z")
            try await s3.send("DELETE", "/second/").expect(204)
            try await s3.send("DELETE", "/second").expect(404, .noSuchBucket)
            let head = try await s3.send("HEAD", "/second").expect(404)
            #expect(head.body.isEmpty)
        }
    }

    @Test func keepsContent() async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("PUT", "/bucket/key", body: [1]).expect(200)
            try await s3.send("DELETE", "/bucket").expect(409, .bucketNotEmpty)
            try await s3.send("DELETE", "/bucket/key").expect(204)
            try await s3.send("DELETE", "/bucket").expect(204)
        }
    }

    @Test func takesAConfiguration() async throws {
        try await S3Fixture.run { s3 in
            let body =
                "<CreateBucketConfiguration><LocationConstraint>eu</LocationConstraint></CreateBucketConfiguration>"
            try await s3.send("PUT", "/second", body: Array(body.utf8)).expect(200)
            try await s3.send("PUT", "/third", body: Array("<nonsense/>".utf8)).expect(400, .malformedXML)
            try await s3.send("PUT", "/third", headers: ["x-amz-bucket-object-lock-enabled": "true"])
                .expect(501, .notImplemented)
            try await s3.send("PUT", "/third", headers: ["x-amz-acl": "nonsense"]).expect(400, .invalidArgument)
            try await s3.send("PUT", "/third", headers: ["x-amz-object-ownership": "nonsense"])
                .expect(400, .invalidArgument)
            try await s3.send("HEAD", "/third").expect(404)
        }
    }

    @Test(arguments: ["/ab", "/UPPER", "/a..b", "/-ab", "/192.168.0.1", "/%2e%2e", "/b%00b", "/under_score"])
    func refusesNames(path: String) async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("PUT", path).expect(400, .invalidBucketName)
            try await s3.send("GET", "\(path)/key").expect(400, .invalidBucketName)
        }
    }

    @Test func describesItself() async throws {
        try await S3Fixture.run { s3 in
            let location = try await s3.send("GET", "/bucket", ["location": ""]).expect(200)
            #expect(try location.xml() == XMLElement(name: "LocationConstraint"))
            let versioning = try await s3.send("GET", "/bucket", ["versioning": ""]).expect(200)
            #expect(try versioning.xml() == XMLElement(name: "VersioningConfiguration"))
            try await s3.send("GET", "/missing", ["location": ""]).expect(404, .noSuchBucket)
        }
    }

    static let missing: [(String, String, KeyValuePairs<String, String>)] = [
        ("PUT", "/bucket", ["inventory": ""]), ("GET", "/bucket", ["nonsense": ""]),
        ("DELETE", "/bucket", ["analytics": ""]), ("GET", "/bucket/key", ["retention": ""]),
        ("POST", "/bucket/key", ["select": "", "select-type": "2"]),
        ("POST", "/bucket/key", ["restore": ""]), ("PUT", "/bucket/key", ["nonsense": ""]),
        ("GET", "/", ["policy": ""]), ("PUT", "/bucket/key", ["legal-hold": ""]), ("POST", "/bucket/key", [:]),
    ]

    @Test func saysWhatIsNotImplemented() async throws {
        try await S3Fixture.run { s3 in
            for (method, path, query) in Self.missing {
                try await s3.send(method, path, query).expect(501, .notImplemented)
            }
            #expect(try await s3.objects().isEmpty)
            try await s3.send("POST", "/bucket").expect(412, .preconditionFailed)
            try await s3.send("PATCH", "/bucket/key").expect(405, .methodNotAllowed)
            try await s3.send("DELETE", "/").expect(405, .methodNotAllowed)
        }
    }

    @Test func ignoresWhatIsHarmless() async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("PUT", "/bucket/key", ["x-id": "PutObject"], body: [1]).expect(200)
            try await s3.send("GET", "/bucket/key", ["x-id": "GetObject", "cache": "7"]).expect(200)
            try await s3.send("GET", "/bucket/key", ["versionId": "null"]).expect(200)
        }
    }
}
