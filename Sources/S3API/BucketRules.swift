import Model
import ObjectEngine
import S3Wire
import Synchronization

/// A bucket's settings in the form in which requests are held against them.
struct BucketRules: Sendable {
    var access = AccessRules()
    /// `nil` for a bucket that says nothing about pages of other origins.
    var crossOrigin: CrossOriginConfiguration?

    /// - Throws: `S3Error` with `internalError` where a document cannot be read: then nobody is let in by mistake.
    init(_ facts: BucketFacts, of bucket: BucketName) throws(S3Error) {
        func document<T>(
            _ setting: BucketSetting,
            _ parse: ([UInt8]) throws(S3Error) -> T
        ) throws(S3Error) -> T? {
            guard let text = facts.settings[setting] else { return nil }
            do throws(S3Error) {
                return try parse(Array(text.utf8))
            } catch {
                throw S3Error(.internalError, cause: error)
            }
        }
        access.policy = try document(.policy) { (bytes) throws(S3Error) in
            try BucketPolicy(parsing: bytes, bucket: bucket.text)
        }
        access.publicAccess = try document(.publicAccessBlock, PublicAccessBlock.init(parsing:)) ?? PublicAccessBlock()
        access.ownership = try document(.ownership, ObjectOwnership.init(parsing:))
        access.accessControl = facts.settings[.accessControl].flatMap(CannedAccessControl.init(rawValue:)) ?? .private
        crossOrigin = try document(.cors, CrossOriginConfiguration.init(parsing:))
    }
}

/// The rules of the buckets that were used lately: read once, not for each request.
final class BucketRulesCache: Sendable {
    private static let limit = 4096

    private let rules = Mutex<[BucketName: (revision: Int, rules: BucketRules)]>([:])

    /// - Throws: as `BucketRules`.
    func rules(_ facts: BucketFacts, of bucket: BucketName) throws(S3Error) -> BucketRules {
        if let known = rules.withLock({ $0[bucket] }), known.revision == facts.revision { return known.rules }
        let read = try BucketRules(facts, of: bucket)
        rules.withLock { rules in
            if rules.count >= Self.limit { rules.removeAll(keepingCapacity: true) }
            rules[bucket] = (facts.revision, read)
        }
        return read
    }
}
