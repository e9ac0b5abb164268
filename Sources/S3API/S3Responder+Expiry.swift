import HTTPTypes
import Model
import ObjectEngine
import S3Wire

extension S3Responder {
    /// Says in a header when the object will be deleted by the bucket's lifecycle, where it will be.
    ///
    /// An answer without the header is better than none, so nothing is thrown.
    func markExpiry(of record: ObjectRecord, on headers: inout HTTPFields) async {
        guard let facts = try? await store.facts(of: record.bucket), facts.settings[.lifecycle] != nil,
            let lifecycle = try? lifecycles.value(of: record.bucket, facts, make: Self.lifecycle)
        else { return }
        let subject = record.lifecycleSubject
        guard let expiry = lifecycle.expiry(of: subject, written: record.lastModified) else { return }
        let rule = PercentEncoding.encoded(expiry.rule)
        headers.set("x-amz-expiration", "expiry-date=\"\(HTTPDate.text(expiry.time))\", rule-id=\"\(rule)\"")
    }

    private static func lifecycle(_ facts: BucketFacts) throws(S3Error) -> LifecycleConfiguration {
        let document = facts.settings[.lifecycle] ?? ""
        return try LifecycleConfiguration(parsing: Array(document.utf8), newID: { "" })
    }
}
