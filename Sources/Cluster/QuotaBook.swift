package import Model
import ObjectEngine
import Scheduling
import StateStore
import Synchronization

/// How much each user may have, in memory: what the scheduler, the object store and the volumes go by.
package final class QuotaBook: Sendable {
    private struct State {
        var overrides: [String: QuotaOverrides] = [:]
    }

    /// What everybody may have of whom nothing else is said.
    package let standard: Quota
    /// What the administrator's own things belong to; they have no limits.
    private let administrators: Set<String>
    private let state: Mutex<State>

    /// What OSCAR calls the owner of the administrator's services, and that of its buckets.
    private static let fixedAdministrators: Set<String> = ["", "cluster_admin", "oscar"]

    /// - Parameters:
    ///   - standard: what everybody may have.
    ///   - administrators: further names of the administrator.
    package init(standard: Quota = Quota(), administrators: Set<String> = []) {
        self.standard = standard
        self.administrators = administrators.union(Self.fixedAdministrators)
        state = Mutex(State())
    }

    /// Brings back what was said of users before.
    ///
    /// - Throws: `StateStoreError`.
    func load(_ store: ClusterState) async throws {
        let overrides = try await store.quotas()
        state.withLock { $0.overrides = overrides }
    }

    func set(_ overrides: QuotaOverrides, of user: String) { state.withLock { $0.overrides[user] = overrides } }

    /// How a user's quota differs from that of everybody.
    func overrides(of user: String) -> QuotaOverrides { state.withLock { $0.overrides[user] ?? [:] } }

    /// What an owner of services, buckets or volumes may have.
    package func quota(of owner: String) -> Quota {
        administrators.contains(owner) ? Quota() : standard.with(overrides(of: owner))
    }

    /// What bounds the jobs and runs of each owner.
    var forScheduler: OwnerQuotas {
        var named = state.withLock { $0.overrides }.mapValues { OwnerQuota(standard.with($0)) }
        for administrator in administrators { named[administrator] = OwnerQuota() }
        return OwnerQuotas(standard: OwnerQuota(standard), named: named)
    }

    /// What bounds the buckets of each owner; `nil` where nobody has a limit.
    var forStore: StorageQuota.ByOwner? {
        let overrides = state.withLock { Array($0.overrides.values) }
        let isLimited = ([standard] + overrides.map(standard.with)).contains { StorageQuota($0) != StorageQuota() }
        guard isLimited else { return nil }
        return { [self] owner in
            let quota = StorageQuota(quota(of: owner))
            return quota == StorageQuota() ? nil : quota
        }
    }

    /// Why a service could never start under its owner's quota, in words; `nil` where it could.
    func refusal(of definition: ServiceDefinition, owner: String) -> String? {
        let quota = quota(of: owner)
        func sentence(_ field: String, _ demand: some CustomStringConvertible, _ most: some CustomStringConvertible)
            -> String
        {
            "\(field): \(demand) is more than the owner's quota allows at once (\(most)); lower it, or ask the "
                + "administrator for a larger quota"
        }
        if let most = quota.cpu, definition.cpuLimit > most { return sentence("cpu", definition.cpuLimit, most) }
        if let most = quota.memory, definition.memoryLimit > most {
            return sentence("memory", definition.memoryLimit, most)
        }
        if let most = quota.gpu, definition.enableGPU, most < 1 { return sentence("enable_gpu", 1, most) }
        if let most = quota.ephemeralStorage, let asked = try? definition.ephemeralStorage?.byteCount(), asked > most {
            return sentence("ephemeral_storage_request", asked, most)
        }
        return nil
    }
}

extension OwnerQuota {
    init(_ quota: Quota) { self.init(cpu: quota.cpu, memory: quota.memory) }
}

extension StorageQuota {
    init(_ quota: Quota) {
        self.init(buckets: quota.buckets, bytesPerBucket: quota.bucketBytes, totalBytes: quota.totalBytes)
    }
}
