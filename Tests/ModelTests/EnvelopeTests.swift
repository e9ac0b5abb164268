import Model
import Testing

@Suite("Events of objects in other people's envelopes")
struct EnvelopeTests {
    /// As Amazon documents it (S3 user guide, "Event message structure"), shortened where it does not matter.
    private static let s3 = #"""
        {"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-west-2",
        "eventTime":"1970-01-01T00:00:00.000Z","eventName":"ObjectCreated:Put","userIdentity":{"principalId":"AIDAJDPLRKLG7UEXAMPLE"},
        "requestParameters":{"sourceIPAddress":"127.0.0.1"},"responseElements":{"x-amz-request-id":"C3D13FE58DE4C810"},
        "s3":{"s3SchemaVersion":"1.0","configurationId":"testConfigRule","bucket":{"name":"amzn-s3-demo-bucket",
        "ownerIdentity":{"principalId":"A3NL1KOZZKExample"},"arn":"arn:aws:s3:::amzn-s3-demo-bucket"},
        "object":{"key":"in/Happy+Face.jpg","size":1024,"eTag":"d41d8cd98f00b204e9800998ecf8427e",
        "versionId":"096fKKXTRTtl3on89fVO.nfljtsv6qko","sequencer":"0055AED6DCD90281E5"}}}]}
        """#

    private static func object(_ text: String) -> InvocationEvent.ObjectReference? {
        guard case .object(let object) = InvocationEvent.classify(Array(text.utf8)).innermost else { return nil }
        return object
    }

    private static func quoted(_ text: String) -> String { JSONValue.string(text).text() }

    private static let sns = """
        {"Type":"Notification","MessageId":"22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn":"arn:aws:sns:us-west-2:123456789012:MyTopic","Subject":"Amazon S3 Notification",
        "Message":\(quoted(s3)),"Timestamp":"2012-05-02T00:54:06.655Z","SignatureVersion":"1","Signature":"E",
        "SigningCertURL":"https://sns.us-west-2.amazonaws.com/x.pem","UnsubscribeURL":"https://sns.us-west-2.amazonaws.com/"}
        """

    private static let envelopes: [String] = [
        s3, sns,
        #"{"Records":[{"EventVersion":"1.0","EventSource":"aws:sns","Sns":{"Type":"Notification","Message":\#(quoted(s3))}}]}"#,
        #"{"Records":[{"messageId":"059f","body":\#(quoted(s3)),"eventSource":"aws:sqs","awsRegion":"us-east-2"}]}"#,
        // S3 to SNS to SQS.
        #"{"Records":[{"messageId":"059f","body":\#(quoted(sns)),"eventSource":"aws:sqs"}]}"#,
        #"{"specversion":"1.0","type":"com.amazonaws.s3","source":"s3","id":"A","datacontenttype":"application/json","data":\#(s3)}"#,
        #"{"specversion":"1.0","type":"t","source":"s","id":"A","data_base64":"\#(Base64.encode(Array(s3.utf8)))"}"#,
    ]

    @Test(arguments: envelopes)
    func isFound(_ text: String) throws {
        let object = try #require(Self.object(text))
        #expect(object.source == .s3)
        #expect(object.bucket.text == "amzn-s3-demo-bucket")
        #expect(object.key.text == "in/Happy Face.jpg")
        #expect(object.document["Records"]?[0]?["eventName"]?.stringValue == "ObjectCreated:Put")
    }

    @Test func eventBridge() throws {
        let text = #"""
            {"version":"0","id":"17793124-05d4-b198-2fde-7ededc63b103","detail-type":"Object Created","source":"aws.s3",
            "account":"111122223333","time":"2021-11-12T00:00:00Z","region":"ca-central-1",
            "resources":["arn:aws:s3:::amzn-s3-demo-bucket1"],"detail":{"version":"0","bucket":{"name":"amzn-s3-demo-bucket1"},
            "object":{"key":"a+b c.txt","size":5,"etag":"b1946ac92492d2347c6235b4d2611184","sequencer":"617f08299329d189"},
            "request-id":"N4N7GDK58NMKJ12R","requester":"123456789012","source-ip-address":"1.2.3.4","reason":"PutObject"}}
            """#
        let object = try #require(Self.object(text))
        #expect((object.bucket.text, object.key.text) == ("amzn-s3-demo-bucket1", "a+b c.txt"))
        #expect(object.time == "2021-11-12T00:00:00Z" && object.principal == "123456789012")
    }

    @Test(
        "what is no event of a storage reaches the function as it came",
        arguments: [
            #"{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2014-10-13T15:57:02.089Z","Bucket":"b"}"#,
            #"{"Type":"SubscriptionConfirmation","TopicArn":"arn","SubscribeURL":"https://sns.example/"}"#,
            #"{"Type":"Notification","TopicArn":"arn","Message":"the disk is hot"}"#,
            #"{"Type":"Notification","TopicArn":"arn"}"#,
            #"{"specversion":"1.0","type":"com.example.sensor","source":"/s","id":"1","data":{"t":21.5}}"#,
            #"{"specversion":"1.0","type":"t","source":"/s","id":"1","data_base64":"!"}"#,
            #"{"specversion":"1.0","type":"t","source":"/s","id":"1"}"#,
            #"{"source":"aws.s3","detail-type":"Object Created","detail":{"bucket":{"name":"../x"},"object":{"key":"k"}}}"#,
            #"{"source":"aws.s3","detail-type":"Object Created","detail":5}"#,
            #"{"Records":[{"eventSource":"aws:sqs"}]}"#, #"{"Records":[{"EventSource":"aws:sns","Sns":[]}]}"#,
            #"{"Records":{}}"#, #"{"Records":[]}"#,
        ])
    func isLeftAlone(_ text: String) {
        #expect(InvocationEvent.classify(Array(text.utf8)) == .unknown(.jsonObject(Array(text.utf8))))
    }

    @Test func envelopesInEnvelopesEnd() {
        var text = Self.s3
        for _ in 0..<40 {
            text = #"{"specversion":"1.0","type":"t","source":"s","data":\#(text)}"#
        }
        #expect(InvocationEvent.classify(Array(text.utf8)) == .unknown(.jsonObject(Array(text.utf8))))
    }
}
