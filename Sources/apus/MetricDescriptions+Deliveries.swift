import Cluster
import Model
import Synchronization
import Telemetry

extension MetricDescriptions {
    /// What waits for each destination, how much that is, for how long it has waited, how often the destination failed.
    static func register(_ desk: DeliveryDesk, now: @escaping @Sendable () -> Instant, in registry: PrometheusRegistry)
    {
        let snapshot = Snapshot(desk)
        func add(_ name: String, help: String, _ value: @escaping @Sendable (DestinationView) -> Double?) {
            registry.addCallback(name, help: help) {
                await snapshot.views().compactMap { view in
                    value(view).map { PrometheusRegistry.Sample($0, labels: [("destination", view.name)]) }
                }
            }
        }
        add("apus_delivery_queue", help: "What waits for a destination outside.") { Double($0.waiting) }
        add("apus_delivery_queue_bytes", help: "Bytes of results that wait for a destination.") {
            $0.bytes.map { Double($0.bytes) }
        }
        add("apus_delivery_oldest_seconds", help: "How long the oldest has waited for its destination.") {
            $0.oldest.map { Double((now() - $0).components.seconds) }
        }
        add("apus_delivery_failures", help: "Failures of a destination since something last arrived.") {
            Double($0.state.failures)
        }
    }
}

/// What the metrics of one scrape share: each look passes over all that waits.
private final class Snapshot: Sendable {
    private let desk: DeliveryDesk
    private let last = Mutex<(taken: ContinuousClock.Instant, views: [DestinationView])?>(nil)

    init(_ desk: DeliveryDesk) { self.desk = desk }

    func views() async -> [DestinationView] {
        if let last = last.withLock({ $0 }), last.taken.duration(to: .now) < .seconds(1) { return last.views }
        // A scrape while the store is closing finds nothing to say.
        let views = (try? await desk.destinations()) ?? []
        last.withLock { $0 = (.now, views) }
        return views
    }
}
