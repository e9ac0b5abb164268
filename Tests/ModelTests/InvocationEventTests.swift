import TestKit
import Testing

@testable import Model

struct ObjectEventTests {
    private static func event(_ cause: ObjectEvent.Cause = .put) throws -> ObjectEvent {
        ObjectEvent(
            sequence: 0x1F,
            cause: cause,
            bucket: try BucketName("thumbs"),
            key: try ObjectKey("incoming/a b+é.png"),
            size: ByteCount(82),
            eTag: "d41d8cd98f00b204e9800998ecf8427e",
            contentType: "image/png",
            userMetadata: ["camera": "7"],
            time: Instant(seconds: 1_767_261_600),
            principal: "minio",
            sourceAddress: "10.0.0.1"
        )
    }

    @Test func isWrittenAsMinIOWritesIt() throws {
        let expected =
            #"{"EventName":"s3:ObjectCreated:Put","Key":"thumbs/incoming/a b+é.png","Records":[{"eventVersion":"2.0","#
            + #""eventSource":"minio:s3","awsRegion":"","eventTime":"2026-01-01T10:00:00.000Z","#
            + #""eventName":"s3:ObjectCreated:Put","userIdentity":{"principalId":"minio"},"#
            + #""requestParameters":{"principalId":"minio","region":"","sourceIPAddress":"10.0.0.1"},"#
            + #""responseElements":{},"s3":{"s3SchemaVersion":"1.0","configurationId":"Config","#
            + #""bucket":{"name":"thumbs","ownerIdentity":{"principalId":"minio"},"arn":"arn:aws:s3:::thumbs"},"#
            + #""object":{"key":"incoming%2Fa+b%2B%C3%A9.png","size":82,"eTag":"d41d8cd98f00b204e9800998ecf8427e","#
            + #""contentType":"image/png","userMetadata":{"content-type":"image/png","x-amz-meta-camera":"7"},"#
            + #""sequencer":"000000000000001F"}},"source":{"host":"10.0.0.1","port":"","userAgent":""}}]}"#
        #expect(try Self.event().minioJSON().text() == expected)
    }

    @Test func isUnderstoodAgain() throws {
        let event = try Self.event()
        let classified = InvocationEvent.classify(event.minioJSON().bytes())
        guard case .object(let object) = classified else {
            Issue.record("\(classified)")
            return
        }
        #expect(object.source == .minio)
        #expect(object.bucket == event.bucket)
        #expect(object.key == event.key)
        #expect(object.fileName == "a b+é.png")
        #expect(object.time == "2026-01-01T10:00:00.000Z")
        #expect(object.principal == "minio")
        #expect(
            classified.environmentText?.hasPrefix(#"{"EventName": "s3:ObjectCreated:Put", "Key": "#) == true
        )
        #expect(classified.environmentText?.contains(#"a b+\u00e9.png"#) == true)
    }

    @Test(arguments: [ObjectEvent.Cause.put, .copy, .multipart])
    func namesTheCause(_ cause: ObjectEvent.Cause) throws {
        #expect(try Self.event(cause).minioJSON()["EventName"]?.stringValue == cause.rawValue)
    }
}

struct InvocationEventTests {
    static let s3 =
        #"{"Records":[{"eventSource":"aws:s3","eventTime":"T","s3":{"bucket":{"name":"b-1","arn":""},"object":{"key":"in%2Fa+b.txt"}}}]}"#
    static let onedata =
        #"{"Key":"/space/in/f.txt","Records":[{"objectKey":"f.txt","objectId":"1","eventTime":"T","eventSource":"OneTrigger"}]}"#

