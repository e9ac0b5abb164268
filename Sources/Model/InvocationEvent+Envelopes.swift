extension InvocationEvent {
    /// The event of an object that comes in somebody else's envelope: Amazon's SNS, SQS and EventBridge, and
    /// CloudEvents in the structured form.
    ///
    /// CloudEvents in the binary form need nothing: there the body is the event. An envelope around anything else is no
    /// event of a storage and goes to the function as it is.
    ///
    /// - Returns: `nil` where it is no such envelope.
    static func enveloped(_ document: JSONValue, nesting: Int) -> InvocationEvent? {
        if let event = bridged(document) { return event }
        guard let content = content(of: document), let event = inner(content, nesting: nesting),
            case .object = event.innermost
        else { return nil }
        return event
    }

    private static func content(of document: JSONValue) -> JSONValue? {
        // SNS to a webhook: {"Type":"Notification","TopicArn":…,"Message":"{…}"}.
        if document["Type"]?.stringValue == "Notification", document["TopicArn"] != nil { return document["Message"] }
        // CloudEvents 1.0, section 3.1 of the JSON format.
        if document["specversion"]?.stringValue != nil, document["type"] != nil, document["source"] != nil {
            guard let encoded = document["data_base64"]?.stringValue else { return document["data"] }
            return Base64.decodeSkippingWhiteSpace(Array(encoded.utf8))
                .map { .string(String(decoding: $0, as: UTF8.self)) }
        }
        guard let record = document["Records"]?[0] else { return nil }
        if record["eventSource"]?.stringValue == "aws:sqs" { return record["body"] }
        if record["EventSource"]?.stringValue == "aws:sns" { return record["Sns"]?["Message"] }
        return nil
    }

    /// Amazon's EventBridge, where keys are as they are, not escaped (S3 user guide, "EventBridge event message
    /// structure").
    private static func bridged(_ document: JSONValue) -> InvocationEvent? {
        guard document["source"]?.stringValue == "aws.s3", let kind = document["detail-type"]?.stringValue,
            kind.hasPrefix("Object "), let detail = document["detail"],
            let bucket = try? BucketName(detail["bucket"]?["name"]?.stringValue ?? ""),
            let key = try? ObjectKey(detail["object"]?["key"]?.stringValue ?? "")
        else { return nil }
        return .object(
            ObjectReference(
                source: .s3, bucket: bucket, key: key, time: document["time"]?.stringValue ?? "",
                principal: detail["requester"]?.stringValue ?? "", document: document))
    }
}
