import Model
import S3Wire
import Testing

@Suite struct NotificationTests {
    static let arn = "arn:minio:sqs::audit:webhook"

    static func parse(_ inner: String) throws -> NotificationConfiguration {
        let text = "<NotificationConfiguration>\(inner)</NotificationConfiguration>"
        return try NotificationConfiguration(parsing: Array(text.utf8), newID: { "made" })
    }

    static func queue(
        _ id: String = "q",
        _ events: String...,
        prefix: String? = nil,
        suffix: String? = nil,
        arn: String = arn
    ) -> String {
        let all = (events.isEmpty ? ["s3:ObjectCreated:*"] : events).map { "<Event>\($0)</Event>" }.joined()
        var filter = ""
        for (name, value) in [("prefix", prefix), ("suffix", suffix)] {
            guard let value else { continue }
            filter += "<FilterRule><Name>\(name)</Name><Value>\(value)</Value></FilterRule>"
        }
        if !filter.isEmpty { filter = "<Filter><S3Key>\(filter)</S3Key></Filter>" }
        return "<QueueConfiguration><Id>\(id)</Id><Queue>\(arn)</Queue>\(all)\(filter)</QueueConfiguration>"
    }

    static func code(_ inner: String) -> S3ErrorCode? {
        do {
            _ = try parse(inner)
            return nil
        } catch { return (error as? S3Error)?.code }
    }

    @Test(arguments: [
        "", queue(), queue("q", "s3:ObjectCreated:Put", "s3:ObjectRemoved:*", prefix: "in/", suffix: ".jpg"),
        queue("a", prefix: "a/") + queue("b", prefix: "b/"), queue("a", suffix: ".a") + queue("b", suffix: ".b"),
        queue("a", "s3:ObjectCreated:Put") + queue("b", "s3:ObjectCreated:Copy"),
        "<TopicConfiguration><Id>t</Id><Topic>\(arn)</Topic><Event>s3:ObjectRemoved:Delete</Event></TopicConfiguration>",
        "<CloudFunctionConfiguration><Id>f</Id><CloudFunction>\(arn)</CloudFunction><Event>s3:LifecycleExpiration:*</Event>"
            + "</CloudFunctionConfiguration>",
    ])
    func comesBackAsItWasGiven(inner: String) throws {
        let configuration = try Self.parse(inner)
        let written = String(decoding: configuration.xml, as: UTF8.self)
        #expect(written.contains(">\(inner)</NotificationConfiguration>"), "\(written)")
        #expect(try NotificationConfiguration(parsing: configuration.xml, newID: { "" }) == configuration)
    }

    static let long = String(repeating: "x", count: 1025)

    static let refused: [(String, S3ErrorCode)] = [
        ("<Other/>", .malformedXML), ("<EventBridgeConfiguration/>", .notImplemented),
        (queue("q", "s3:ObjectAccessed:Get"), .notImplemented), (queue("q", "s3:Replication:*"), .notImplemented),
        (queue("q", "s3:Nonsense"), .invalidArgument), (queue("q", "ObjectCreated"), .invalidArgument),
        (queue("q", ""), .invalidArgument),
        ("<QueueConfiguration><Queue>a</Queue></QueueConfiguration>", .malformedXML),
        ("<QueueConfiguration><Event>s3:ObjectCreated:*</Event></QueueConfiguration>", .malformedXML),
        (
            "<QueueConfiguration><Topic>a</Topic><Event>s3:ObjectCreated:*</Event></QueueConfiguration>", .malformedXML
        ),
        (queue("a") + queue("b"), .invalidArgument),
        (queue("a", prefix: "a/") + queue("a", prefix: "b/"), .invalidArgument),
        (queue("a", prefix: "a/") + queue("b", prefix: "a/b/"), .invalidArgument),
        (queue("a", suffix: "jpg") + queue("b", suffix: ".jpg"), .invalidArgument),
        (queue("a", "s3:ObjectCreated:*") + queue("b", "s3:ObjectCreated:Put"), .invalidArgument),
        (queue(String(repeating: "i", count: 256)), .invalidArgument), (queue(prefix: long), .invalidArgument),
        (
            queue("q", prefix: "a").replacing(
                "</S3Key>", with: "<FilterRule><Name>Prefix</Name><Value/></FilterRule></S3Key>"),
            .invalidArgument
        ),
        (queue("q", prefix: "a").replacing("prefix", with: "infix"), .invalidArgument),
        (queue("q", prefix: "a").replacing("S3Key", with: "Other"), .malformedXML),
        (queue(arn: long), .malformedXML),
        ((0..<101).map { queue("\($0)", prefix: "\($0)/") }.joined(), .invalidArgument),
    ]

