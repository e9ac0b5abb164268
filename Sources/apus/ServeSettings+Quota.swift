import Cluster
import Settings

extension ServeSettings {
    /// How much may wait for other storages.
    var quota: DeliveryQuota? {
        deliveryQuota.map { DeliveryQuota(limit: $0, policy: deliveryOverflow == .wait ? .wait : .dropOldest) }
    }
}
