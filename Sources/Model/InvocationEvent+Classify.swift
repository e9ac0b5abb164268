extension InvocationEvent {
    /// Tells what an invocation's bytes are.
    ///
    /// Never fails: what has no known shape is input.
    ///
    /// In three places kinder than the supervisor, which stops there: JSON keeps its spelling, bytes that are
    /// not base 64 are taken as they are, and arrays, strings and numbers are input. A bare word or number
    /// that is also base 64 is decoded, because clients send everything in base 64.
    package static func classify(_ bytes: [UInt8]) -> InvocationEvent { classify(bytes, nesting: 0) }

    private static func classify(_ bytes: [UInt8], nesting: Int) -> InvocationEvent {
        guard let first = bytes.first(where: { !isWhiteSpace($0) }) else { return .unknown(.empty) }
        let document: JSONValue? =
            if first == UInt8(ascii: "{"), bytes.count <= maximumEventSize {
                // A text that only begins like JSON is input like any other.
                try? JSONValue.parse(bytes: bytes)
            } else { nil }
        if let document { return classify(document, spelling: bytes, nesting: nesting) }
        if let decoded = Base64.decodeSkippingWhiteSpace(bytes) { return .unknown(.decoded(decoded)) }
        let mayBeJSON = UInt8(ascii: "[") == first || UInt8(ascii: "\"") == first || isNumeric(first)
        if mayBeJSON, bytes.count <= maximumEventSize, (try? JSONValue.parse(bytes: bytes)) != nil {
            return .unknown(.json(bytes))
        }
        return .unknown(.raw(bytes))
    }

    private static func classify(_ document: JSONValue, spelling: [UInt8], nesting: Int) -> InvocationEvent {
        guard nesting < maximumNesting else { return .unknown(.jsonObject(spelling)) }
        if document["httpMethod"] != nil { return gateway(document, nesting: nesting) }
        if document["subscription"] != nil, let name = document["event"]?["name"]?.stringValue {
            return .dCache(fileName: name)
        }
        if document["event_type"] != nil, let scope = document["payload"]?["scope"]?.stringValue,
            let name = document["payload"]?["name"]?.stringValue
        {
            return .rucio(scope: scope, name: name)
        }
        if let event = document["event"], let inner = inner(event, nesting: nesting) {
            return .delegated(provider: document["storage_provider"]?.stringValue, event: inner)
        }
        return storageEvent(document) ?? enveloped(document, nesting: nesting) ?? .unknown(.jsonObject(spelling))
    }

    private static func gateway(_ document: JSONValue, nesting: Int) -> InvocationEvent {
        let parameters = document["queryStringParameters"]?.objectValue?.members ?? []
        let query = parameters.compactMap { name, value in value.scalarText.map { (name, $0) } }
        let body = document["body"].flatMap { inner($0, nesting: nesting) } ?? .unknown(.empty)
        return .gateway(query: Dictionary(query) { first, _ in first }, body: body)
    }

    /// What is wrapped in another event: a text of any kind, or an object.
    static func inner(_ value: JSONValue, nesting: Int) -> InvocationEvent? {
        switch value {
        case .string(let text): classify(Array(text.utf8), nesting: nesting + 1)
        case .object: classify(value, spelling: value.bytes(), nesting: nesting + 1)
        case .null, .bool, .number, .array: nil
        }
    }

    private static func storageEvent(_ document: JSONValue) -> InvocationEvent? {
        guard let record = document["Records"]?[0], let source = record["eventSource"]?.stringValue else {
            return nil
        }
        let time = record["eventTime"]?.stringValue ?? ""
        if source == "OneTrigger" {
            guard let key = document["Key"]?.stringValue, let name = record["objectKey"]?.stringValue else {
                return nil
            }
            return .onedata(OnedataReference(key: key, fileName: name, time: time, document: document))
        }
        guard let source = ObjectReference.Source(rawValue: source),
            let bucket = try? BucketName(record["s3"]?["bucket"]?["name"]?.stringValue ?? ""),
            let key = try? ObjectKey(
                QueryEncoding.unescape(record["s3"]?["object"]?["key"]?.stringValue ?? "")
            )
        else { return nil }
        return .object(
            ObjectReference(
                source: source,
                bucket: bucket,
                key: key,
                time: time,
                principal: record["requestParameters"]?["principalId"]?.stringValue ?? "",
                document: document
            )
        )
    }

    private static func isWhiteSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }

    private static func isNumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || byte == UInt8(ascii: "-")
    }
}
