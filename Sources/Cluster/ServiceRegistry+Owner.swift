import Identity
import Logging
package import Model
import ObjectEngine

extension ServiceRegistry {
    static func notTheirs(_ name: ServiceName, _ principal: Principal) -> ClusterError {
        ClusterError(
            code: .forbidden, message: "User \(principal.name) doesn't have permision to modify this service")
    }

    /// Puts a service into the virtual organisation that its maker says, or into the first that they share with the
    /// cluster (oscar-api.md section 4.5).
    ///
    /// - Throws: `ClusterError` with `invalid` where they do not belong to it, or to none of the cluster's.
    func chooseOrganisation(of definition: inout ServiceDefinition, for principal: Principal) throws(ClusterError) {
        guard case .user(let user) = principal else { return }
        let asked = definition.virtualOrganisation
        if !asked.isEmpty {
            guard principal.isEnrolled(in: asked) else {
                throw ClusterError(code: .invalid, message: "this user isn't enrrolled on the vo: \(asked)")
            }
        } else if !organisations.isEmpty {
            guard let first = organisations.first(where: user.groups.contains) else {
                throw ClusterError(
                    code: .invalid,
                    message: "service must be part of one of the following VO: \(organisations.joined(separator: ", "))"
                )
            }
            definition.virtualOrganisation = first
        }
    }

    // MARK: Buckets

    /// Makes the buckets that a service needs and that are not there, shared as the service is, and shares those that were
    /// made for it before in the same way.
    func makeBuckets(of service: inout RegisteredService, _ saga: inout Saga) async throws {
        let definition = service.definition
        let sharing = definition.sharing.document
        let tags = [
            "owner": definition.owner, "from_service": definition.name.text, "service": "true",
        ]
        for bucket in definition.ownBuckets {
            let isNew = try await store.createBucket(
                bucket, owner: definition.owner, tags: tags, settings: sharing.map { [.sharing: $0] } ?? [:])
            if isNew {
                saga.did("create the bucket \(bucket)") { [store] in try await store.deleteBucket(bucket) }
                service.madeBuckets.append(bucket)
            } else if service.madeBuckets.contains(bucket), let facts = try await store.facts(of: bucket),
                facts.owner == definition.owner, facts.settings[.sharing] != sharing
            {
                let before = facts.settings[.sharing]
                saga.did("share the bucket \(bucket)") { [store] in try await store.set([.sharing: before], of: bucket)
                }
                try await store.set([.sharing: sharing], of: bucket)
            }
        }
    }

    // MARK: Another owner

    /// Gives a service, with the buckets that were made for it, to somebody else; its token, which the former owner knows,
    /// is replaced.
    ///
    /// Jobs that are under way go on; durable when this returns.
    ///
    /// - Parameter owner: a user, or `cluster_admin` for the administrator.
    /// - Throws: `ClusterError` with `notFound`, `forbidden` where it is not theirs or where the new owner could not read
    ///   or write what the service does, `busy`, `failed`.
    @discardableResult
    package func transfer(
        _ name: ServiceName,
        to owner: Principal,
        by principal: Principal
    ) async throws -> RegisteredService {
        try await reserving(name) {
            guard let old = catalog[name] else { throw JobBoard.noService(name) }
            guard principal.may(.transfer, old.definition) else { throw Self.notTheirs(name, principal) }
            guard old.definition.owner != owner.ownerName else { return old }
            guard old.definition.volume == nil else {
                throw ClusterError(
                    code: .invalid,
                    message:
                        "the service \"\(name)\" has a volume, which stays its owner's: remove the service, and let the "
                        + "new owner create it")
            }
            var definition = old.definition
            definition.owner = owner.ownerName
            definition.token = ServiceToken.make()
            var saga = Saga()
            do {
                for bucket in try await ownedBuckets(of: old) {
                    let before = old.definition.owner
                    saga.did("give the bucket \(bucket) away") { [store] in try await store.setOwner(before, of: bucket)
                    }
                    try await store.setOwner(definition.owner, of: bucket)
                }
                try await BucketAccess(store: store).checkPlaces(of: definition)
                let service = try await install(definition, version: old.version + 1, replacing: old)
                logger.notice(
                    "service transferred",
                    metadata: [
                        "service": "\(name)", "from": "\(old.definition.owner)", "to": "\(definition.owner)",
                        "principal": "\(principal.name)",
                    ])
                return service
            } catch {
                for failure in await saga.undoAll() {
                    logger.error("a step could not be undone", metadata: ["service": "\(name)", "step": "\(failure)"])
                }
                throw error
            }
        }
    }

    /// The buckets that were made for a service, that are still its owner's, and that no service of somebody else uses.
    private func ownedBuckets(of service: RegisteredService) async throws -> [BucketName] {
        var buckets: [BucketName] = []
        for bucket in service.madeBuckets {
            guard let facts = try await store.facts(of: bucket), facts.owner == service.definition.owner else {
                continue
            }
            buckets.append(bucket)
        }
        return buckets
    }
}
