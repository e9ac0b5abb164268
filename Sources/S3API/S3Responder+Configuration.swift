import HTTPTypes
import Hummingbird
import Model
import ObjectEngine
import S3Wire

extension S3Responder {
    /// The largest document about a bucket, in bytes: a thousand rules of a lifecycle.
    private static let configurationLimit = 2 << 20
    /// The most tags of a bucket (S3 user guide, "Using cost allocation S3 bucket tags").
    private static let tagLimit = 50

    func perform(
        _ operation: S3Operation.OfConfiguration,
        _ bucket: BucketName,
        _ exchange: S3Exchange
    ) async throws -> Response {
        let facts = try await facts(of: bucket)
        switch operation {
        case .getTagging: return try await getBucketTagging(bucket)
        case .putTagging: return try await putBucketTagging(bucket, exchange)
        case .deleteTagging:
            try await store.setTags([:], of: bucket)
            return .bodiless(.noContent)
        case .getNotification: return Self.kept(.notification, facts) ?? .document(NotificationConfiguration())
        case .putNotification: return try await putNotification(bucket, exchange)
        case .getLifecycle:
            guard let answer = Self.kept(.lifecycle, facts) else { throw S3Error(.noSuchLifecycleConfiguration) }
            return answer
        case .putLifecycle: return try await putLifecycle(bucket, exchange)
        case .deleteLifecycle:
            try await store.set([.lifecycle: nil], of: bucket)
            return .bodiless(.noContent)
        case .getAcceleration: return .document(AccelerateConfiguration())
        case .getRequestPayment: return .document(RequestPaymentConfiguration())
        case .getLogging: return .document(BucketLoggingStatus())
        case .getEncryption: throw S3Error(.encryptionNotConfigured)
        case .getWebsite: throw S3Error(.noSuchWebsiteConfiguration)
        case .getObjectLock: throw S3Error(.objectLockNotConfigured)
        case .getReplication: throw S3Error(.replicationNotConfigured)
        // There is none to delete, and S3 does not mind.
        case .deleteEncryption, .deleteWebsite, .deleteReplication: return .bodiless(.noContent)
        case .putEncryption: throw S3Error(.notImplemented, Self.noEncryption)
        case .putAcceleration, .putRequestPayment, .putLogging, .putWebsite, .putObjectLock, .putReplication:
            throw S3Error(.notImplemented, "\(operation.rawValue) is not implemented.")
        }
    }

    /// What is said to clients that want their objects encrypted at rest.
    static let noEncryption =
        "Apus does not encrypt what it stores, so it does not accept requests to do so. Put its data directory on an "
        + "encrypted file system, or encrypt before you upload."

    /// The bucket's facts, from memory as a rule.
    ///
    /// - Throws: `S3Error` with `noSuchBucket`.
    func facts(of bucket: BucketName) async throws -> BucketFacts {
        guard let facts = try await store.facts(of: bucket) else {
            throw S3Error(.noSuchBucket, details: [("BucketName", bucket.text)])
        }
        return facts
    }

    /// A document as it is kept.
    private static func kept(_ setting: BucketSetting, _ facts: BucketFacts) -> Response? {
        facts.settings[setting].map { .xml(Array($0.utf8), status: .ok) }
    }

    private func getBucketTagging(_ bucket: BucketName) async throws -> Response {
        guard let tags = try await store.bucket(bucket)?.tags else { throw S3Error(.noSuchBucket) }
        guard !tags.isEmpty else { throw S3Error(.noSuchTagSet, details: [("BucketName", bucket.text)]) }
        let sorted = tags.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        return .document(TaggingDocument(tags: TagSet(kept: sorted.map { TagSet.Tag(key: $0.key, value: $0.value) })))
    }

    private func putBucketTagging(_ bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let set = try TagSet(parsing: try await readConfiguration(exchange), limit: Self.tagLimit)
        // Keys that differ only in how an accent is written are two for S3 and one for a dictionary.
        let tags = Dictionary(set.tags.map { ($0.key, $0.value) }) { _, last in last }
        guard tags.count == set.tags.count else {
            throw S3Error(.invalidTag, "Cannot provide multiple Tags with the same key")
        }
        try await store.setTags(tags, of: bucket)
        return .bodiless(.noContent)
    }

    private func putNotification(_ bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let bytes = try await readConfiguration(exchange)
        let configuration = try NotificationConfiguration(parsing: bytes, newID: Self.newID)
        // Only the administrator may name what is not there yet: it could be somebody else's by then.
        let isUnchecked = exchange.header("x-amz-skip-destination-validation")?.lowercased() == "true"
        if !isUnchecked || !exchange.isByAdministrator {
            try checkTargets(of: configuration, bucket, exchange.proof.principal)
        }
        try await notificationsWillChange()
        try await store.set(
            [
                .notification: configuration.rules.isEmpty ? nil : Self.text(configuration),
                .removalEvents: configuration.asks(for: ["s3:ObjectRemoved:"]) ? "asked" : nil,
                .expiryEvents: configuration.asks(for: ["s3:LifecycleExpiration:"]) ? "asked" : nil,
            ],
            of: bucket
        )
        return .bodiless(.ok, headers: [.contentLength: "0"])
    }

    private func checkTargets(
        of configuration: NotificationConfiguration,
        _ bucket: BucketName,
        _ principal: Principal
    ) throws(S3Error) {
        var details: [(name: String, value: String)] = []
        var reasons: [String] = []
        for rule in configuration.rules {
            guard let reason = notificationRefusal(rule, bucket, principal) else { continue }
            reasons.append("\(rule.arn): \(reason)")
            details.append(("ArgumentName\(reasons.count)", rule.arn))
            details.append(("ArgumentValue\(reasons.count)", reason))
        }
        guard reasons.isEmpty else {
            throw S3Error(
                .invalidArgument,
                "Unable to validate the following destination configurations: \(reasons.joined(separator: "; "))",
                details: details
            )
        }
    }

    private func putLifecycle(_ bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let bytes = try await readConfiguration(exchange)
        let configuration = try LifecycleConfiguration(parsing: bytes, newID: Self.newID)
        try await store.set([.lifecycle: Self.text(configuration)], of: bucket)
        return .bodiless(.ok, headers: [.contentLength: "0"])
    }

    private func readConfiguration(_ exchange: S3Exchange) async throws -> [UInt8] {
        let bytes = try await exchange.readDocument(limit: Self.configurationLimit)
        guard !bytes.isEmpty else { throw S3Error(.missingRequestBody) }
        return bytes
    }

    private static func text(_ document: some ResultDocument) -> String {
        String(decoding: document.xml, as: UTF8.self)
    }

    /// A name for a rule whose author gave it none.
    private static func newID() -> String {
        String(UInt64.random(in: 1 << 60 ... .max), radix: 36)
    }
}
