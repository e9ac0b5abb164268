package import Model

/// How much may wait for other storages, and what happens beyond it.
package struct DeliveryQuota: Sendable, Hashable {
    package enum Policy: String, Sendable, CaseIterable {
        /// Jobs of services that deliver to other storages start when there is room again.
        case wait
        /// The oldest results are given up, and their jobs fail.
        case dropOldest = "drop-oldest"
    }

    package var limit: ByteCount
    package var policy: Policy

    package init(limit: ByteCount, policy: Policy = .wait) { (self.limit, self.policy) = (limit, policy) }
}
