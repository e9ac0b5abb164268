package import Model
package import ObjectEngine
import S3Wire

/// Buckets as OSCAR's API shows them (oscar-api.md section 7).
package struct BucketDesk: Sendable {
    private let store: ObjectStore
    private let catalog: ServiceCatalog

    package init(store: ObjectStore, catalog: ServiceCatalog) {
        self.store = store
        self.catalog = catalog
    }

    /// What oscar-api.md section 7 calls the owner of the administrator's buckets.
    private static let administrator = "oscar"

    /// A bucket with what is kept about it beside its row.
    package struct View: Sendable {
        package let bucket: Bucket
        package let sharing: Sharing
    }

    /// The buckets that a principal may see.
    package func all(for principal: Principal) async throws -> [View] {
        try await translating {
            let documents = try await store.documents(.sharing)
            let sharings = Dictionary(documents.map { ($0.bucket, $0.document) }) { first, _ in first }
            return try await store.buckets()
                .map { View(bucket: $0, sharing: Sharing(owner: $0.owner, document: sharings[$0.name])) }
                .filter { principal.may(.list, $0.sharing) }
        }
    }

    /// - Throws: `ClusterError` with `notFound`.
    package func bucket(_ name: BucketName) async throws -> View {
        try await translating(name) {
            guard let bucket = try await store.bucket(name), let facts = try await store.facts(of: name) else {
                throw Self.noBucket(name.text)
            }
            return View(bucket: bucket, sharing: facts.sharing)
        }
    }

    // MARK: Who may do what

    /// Whether a principal may do that to a bucket, or to an object in it, by the same rules as on the S3 face.
    ///
    /// - Parameter address: where the request comes from.
    /// - Throws: `ClusterError` with `notFound`.
    package func allows(
        _ principal: Principal,
        _ action: Action.OfBucket,
        _ name: BucketName,
        key: ObjectKey? = nil,
        from address: String
    ) async throws -> Bool {
        let facts: PolicyFacts = address.isEmpty ? [:] : [.sourceAddress: address]
        let allowed = try await translating(name) {
            try await access.allows(principal, S3Action(action), name, key: key, facts: facts)
        }
        guard let allowed else { throw Self.noBucket(name.text) }
        return allowed
    }

    /// Refuses an event that names an object which whoever sends it may not read.
    ///
    /// - Throws: `ClusterError` with `forbidden`.
    package func checkInput(of event: [UInt8], by poster: Principal) async throws {
        try await translating { try await access.checkInput(of: event, by: poster) }
    }

    private var access: BucketAccess { BucketAccess(store: store) }

    // MARK: Changes

    /// Makes a bucket; to make one again that is one's own changes with whom it is shared.
    ///
    /// - Throws: `ClusterError` with `alreadyExists` for somebody else's.
    package func create(
        _ name: BucketName,
        by principal: Principal,
        visibility: ServiceDefinition.Visibility?,
        allowedUsers: [String]
    ) async throws {
        let owner = if case .user(let user) = principal { user.id.text } else { Self.administrator }
        let sharing = Sharing(owner: owner, visibility: visibility ?? .private, allowedUsers: allowedUsers)
        var tags = ["owner": owner]
        if case .user(let user) = principal, !user.name.isEmpty { tags["owner_name"] = user.name }
        let settings = sharing.document.map { [BucketSetting.sharing: $0] } ?? [:]
        try await translating(name) {
            guard try await !store.createBucket(name, owner: owner, tags: tags, settings: settings) else { return }
            guard let facts = try await store.facts(of: name), principal.may(.changeSettings, facts.sharing) else {
                throw ClusterError(
                    code: .alreadyExists,
                    message: "Error creating bucket with name '\(name)': the bucket \"\(name)\" already exists\n")
            }
            // To ask again for what is there is success, as in S3; what is asked for beside counts.
            guard let visibility, makers(of: name).isEmpty else { return }
            try await set(visibility, allowedUsers, of: name)
        }
    }

    /// Changes with whom a bucket is shared.
    ///
    /// - Throws: `ClusterError` with `notFound`; `forbidden` for those who may not, and for a bucket that is shared as a
    ///   service is.
    package func update(
        _ name: BucketName,
        by principal: Principal,
        visibility: ServiceDefinition.Visibility?,
        allowedUsers: [String]
    ) async throws {
        guard try await allows(principal, .changeSettings, name, from: "") else {
            throw ClusterError(code: .forbidden, message: "User '\(principal.name)' is not authorised")
        }
        guard makers(of: name).isEmpty else {
            throw ClusterError(
                code: .forbidden, message: "Forbidden action: A bucket from a service can't be modified\n")
        }
        try await translating(name) { try await set(visibility ?? .private, allowedUsers, of: name) }
    }

    private func set(
        _ visibility: ServiceDefinition.Visibility,
        _ allowedUsers: [String],
        of name: BucketName
    ) async throws(ObjectStoreError) {
        let sharing = Sharing(owner: "", visibility: visibility, allowedUsers: allowedUsers)
        try await store.set([.sharing: sharing.document], of: name)
    }

    /// The services that a bucket was made for, and that are still there.
    private func makers(of name: BucketName) -> [RegisteredService] {
        catalog.all.filter { $0.madeBuckets.contains(name) && $0.definition.ownBuckets.contains(name) }
    }

    /// Removes a bucket with all that is in it.
    ///
    /// - Throws: `ClusterError` with `notFound`, or `forbidden` where a service still uses it.
    package func remove(_ name: BucketName, by principal: Principal) async throws {
        let users = catalog.all.filter { $0.definition.ownBuckets.contains(name) }
        guard users.isEmpty else {
            // Which services others have is not told.
            let known = users.filter { principal.may(.read, $0.definition) }.map(\.name.text)
            let words = known.isEmpty ? "a service of somebody else" : known.joined(separator: ", ")
            throw ClusterError(
                code: .forbidden, message: "the bucket '\(name)' is used by \(words); remove that first")
        }
        try await translating(name) { try await store.deleteBucket(name, includingContent: true) }
    }

    /// One page of a bucket's objects, after that key.
    package func objects(of name: BucketName, prefix: String, after: String?, limit: Int) async throws -> Listing {
        try await translating(name) {
            try await store.list(bucket: name, prefix: prefix, after: after, limit: limit)
        }
    }

    private func translating<T>(_ name: BucketName? = nil, _ work: () async throws -> T) async throws -> T {
        do { return try await work() } catch let error as ObjectStoreError {
            switch error.code {
            case .noSuchBucket: throw Self.noBucket(name?.text ?? "")
            case .tooManyBuckets, .quotaExceeded:
                throw ClusterError(code: .forbidden, message: error.message, cause: error)
            default: throw ClusterError(code: .failed, message: error.message, cause: error)
            }
        } catch let error as S3Error {
            throw ClusterError(code: .failed, message: "the bucket's rules cannot be read", cause: error)
        }
    }

    private static func noBucket(_ name: String) -> ClusterError {
        ClusterError(code: .notFound, message: "The bucket '\(name)' does not exist")
    }
}

extension S3Action {
    /// What a route of the API does, in the words that policies use.
    fileprivate init(_ action: Action.OfBucket) {
        switch action {
        case .list: self = .listBucket
        case .readObject: self = .getObject
        case .writeObject: self = .putObject
        case .deleteObject: self = .deleteObject
        case .deleteVersion: self = .deleteObjectVersion
        case .readSettings: self = .getBucketPolicy
        case .changeSettings: self = .putBucketPolicy
        case .delete: self = .deleteBucket
        }
    }
}