    @Test(arguments: refused) func refusesWhatS3Refuses(inner: String, code: S3ErrorCode) {
        #expect(Self.code(inner) == code, "\(inner.prefix(300))")
    }

    @Test(arguments: [
        ("arn:minio:sqs::audit:webhook", "audit"), ("arn:minio:sqs:us-east-1:a-b:webhook", "a-b"),
        ("arn:minio:sqs:::webhook", nil), ("arn:minio:sqs::audit:kafka", nil), ("arn:aws:sqs:us-east-1:1:queue", nil),
        ("audit", nil), ("", nil), ("arn:minio:sqs::audit:webhook:more", nil),
    ])
    func readsTheTarget(arn: String, name: String?) {
        #expect(NotificationRule(id: "r", arn: arn, events: [.created]).targetName == name)
    }

    static let matching: [(NotificationEvent, String?, String?, String, String, Bool)] = [
        (.created, nil, nil, "s3:ObjectCreated:Put", "k", true),
        (.created, nil, nil, "s3:ObjectRemoved:Delete", "k", false),
        (.createdByPut, nil, nil, "s3:ObjectCreated:Copy", "k", false),
        (.created, "in/", nil, "s3:ObjectCreated:Put", "in/k", true),
        (.created, "in/", nil, "s3:ObjectCreated:Put", "out/k", false),
        (.created, nil, ".jpg", "s3:ObjectCreated:Put", "a.jpg", true),
        (.created, nil, ".jpg", "s3:ObjectCreated:Put", "a.JPG", false),
        (.created, "é", nil, "s3:ObjectCreated:Put", "e\u{301}", false),
        (.removed, nil, nil, "s3:ObjectRemoved:DeleteMarkerCreated", "k", true),
        (.markerMade, nil, nil, "s3:ObjectRemoved:Delete", "k", false),
        (.expired, nil, nil, "s3:LifecycleExpiration:Delete", "k", true),
        (.removed, nil, nil, "s3:LifecycleExpiration:Delete", "k", false),
    ]

    @Test(arguments: matching)
    func matches(
        event: NotificationEvent,
        prefix: String?,
        suffix: String?,
        name: String,
        key: String,
        matches: Bool
    ) {
        let rule = NotificationRule(id: "r", arn: Self.arn, events: [event], prefix: prefix, suffix: suffix)
        #expect(NotificationConfiguration(rules: [rule]).rules(for: name, of: key).isEmpty == !matches)
    }

    @Test func tellsWhichGroupsItAsksFor() throws {
        let configuration = try Self.parse(Self.queue("q", "s3:ObjectRemoved:Delete"))
        #expect(configuration.asks(for: ["s3:ObjectRemoved:"]) && !configuration.asks(for: ["s3:ObjectCreated:"]))
    }

    @Test func survivesHostileDocuments() {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SeededDocuments(seed: seed)
        let names = [
            "QueueConfiguration", "TopicConfiguration", "CloudFunctionConfiguration", "EventBridgeConfiguration", "Id",
            "Queue", "Topic", "CloudFunction", "Event", "Filter", "S3Key", "FilterRule", "Name", "Value",
        ]
        for _ in 0..<3000 {
            let bytes = generator.document(root: "NotificationConfiguration", names: names)
            guard let parsed = try? NotificationConfiguration(parsing: bytes, newID: { "made" }) else { continue }
            #expect((try? NotificationConfiguration(parsing: parsed.xml, newID: { "" })) == parsed, "seed \(seed)")
        }
    }
}
