extension InvocationEvent {
    /// What tells this event of a storage from all others: who says it, what happened to which version of which object,
    /// and when in the storage's own order.
    ///
    /// `nil` for what is no event of one object, and for one that does not say its place in that order: nobody knows then
    /// whether a second one is the same.
    package var identity: String? {
        guard case .object(let event) = self, let records = event.document["Records"]?.arrayValue, records.count == 1,
            let object = records[0]["s3"]?["object"], let sequencer = object["sequencer"]?.stringValue,
            !sequencer.isEmpty
        else { return nil }
        let sender = records[0]["responseElements"]
        let parts = [
            event.source.rawValue, sender?["x-minio-deployment-id"]?.stringValue ?? "",
            sender?["x-minio-origin-endpoint"]?.stringValue ?? "", records[0]["eventName"]?.stringValue ?? "",
            event.bucket.text, event.key.text, object["versionId"]?.stringValue ?? "", sequencer,
        ]
        // Lengths, so that no two lists of parts read the same.
        return parts.map { "\($0.utf8.count):\($0)" }.joined(separator: ",")
    }
}
