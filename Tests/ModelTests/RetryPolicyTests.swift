import Model
import Testing

@Suite struct RetryPolicyTests {
    private func parse(_ members: String) throws -> ServiceDefinition {
        try ServiceDefinition.parse(
            JSONValue.parse(#"{"name":"s","image":"i","script":"x","# + members + "}"))
    }

    @Test(arguments: [
        (#""retry":{}"#, RetryPolicy()),
        (#""retry":{"script":3}"#, RetryPolicy(script: 3)),
        (
            #""retry":{"Script":1,"TIMEOUT":2,"infrastructure":0}"#,
            RetryPolicy(script: 1, timeout: 2, infrastructure: 0)
        ),
        (#""retry":{"exit_codes":75}"#, RetryPolicy(exitCodes: [75])),
        (#""retry":{"exit_codes":[1,137,255]}"#, RetryPolicy(exitCodes: [1, 137, 255])),
        (
            #""retry":{"backoff":"500ms","maximum_backoff":"2m"}"#,
            RetryPolicy(backoff: .milliseconds(500), maximumBackoff: .seconds(120))
        ),
        (#""retry":{"backoff":600}"#, RetryPolicy(backoff: .seconds(600), maximumBackoff: .seconds(600))),
        (#""retry":{"maximum_backoff":"1s"}"#, RetryPolicy(backoff: .seconds(1), maximumBackoff: .seconds(1))),
    ])
    func reads(_ members: String, _ policy: RetryPolicy) throws {
        let definition = try parse(members)
        #expect(definition.retry == policy)
        #expect(try ServiceDefinition(stored: definition.storedJSON()).retry == policy)
    }

    @Test(arguments: [
        ("\"retry\":1", "retry"), (#""retry":{"script":-1}"#, "retry.script"),
        (#""retry":{"script":1001}"#, "retry.script"),
        (#""retry":{"script":"3"}"#, "retry.script"), (#""retry":{"infrastructure":1e9}"#, "retry.infrastructure"),
        (#""retry":{"exit_codes":[256]}"#, "retry.exit_codes"), (#""retry":{"exit_codes":[1,0]}"#, "retry.exit_codes"),
        (#""retry":{"exit_codes":["a"]}"#, "retry.exit_codes[0]"), (#""retry":{"backoff":0}"#, "retry.backoff"),
        (#""retry":{"backoff":"soon"}"#, "retry.backoff"), (#""retry":{"backoff":true}"#, "retry.backoff"),
        (#""retry":{"backoff":"8d"}"#, "retry.backoff"),
        (#""retry":{"backoff":"10s","maximum_backoff":"5s"}"#, "retry.maximum_backoff"),
        (#""failure_output":{}"#, "failure_output"), (#""failure_output":"b/x""#, "failure_output"),
        (#""failure_output":{"webhook":"w","path":"b/x"}"#, "failure_output"),
        (#""failure_output":{"path":"B_/x"}"#, "failure_output.path"),
        (#""failure_output":{"path":"b/x","suffix":["a"]}"#, "failure_output"),
        (#""failure_output":{"storage_provider":"webdav.w","path":"b/x"}"#, "failure_output.storage_provider"),
    ])
    func refuses(_ members: String, _ field: String) {
        #expect {
            _ = try parse(members)
        } throws: {
            ($0 as? ServiceSpecificationError)?.field == field
        }
    }

    @Test func nothingSaidIsNothingKept() throws {
        let definition = try parse(#""timeout":1"#)
        #expect(definition.retry == nil && definition.failureOutput == nil)
        #expect(definition.storedJSON()["retry"] == nil)
    }

    @Test(arguments: [
        (#"{"path":"failures"}"#, "s/failures"), (#"{"path":"/bucket/a/"}"#, "bucket/a"),
        (#"{"storage_provider":"minio.default","path":"bucket/a"}"#, "bucket/a"),
    ])
    func failureFolders(_ json: String, _ path: String) throws {
        let definition = try parse("\"failure_output\":\(json)")
        #expect(definition.failureOutput == .folder(StorageIO(path: path)))
        #expect(definition.ownBuckets.map(\.text) == [String(path.prefix { $0 != "/" })])
        #expect(try ServiceDefinition(stored: definition.storedJSON()).failureOutput == definition.failureOutput)
    }

    @Test func failureWebhooks() throws {
        let definition = try parse(#""failure_output":{"webhook":"ops"}"#)
        #expect(definition.failureOutput == .webhook("ops") && definition.ownBuckets.isEmpty)
        #expect(try ServiceDefinition(stored: definition.storedJSON()).failureOutput == .webhook("ops"))
    }

    @Test(arguments: [
        (AttemptFailure.script(exitCode: 1), 0), (.script(exitCode: 75), 4), (.timeout, 5), (.infrastructure, 6),
        (.input, 0), (.output, 0),
    ])
    func limits(_ failure: AttemptFailure, _ retries: Int) {
        let policy = RetryPolicy(script: 4, timeout: 5, infrastructure: 6, exitCodes: [75])
        #expect(policy.retries(after: failure) == retries)
    }

    @Test(arguments: [
        ("k", "k"), ("\"k\"", "k"), ("a b", "a b"), ("\"", "\""), (String(repeating: "x", count: 255), nil),
    ])
    func keys(_ header: String, _ text: String?) throws {
        #expect(try IdempotencyKey(header).text == text ?? header)
    }

    @Test(arguments: ["", "\"\"", "é", "a\nb", "\u{7F}", String(repeating: "x", count: 256)])
    func noKeys(_ header: String) { #expect(throws: NameError.self) { try IdempotencyKey(header) } }

    private func identity(_ record: String, after: String = "") -> String? {
        InvocationEvent.classify(Array("{\"Records\":[\(record)\(after)]}".utf8)).identity
    }

    private static func record(_ more: String = "", object: String = "", bucket: String = "b", key: String = "k")
        -> String
    {
        """
        {"eventSource":"minio:s3","eventName":"s3:ObjectCreated:Put",\(more)"s3":{"bucket":{"name":"\(bucket)xx"},\
        "object":{\(object)"key":"\(key)","sequencer":"1"}}}
        """
    }

    @Test func events() {
        let first = identity(Self.record())
        #expect(first != nil && first == identity(Self.record(#""awsRegion":"x","#)))
        let others = [
            identity(Self.record(object: #""versionId":"2","#)), identity(Self.record(bucket: "c")),
            identity(Self.record(key: "k2")),
            identity(Self.record(#""responseElements":{"x-minio-deployment-id":"d"},"#)),
        ]
        #expect(Set(others + [first]).count == 5 && !others.contains(nil))
    }

    @Test func eventsThatSayTooLittle() {
        #expect(identity(Self.record(), after: "," + Self.record()) == nil)
        #expect(InvocationEvent.classify(Array("{\"a\":1}".utf8)).identity == nil)
        #expect(InvocationEvent.classify([]).identity == nil)
        let record = Self.record().split(separator: ",\"sequencer\":\"1\"").joined()
        #expect(identity(record) == nil)
    }
}
