extension ObjectEvent {
    /// The event as MinIO writes it to a webhook (supervisor.md section 4): `Key` is the bucket and the key as they
    /// are, `object.key` is the key escaped as in a query.
    ///
    /// The event of a removal says nothing of the object but its key. Numbers of the sequence are 16 hexadecimal digits, so that they sort as texts.
    package func minioJSON() -> JSONValue {
        let identity = JSONValue.object(["principalId": .string(principal)])
        let record = JSONValue.object([
            "eventVersion": .string("2.0"),
            "eventSource": .string("minio:s3"),
            "awsRegion": .string(""),
            "eventTime": .string(time.rfc3339(fractionDigits: 3)),
            "eventName": .string(cause.rawValue),
            "userIdentity": identity,
            "requestParameters": .object([
                "principalId": .string(principal), "region": .string(""),
                "sourceIPAddress": .string(sourceAddress),
            ]),
            "responseElements": .object([:]),
            "s3": .object([
                "s3SchemaVersion": .string("1.0"),
                "configurationId": .string("Config"),
                "bucket": .object([
                    "name": .string(bucket.text),
                    "ownerIdentity": identity,
                    "arn": .string("arn:aws:s3:::\(bucket.text)"),
                ]),
                "object": objectJSON(),
            ]),
            "source": .object(["host": .string(sourceAddress), "port": .string(""), "userAgent": .string("")]
            ),
        ])
        return .object([
            "EventName": .string(cause.rawValue),
            "Key": .string("\(bucket.text)/\(key.text)"),
            "Records": .array([record]),
        ])
    }

    private func objectJSON() -> JSONValue {
        let hexadecimal = String(UInt64(bitPattern: sequence), radix: 16, uppercase: true)
        let sequencer = String(repeating: "0", count: 16 - hexadecimal.utf8.count) + hexadecimal
        guard cause.isCreation else {
            return .object(["key": .string(QueryEncoding.escape(key.text)), "sequencer": .string(sequencer)])
        }
        var metadata = ["content-type": contentType]
        for (name, value) in userMetadata {
            // S3 keeps names without the prefix of their header; MinIO's events carry it.
            metadata[name.lowercased().hasPrefix("x-amz-meta-") ? name : "x-amz-meta-\(name)"] = value
        }
        return .object([
            "key": .string(QueryEncoding.escape(key.text)),
            "size": .integer(size.bytes),
            "eTag": .string(eTag),
            "contentType": .string(contentType),
            "userMetadata": .map(metadata),
            "sequencer": .string(sequencer),
        ])
    }
}
