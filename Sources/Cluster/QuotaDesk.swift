package import Model
package import ObjectEngine
package import Scheduling
package import StateStore
import Synchronization

/// Shows and changes how much users may have.
package struct QuotaDesk: Sendable {
    private let state: ClusterState
    private let store: ObjectStore
    private let scheduler: JobScheduler
    private let volumes: @Sendable (_ owner: String) -> VolumeUsage
    package let book: QuotaBook

    package init(
        state: ClusterState,
        store: ObjectStore,
        scheduler: JobScheduler,
        book: QuotaBook,
        volumes: @escaping @Sendable (_ owner: String) -> VolumeUsage = { _ in VolumeUsage() }
    ) {
        (self.state, self.store, self.scheduler, self.volumes) = (state, store, scheduler, volumes)
        self.book = book
    }

    /// What a user may have, and has.
    package struct Account: Sendable {
        package let quota: Quota
        /// What the user's jobs and runs hold now.
        package let held: Resources
        /// What the cluster has for all: nobody can have more.
        package let capacity: Resources
        package let storage: StorageUsage
        package let volumes: VolumeUsage
    }

    /// Brings back what was said of users before, and lets it hold; to be called before anything starts.
    ///
    /// - Throws: `StateStoreError`.
    package func load() async throws {
        try await book.load(state)
        enforce()
    }

    /// - Throws: `ObjectStoreError`, `StateStoreError`.
    package func account(of user: String) async throws -> Account {
        Account(
            quota: book.quota(of: user), held: scheduler.held(by: user), capacity: scheduler.capacity,
            storage: try await store.usage(of: user), volumes: volumes(user))
    }

    /// Changes what a user may have; what there is already stays, and what runs goes on.
    ///
    /// - Throws: `StateStoreError`; `ClusterError` with `invalid` where the smallest volume would be larger than the largest.
    package func change(_ user: String, _ request: QuotaRequest) async throws -> Account {
        var expected = book.overrides(of: user).merging(request.overrides) { $1 }
        for field in request.resets { expected[field] = nil }
        let quota = book.standard.with(expected)
        if let least = quota.smallestVolume, let most = quota.largestVolume, least > most {
            throw ClusterError(
                code: .invalid, message: "volumes.min_disk_per_volume: must not be more than max_disk_per_volume")
        }
        let overrides = try await state.changeQuota(of: user, to: request.overrides, resetting: request.resets)
        book.set(overrides, of: user)
        enforce()
        return try await account(of: user)
    }

    private func enforce() {
        store.limit(book.forStore)
        scheduler.limit(book.forScheduler)
    }
}

extension JobScheduler {
    /// From now on owners hold no more than that together.
    func limit(_ quotas: OwnerQuotas) { decide { $0.quotasChanged(quotas) } }

    /// What the jobs and runs of an owner hold now.
    func held(by owner: String) -> Resources { state.withLock { $0.admission.held(by: owner) } }
}