    @Test(arguments: [
        (
            #"{"event":{"name":"f.txt","mask":["IN_CREATE"]},"subscription":"https://h/x"}"#,
            InvocationEvent.dCache(fileName: "f.txt")
        ),
        (
            #"{"event_type":"transfer-done","payload":{"scope":"user.x","name":"ds1"}}"#,
            .rucio(scope: "user.x", name: "ds1")
        ),
        ("", .unknown(.empty)), (" \n", .unknown(.empty)),
        (#"{"a": 1,  "b":[1.50]}"#, .unknown(.jsonObject(bytes(#"{"a": 1,  "b":[1.50]}"#)))),
        ("[1, 2]", .unknown(.json(bytes("[1, 2]")))), (#""text""#, .unknown(.json(bytes(#""text""#)))),
        ("12.5", .unknown(.json(bytes("12.5")))), ("-3", .unknown(.json(bytes("-3")))),
        ("aGVsbG8=", .unknown(.decoded(bytes("hello")))),
        ("aGVs\nbG8=\n", .unknown(.decoded(bytes("hello")))),
        // A number and a word that are also base 64.
        ("1234", .unknown(.decoded([0xD7, 0x6D, 0xF8]))), ("true", .unknown(.decoded([0xB6, 0xBB, 0x9E]))),
        ("hello world", .unknown(.raw(bytes("hello world")))), ("aGVsbG8", .unknown(.raw(bytes("aGVsbG8")))),
        ("{broken", .unknown(.raw(bytes("{broken")))), ("[1,", .unknown(.raw(bytes("[1,")))),
        // Shapes that only resemble events.
        (#"{"event_type":"x"}"#, .unknown(.jsonObject(bytes(#"{"event_type":"x"}"#)))),
        (#"{"event":3}"#, .unknown(.jsonObject(bytes(#"{"event":3}"#)))),
        (#"{"Records":[]}"#, .unknown(.jsonObject(bytes(#"{"Records":[]}"#)))),
        (
            #"{"Records":{"eventSource":"aws:s3"}}"#,
            .unknown(.jsonObject(bytes(#"{"Records":{"eventSource":"aws:s3"}}"#)))
        ),
        (
            #"{"Records":[{"eventSource":"aws:s3"}]}"#,
            .unknown(.jsonObject(bytes(#"{"Records":[{"eventSource":"aws:s3"}]}"#)))
        ),
        (
            #"{"Records":[{"eventSource":"other"}]}"#,
            .unknown(.jsonObject(bytes(#"{"Records":[{"eventSource":"other"}]}"#)))
        ),
        (
            #"{"Records":[{"eventSource":"OneTrigger"}]}"#,
            .unknown(.jsonObject(bytes(#"{"Records":[{"eventSource":"OneTrigger"}]}"#)))
        ),
    ])
    func classifies(_ text: String, _ event: InvocationEvent) {
        #expect(InvocationEvent.classify(bytes(text)) == event)
    }

    @Test func s3AndOnedata() throws {
        guard case .object(let object) = InvocationEvent.classify(bytes(Self.s3)),
            case .onedata(let file) = InvocationEvent.classify(bytes(Self.onedata))
        else {
            Issue.record("not recognised")
            return
        }
        #expect((object.source, object.bucket.text, object.key.text) == (.s3, "b-1", "in/a b.txt"))
        #expect((file.key, file.fileName, file.time) == ("/space/in/f.txt", "f.txt", "T"))
    }

    @Test func binaryIsKept() {
        let binary: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0, 0xFF]
        #expect(InvocationEvent.classify(binary) == .unknown(.raw(binary)))
        #expect(InvocationEvent.Payload.raw(binary).bytes == binary)
    }

    @Test(arguments: [
        #"{"httpMethod":"POST","queryStringParameters":{"q":"1","n":2,"l":[]},"body":"aGVsbG8="}"#,
        #"{"httpMethod":null,"queryStringParameters":{"q":"1","n":2},"body":"aGVsbG8="}"#,
    ])
    func gateway(_ text: String) {
        let event = InvocationEvent.classify(bytes(text))
        #expect(event.innermost == .unknown(.decoded(bytes("hello"))))
        #expect(event.queryParameters == ["q": "1", "n": "2"])
        #expect(
            InvocationEvent.classify(bytes(#"{"httpMethod":"GET","body":null}"#)).innermost
                == .unknown(.empty)
        )
        #expect(InvocationEvent.classify(bytes(#"{"httpMethod":"GET"}"#)).innermost == .unknown(.empty))
        let object = InvocationEvent.classify(bytes(#"{"httpMethod":"GET","body":{"x": 1}}"#))
        #expect(object.innermost == .unknown(.jsonObject(bytes(#"{"x":1}"#))))
    }

    @Test func delegated() {
        let asText = JSONValue.object([
            "storage_provider": .string("minio.default"), "event": .string(Self.s3),
        ])
        let asObject = JSONValue.object(["event": (try? JSONValue.parse(Self.s3)) ?? .null])
        let (first, second) = (
            InvocationEvent.classify(asText.bytes()), InvocationEvent.classify(asObject.bytes())
        )
        #expect(first.innermost == InvocationEvent.classify(bytes(Self.s3)))
        #expect(second.innermost == InvocationEvent.classify(bytes(Self.s3)))
        #expect(first.delegatedProvider == "minio.default")
        #expect(second.delegatedProvider == nil)
        #expect(first.environmentText == second.environmentText)
        let payload = JSONValue.object(["storage_provider": .string("x"), "event": .string("aGVsbG8=")])
        #expect(InvocationEvent.classify(payload.bytes()).innermost == .unknown(.decoded(bytes("hello"))))
    }

    @Test func nestingIsBounded() {
        var text = "aGVsbG8="
        for _ in 0..<12 { text = JSONValue.object(["event": .string(text)]).text() }
        guard case .unknown(.jsonObject) = InvocationEvent.classify(bytes(text)).innermost else {
            Issue.record("nested too deep")
            return
        }
        let deep = String(repeating: #"{"event":"#, count: 100_000)
        #expect(InvocationEvent.classify(bytes(deep)) == .unknown(.raw(bytes(deep))))
        let closed = String(repeating: #"{"event":"#, count: 200) + "1" + String(repeating: "}", count: 200)
        _ = InvocationEvent.classify(bytes(closed))
    }

    @Test func largeBodiesAreNotParsed() {
        let object = bytes(
            #"{"Records":""# + String(repeating: "x", count: InvocationEvent.maximumEventSize) + "\"}"
        )
        #expect(InvocationEvent.classify(object) == .unknown(.raw(object)))
        let plain = [UInt8](repeating: 7, count: 6 << 20)
        #expect(InvocationEvent.classify(bytes(Base64.encode(plain))) == .unknown(.decoded(plain)))
    }

    @Test func namesThatAreNoneMakeNoObjectEvents() {
        for (bucket, key) in [
            ("", "k"), ("../etc", "k"), ("abc", ""), ("abc", String(repeating: "k", count: 2000)),
            ("abc", "%00"),
        ] {
            let event = JSONValue.object([
                "Records": .array([
                    .object([
                        "eventSource": .string("minio:s3"),
                        "s3": .object([
                            "bucket": .object(["name": .string(bucket)]),
                            "object": .object(["key": .string(key)]),
                        ]),
                    ])
                ])
            ])
            guard case .unknown(.jsonObject) = InvocationEvent.classify(event.bytes()) else {
                Issue.record("\(bucket) \(key)")
                continue
            }
        }
    }

    @Test(arguments: 0..<10)
    func neverCrashes(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let words = [
            "event", "Records", "httpMethod", "body", "event_type", "payload", "subscription", "s3",
            "eventSource",
        ]
        for _ in 0..<300 {
            let members = (0..<4).map { _ in
                (words.randomElement(using: &generator) ?? "", JSONValue.random(using: &generator, depth: 2))
            }
            _ = InvocationEvent.classify(JSONValue.object(JSONObject(members)).bytes()).environmentText
        }
    }

    @Test func dCachePaths() {
        let inputs = [
            StorageIO(path: "a/b"), StorageIO(provider: ProviderID(.webdav, "other"), path: "x"),
            StorageIO(provider: ProviderID(.webdav, "dcache"), path: "pnfs/site/in"),
        ]
        #expect(InvocationEvent.dCachePath(fileName: "f", inputs: inputs) == "pnfs/site/in/f")
        #expect(InvocationEvent.dCachePath(fileName: "f", inputs: []) == nil)
    }

    @Test(arguments: [
        ("aGVsbG8=", 0, SynchronousResponse.scriptOutput), ("aGVsbG8=", 1, .file), ("aGVsbG8=", 2, .archive),
        ("{}", 1, .file),
        (#"{"httpMethod":"POST","body":"aGVsbG8="}"#, 3, .archive), (s3, 1, .scriptOutput),
        (onedata, 2, .scriptOutput),
        (#"{"event_type":"t","payload":{"scope":"s","name":"n"}}"#, 1, .scriptOutput),
    ])
    func answers(_ event: String, _ count: Int, _ response: SynchronousResponse) {
        #expect(SynchronousResponse(to: .classify(bytes(event)), resultCount: count) == response)
        #expect(response.isBase64 == (response != .scriptOutput))
    }
}
