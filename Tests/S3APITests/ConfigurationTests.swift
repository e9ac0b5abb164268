import Model
import ObjectEngine
import S3Wire
import Testing

@Suite struct ConfigurationTests {
    static func tagging(_ tags: KeyValuePairs<String, String>) -> [UInt8] {
        TaggingDocument(tags: TagSet(kept: tags.map { TagSet.Tag(key: $0.key, value: $0.value) })).xml
    }

    @Test func keepsTags() async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("GET", "/bucket", ["tagging": ""]).expect(404, .noSuchTagSet)
            try await s3.send("PUT", "/bucket", ["tagging": ""], body: Self.tagging(["b ü": "2", "a": ""])).expect(204)
            let tags = try await s3.send("GET", "/bucket", ["tagging": ""]).expect(200)
            #expect(tags.body == Self.tagging(["a": "", "b ü": "2"]))
            #expect(try await s3.store.bucket(try BucketName("bucket"))?.tags == ["a": "", "b ü": "2"])
            try await s3.send("DELETE", "/bucket", ["tagging": ""]).expect(204)
            try await s3.send("GET", "/bucket", ["tagging": ""]).expect(404, .noSuchTagSet)
            try await s3.send("PUT", "/missing", ["tagging": ""], body: Self.tagging([:])).expect(404, .noSuchBucket)
        }
    }

    static let badTags: [([UInt8], S3ErrorCode)] = [
        (tagging(["a": "1", "a": "2"]), .invalidTag), (tagging(["é": "1", "e\u{301}": "2"]), .invalidTag),
        (tagging([String(repeating: "k", count: 129): ""]), .invalidTag),
        (tagging(["k": String(repeating: "v", count: 257)]), .invalidTag), (tagging(["": "v"]), .invalidTag),
        (tagging(["aws:k": "v"]), .invalidTag), (tagging(["a!b": "v"]), .invalidTag),
        (Array("<Tagging/>".utf8), .malformedXML), (Array("<Tagging>".utf8), .malformedXML),
        (
            TaggingDocument(tags: TagSet(kept: (0..<51).map { TagSet.Tag(key: "\($0)", value: "") })).xml, .badRequest
        ),
        ([], .missingRequestBody),
    ]

    @Test func refusesTags() async throws {
        try await S3Fixture.run { s3 in
            for (body, code) in Self.badTags {
                try await s3.send("PUT", "/bucket", ["tagging": ""], body: body).expect(400, code)
            }
            try await s3.send("GET", "/bucket", ["tagging": ""]).expect(404, .noSuchTagSet)
        }
    }

    // MARK: Notification

    static func notification(_ name: String, _ event: String = "s3:ObjectCreated:*") -> [UInt8] {
        let rule = NotificationRule(
            id: "one", arn: "arn:minio:sqs::\(name):webhook",
            events: [NotificationEvent(rawValue: event)].compactMap { $0 }, prefix: "in/"
        )
        return NotificationConfiguration(rules: [rule]).xml
    }

    @Test func keepsNotifications() async throws {
        try await S3Fixture.run { s3 in
            let empty = try await s3.send("GET", "/bucket", ["notification": ""]).expect(200)
            #expect(empty.body == NotificationConfiguration().xml)
            let document = Self.notification("audit", "s3:ObjectRemoved:*")
            try await s3.send("PUT", "/bucket", ["notification": ""], body: document).expect(200)
            #expect(try await s3.send("GET", "/bucket", ["notification": ""]).expect(200).body == document)
            let bucket = try BucketName("bucket")
            #expect(try await s3.store.facts(of: bucket)?.settings[.removalEvents] != nil)
            #expect(try await s3.store.facts(of: bucket)?.settings[.expiryEvents] == nil)
            try await s3.send("PUT", "/bucket", ["notification": ""], body: NotificationConfiguration().xml).expect(200)
            #expect(try await s3.store.facts(of: bucket)?.settings == [:])
        }
    }

    @Test func refusesTargetsThatAreNotThere() async throws {
        try await S3Fixture.run { s3 in
            let document = Self.notification("nowhere")
            let answer = try await s3.send("PUT", "/bucket", ["notification": ""], body: document)
                .expect(400, .invalidArgument)
            #expect(try answer.text("ArgumentName1") == "arn:minio:sqs::nowhere:webhook")
            #expect(try answer.text("ArgumentValue1") == "nobody")
            #expect(
                try answer.text("Message")?.hasPrefix("Unable to validate the following destination configurations")
                    == true)
            let headers = ["x-amz-skip-destination-validation": "true"]
            try await s3.send("PUT", "/bucket", ["notification": ""], headers: headers, body: document).expect(200)
            try await s3.send("PUT", "/bucket", ["notification": ""], body: Array("<a/>".utf8))
                .expect(400, .malformedXML)
            #expect(try await s3.send("GET", "/bucket", ["notification": ""]).expect(200).body == document)
            try await s3.send("DELETE", "/bucket", ["notification": ""]).expect(501, .notImplemented)
        }
    }

    @Test func removalsMakeEventsWhereSomebodyAsks() async throws {
        try await S3Fixture.run { s3 in
            func causes() async throws -> [ObjectEvent] { try await s3.store.events(after: 0, limit: 100) }
            try await s3.send("PUT", "/bucket/one", body: [1]).expect(200)
            try await s3.send("DELETE", "/bucket/one").expect(204)
            #expect(try await causes().map(\.cause) == [.put])
            let document = Self.notification("audit", "s3:ObjectRemoved:Delete")
            try await s3.send("PUT", "/bucket", ["notification": ""], body: document).expect(200)
            try await s3.send("PUT", "/bucket/two", body: [1]).expect(200)
            try await s3.send("DELETE", "/bucket/two").expect(204)
            try await s3.send("DELETE", "/bucket/two").expect(204)
            let last = try #require(try await causes().last)
            #expect(try await causes().map(\.cause) == [.put, .put, .deletion])
            #expect(last.key.text == "two" && last.principal == "somebody" && !last.sourceAddress.isEmpty)
            let json = last.minioJSON()
            #expect(json["EventName"]?.stringValue == "s3:ObjectRemoved:Delete")
            #expect(json["Records"]?[0]?["s3"]?["object"]?.objectValue?.keys == ["key", "sequencer"])
        }
    }

    // MARK: Lifecycle

    static let lifecycle = LifecycleConfiguration(rules: [
        LifecycleRule(id: "old logs", filter: .init(prefix: "logs/"), expiration: .days(30))
    ])

    @Test func keepsLifecycles() async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("GET", "/bucket", ["lifecycle": ""]).expect(404, .noSuchLifecycleConfiguration)
            try await s3.send("PUT", "/bucket/logs/1", body: [1]).expect(200)
            try await s3.send("PUT", "/bucket", ["lifecycle": ""], body: Self.lifecycle.xml).expect(200)
            let answer = try await s3.send("GET", "/bucket", ["lifecycle": ""]).expect(200)
            #expect(answer.body == Self.lifecycle.xml)
            let expected = "expiry-date=\"Fri, 15 Dec 2023 00:00:00 GMT\", rule-id=\"old%20logs\""
            #expect(try await s3.send("HEAD", "/bucket/logs/1").expect(200).header("x-amz-expiration") == expected)
            #expect(try await s3.send("GET", "/bucket/logs/1").expect(200).header("x-amz-expiration") == expected)
            let put = try await s3.send("PUT", "/bucket/logs/2", body: [1]).expect(200)
            #expect(put.header("x-amz-expiration") == expected)
            let other = try await s3.send("PUT", "/bucket/other", body: [1]).expect(200)
            #expect(other.header("x-amz-expiration") == nil)
            try await s3.send("PUT", "/bucket", ["lifecycle": ""], body: Array("<LifecycleConfiguration/>".utf8))
                .expect(400, .malformedXML)
            try await s3.send("DELETE", "/bucket", ["lifecycle": ""]).expect(204)
            try await s3.send("GET", "/bucket", ["lifecycle": ""]).expect(404, .noSuchLifecycleConfiguration)
            #expect(try await s3.send("HEAD", "/bucket/logs/1").expect(200).header("x-amz-expiration") == nil)
        }
    }

    // MARK: What there is not

    static let answers: [(String, Int, S3ErrorCode?)] = [
        ("accelerate", 200, nil), ("requestPayment", 200, nil), ("logging", 200, nil),
        ("encryption", 404, .encryptionNotConfigured), ("website", 404, .noSuchWebsiteConfiguration),
        ("object-lock", 404, .objectLockNotConfigured), ("replication", 404, .replicationNotConfigured),
    ]

    @Test func saysTruthfullyWhatThereIsNot() async throws {
        try await S3Fixture.run { s3 in
            for (name, status, code) in Self.answers {
                try await s3.send("GET", "/bucket", [name: ""]).expect(status, code)
                try await s3.send("GET", "/missing", [name: ""]).expect(404, .noSuchBucket)
                try await s3.send("PUT", "/bucket", [name: ""], body: Array("<a/>".utf8)).expect(501, .notImplemented)
            }
            for name in ["encryption", "website", "replication"] {
                try await s3.send("DELETE", "/bucket", [name: ""]).expect(204)
            }
            let payment = try await s3.send("GET", "/bucket", ["requestPayment": ""]).expect(200)
            #expect(try payment.text("Payer") == "BucketOwner")
            #expect(try await s3.objects().isEmpty)
        }
    }

    @Test func doesNotPretendToEncrypt() async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("PUT", "/bucket/key", body: [1]).expect(200)
            let customer = "x-amz-server-side-encryption-customer-algorithm"
            for name in ["x-amz-server-side-encryption", customer] {
                let refused = try await s3.send("PUT", "/bucket/secret", headers: [name: "AES256"], body: [1])
                    .expect(501, .notImplemented)
                #expect(try refused.text("Message")?.contains("encrypted file system") == true)
            }
            try await s3.send("GET", "/bucket/key", headers: [customer: "AES256"]).expect(400, .invalidRequest)
            #expect(try await s3.objects() == ["key"])
        }
    }

    @Test func keepsTheRegion() async throws {
        try await S3Fixture.run { s3 in
            func body(_ region: String) -> [UInt8] {
                Array(
                    "<CreateBucketConfiguration><LocationConstraint>\(region)</LocationConstraint></CreateBucketConfiguration>"
                        .utf8)
            }
            try await s3.send("PUT", "/second", body: body("eu-west-1")).expect(200)
            try await s3.send("PUT", "/second", body: body("eu-west-1")).expect(200)
            try await s3.send("PUT", "/second").expect(409, .bucketAlreadyOwnedByYou)
            #expect(try await s3.send("GET", "/second", ["location": ""]).expect(200).xml().text == "eu-west-1")
            #expect(try await s3.send("HEAD", "/second").expect(200).header("x-amz-bucket-region") == "eu-west-1")
            try await s3.send("PUT", "/third", body: body("us-east-1")).expect(200)
            #expect(try await s3.send("GET", "/third", ["location": ""]).expect(200).xml().text.isEmpty)
            #expect(try await s3.send("HEAD", "/third").expect(200).header("x-amz-bucket-region") == "us-east-1")
            for region in ["eu west", "é", String(repeating: "x", count: 64)] {
                try await s3.send("PUT", "/fourth", body: body(region)).expect(400, .invalidLocationConstraint)
            }
            try await s3.send("HEAD", "/fourth").expect(404)
        }
    }
}
