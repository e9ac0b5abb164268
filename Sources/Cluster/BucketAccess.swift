package import Model
package import ObjectEngine
package import S3Wire

/// Who may do what in the buckets of the own store, outside of the S3 face: by the same rules as there.
package struct BucketAccess: Sendable {
    let store: ObjectStore

    package init(store: ObjectStore) { self.store = store }

    /// Whether a principal may do that in a bucket, or to an object in it.
    ///
    /// - Parameter facts: what conditions of a policy can ask for.
    /// - Returns: `nil` where there is no such bucket.
    /// - Throws: `ObjectStoreError`; `S3Error` where the bucket's rules cannot be read.
    package func allows(
        _ principal: Principal,
        _ action: S3Action,
        _ bucket: BucketName,
        key: ObjectKey? = nil,
        facts: PolicyFacts = [:]
    ) async throws -> Bool? {
        guard let found = try await store.facts(of: bucket) else { return nil }
        let rules = try AccessRules(
            of: bucket, sharing: found.sharing, policy: found.settings[.policy],
            publicAccessBlock: found.settings[.publicAccessBlock], ownership: found.settings[.ownership],
            accessControl: found.settings[.accessControl])
        let request = AccessRequest(action, bucket: bucket.text, key: key?.text, facts: facts)
        return rules.verdict(on: request, by: principal) == .allowed
    }

    // MARK: The owners of services

    /// Whether the owner of a service may do that; the administrator's services may do everything.
    ///
    /// - Returns: `nil` where there is no such bucket.
    func allowsOwner(
        of service: ServiceDefinition,
        _ action: S3Action,
        _ bucket: BucketName,
        key: ObjectKey? = nil
    ) async throws -> Bool? {
        let owner = Principal(owner: service.owner)
        if case .administrator = owner { return true }
        return try await allows(owner, action, bucket, key: key)
    }

    /// Refuses a service that would read or write what its owner may not; what is not there yet is made for it.
    ///
    /// - Throws: `ClusterError` with `forbidden`, `failed`.
    func checkPlaces(of service: ServiceDefinition) async throws(ClusterError) {
        do { try await requirePlaces(of: service) } catch {
            throw error as? ClusterError
                ?? ClusterError(
                    code: .failed, message: "it could not be found out what the service may read and write",
                    cause: error)
        }
    }

    private func requirePlaces(of service: ServiceDefinition) async throws {
        for (places, field, actions) in service.places {
            for bucket in Set(places.filter { $0.provider == .clusterStore }.compactMap(\.bucketName)).sorted() {
                for action in actions where try await allowsOwner(of: service, action, bucket) == false {
                    throw ClusterError(
                        code: .forbidden,
                        message: "\(field): the owner of the service, \(service.owner), may not "
                            + "\(action == .putObject ? "write to" : "read") the bucket \"\(bucket)\"; its owner can share it"
                    )
                }
            }
        }
    }

    /// Refuses an event that names an object which whoever sends it may not read: else a service of somebody else would
    /// read it for them.
    ///
    /// - Throws: `ClusterError` with `forbidden`; as `allows`.
    package func checkInput(of event: [UInt8], by poster: Principal) async throws {
        guard case .user = poster, let object = InputStager.localObject(of: InvocationEvent.classify(event)) else {
            return
        }
        guard try await allows(poster, .getObject, object.bucket, key: object.key) == true else {
            throw ClusterError(
                code: .forbidden,
                message: "the event names \(object.bucket)/\(object.key), which \(poster.name) may not read")
        }
    }
}

extension ServiceDefinition {
    /// Where it reads and writes, and what its owner must be allowed to do there.
    fileprivate var places: [(places: [StorageIO], field: String, actions: [S3Action])] {
        var notices: [StorageIO] = []
        if case .folder(let folder) = failureOutput { notices = [folder] }
        let mounts = mount.map { [$0] } ?? []
        let isReadOnly = mount?.isReadOnly ?? true
        return [
            (input, "input", [.listBucket, .getObject]), (output, "output", [.putObject]),
            (notices, "failure_output", [.putObject]),
            (mounts, "mount", [.listBucket, .getObject] + (isReadOnly ? [] : [.putObject])),
        ]
    }
}
