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
        access = try AccessRules(
            of: bucket, sharing: facts.sharing, policy: facts.settings[.policy],
            publicAccessBlock: facts.settings[.publicAccessBlock], ownership: facts.settings[.ownership],
            accessControl: facts.settings[.accessControl])
        guard let text = facts.settings[.cors] else { return }
        do throws(S3Error) {
            crossOrigin = try CrossOriginConfiguration(parsing: Array(text.utf8))
        } catch {
            throw S3Error(.internalError, cause: error)
        }
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
