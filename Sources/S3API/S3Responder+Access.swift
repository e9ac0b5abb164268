import Hummingbird
import Model
import ObjectEngine
import S3Wire

/// Who may do what.
extension S3Responder {
    /// Lets a request pass, or not.
    ///
    /// Costs an administrator nothing in a bucket without a policy.
    ///
    /// - Throws: `S3Error` with `accessDenied`, and `noSuchBucket` where others than administrators would learn it.
    func authorise(_ operation: S3Operation, _ exchange: S3Exchange) async throws {
        let hasPolicy = exchange.facts?.settings[.policy] != nil
        if exchange.isByAdministrator, !hasPolicy, !operation.hasSource { return }
        if case .bucket(.create, _) = operation, exchange.facts == nil {
            // For a bucket that is about to be made there are no rules yet.
            guard exchange.proof.principal.may(.createBucket) else { throw S3Error(.accessDenied) }
            return
        }
        try await require(operation.needs(exchange.request), exchange)
        guard !exchange.isByAdministrator else { return }
        switch operation {
        case .object(.createUpload, _, _) where exchange.proof.principal == .anonymous:
            throw S3Error(.accessDenied, "Anonymous users cannot initiate multipart uploads.  Please authenticate.")
        case .bucket(.deleteObjects, _):
            // Each key is judged by itself; without a policy there is no need to read which ones.
            guard exchange.facts != nil else { throw S3Error(.noSuchBucket) }
            guard hasPolicy || exchange.proof.principal.may(.listBuckets) else { throw S3Error(.accessDenied) }
        default: break
        }
    }

    /// - Throws: as `authorise`.
    func require(_ needs: [AccessNeed], _ exchange: S3Exchange) async throws {
        for need in needs {
            guard try await allows(need, exchange) else { throw S3Error(.accessDenied) }
        }
    }

    /// Whether whoever makes the request may do that.
    ///
    /// - Throws: `S3Error` with `noSuchBucket`, and as `BucketRules`; as `ObjectStore.facts`.
    func allows(_ need: AccessNeed, _ exchange: S3Exchange) async throws -> Bool {
        guard let bucket = need.bucket else { return exchange.proof.principal.may(.listBuckets) }
        // Whether there is one of that name already, and whose, the operation says.
        if need.action == .createBucket { return exchange.proof.principal.may(.createBucket) }
        guard let facts = try await facts(of: bucket, exchange) else {
            // What they cannot do where there is no bucket, the operation tells administrators.
            guard !exchange.isByAdministrator else { return true }
            throw S3Error(.noSuchBucket)
        }
        return try await allows(need, in: bucket, facts, exchange) {
            guard let key = need.key, need.action == .getObject || need.action == .getObjectVersion,
                case .object(let record) = try await store.find(key, version: need.version, in: bucket)
            else { return nil }
            return record.attributes.accessControl
        }
    }

    /// Decides again about an object that was looked up: it may have come, with another access control list, after the
    /// request was let pass.
    ///
    /// - Throws: as `authorise`.
    func requireReading(_ record: ObjectRecord, version: VersionID?, _ exchange: S3Exchange) async throws {
        guard !exchange.isByAdministrator else { return }
        let bucket = record.bucket
        guard let facts = try await facts(of: bucket, exchange) else { throw S3Error(.noSuchBucket) }
        let need = AccessNeed(version == nil ? .getObject : .getObjectVersion, bucket, record.key, version: version)
        let isAllowed = try await allows(need, in: bucket, facts, exchange) { record.attributes.accessControl }
        guard isAllowed else { throw S3Error(.accessDenied) }
    }

    /// - Parameter list: the access control list of the object, asked for where the bucket's rules leave it open; `nil`
    ///   where there is none that counts.
    private func allows(
        _ need: AccessNeed,
        in bucket: BucketName,
        _ facts: BucketFacts,
        _ exchange: S3Exchange,
        list: () async throws -> CannedAccessControl?
    ) async throws -> Bool {
        let principal = exchange.proof.principal
        let rules = try rulesCache.rules(facts, of: bucket).access
        let isList = need.action == .listBucket || need.action == .listBucketVersions
        let request = AccessRequest(
            need.action, bucket: bucket.text, key: need.key?.text,
            facts: rules.policy == nil ? [:] : exchange.policyFacts(isList: isList)
        )
        switch rules.verdict(on: request, by: principal) {
        case .allowed: return true
        case .denied: return false
        case .undecided: return try await list().map { rules.allows($0, request, by: principal) } ?? false
        }
    }

    /// Which of many deletions may not happen.
    func deniedDeletions(_ needs: [AccessNeed], _ exchange: S3Exchange) async throws -> Set<Int> {
        guard !exchange.isByAdministrator || exchange.facts?.settings[.policy] != nil else { return [] }
        var denied: Set<Int> = []
        for (index, need) in needs.enumerated() where try await !allows(need, exchange) { denied.insert(index) }
        return denied
    }

    private func facts(of bucket: BucketName, _ exchange: S3Exchange) async throws -> BucketFacts? {
        if bucket == exchange.bucket { return exchange.facts }
        return try await store.facts(of: bucket)
    }

    /// Whether somebody who may read an object may also learn that there is none.
    ///
    /// To all others a missing object is one that they may not read (S3 API reference, "GetObject").
    func mayLearnOfMissing(_ exchange: S3Exchange) async throws -> Bool {
        guard !exchange.isByAdministrator, let bucket = exchange.bucket else { return true }
        return try await allows(AccessNeed(.listBucket, bucket), exchange)
    }

    /// The rules of the bucket that the request is about.
    ///
    /// - Throws: `S3Error` with `noSuchBucket`, and as `BucketRules`.
    func rules(_ exchange: S3Exchange) throws(S3Error) -> BucketRules {
        guard let bucket = exchange.bucket, let facts = exchange.facts else { throw S3Error(.noSuchBucket) }
        return try rulesCache.rules(facts, of: bucket)
    }

    /// The access control list that the headers of a write ask for; `private` where they ask for none.
    ///
    /// - Throws: `S3Error` with `accessDenied` where public lists are blocked, `accessControlListNotSupported` where
    ///   lists are off, and as `CannedAccessControl`.
    func requestedAccessControl(_ exchange: S3Exchange) throws(S3Error) -> CannedAccessControl {
        guard let list = try CannedAccessControl(headersOf: exchange.request, owner: exchange.owner.id) else {
            return .private
        }
        // For a bucket that is about to be made there are no rules yet.
        if exchange.facts != nil { try check(list, exchange) }
        return list
    }

    /// - Throws: `S3Error` with `accessDenied`, `accessControlListNotSupported`.
    func check(_ list: CannedAccessControl, _ exchange: S3Exchange) throws(S3Error) {
        guard list.isPublic else { return }
        let rules = try rules(exchange).access
        guard rules.honoursLists else { throw S3Error(.accessControlListNotSupported) }
        guard !rules.publicAccess.blocksPublicLists else { throw S3Error(.accessDenied) }
    }
}
