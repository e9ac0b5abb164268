import Model
import StateStore
import Synchronization

/// Why lines of deliveries do not move, for those who ask about a job.
///
/// Made before the lines, which are told to it once they are there.
package final class DeliveryLineReasons: Sendable {
    private let service = Mutex<DeliveryService?>(nil)

    package init() {}

    /// From now on the reasons are those of that service's lines.
    package func follow(_ service: DeliveryService) { self.service.withLock { $0 = service } }

    /// What the first of some deliveries that waits for something waits for, or where they go; `nil` before the lines move.
    func reason(of deliveries: [DeliveryRecord]) -> String? {
        guard let service = service.withLock({ $0 }) else { return nil }
        var taking: Set<String> = []
        for delivery in deliveries {
            let place = DeliveryDestination(service: delivery.service, provider: delivery.provider)
            guard let line = service.line(to: place.description) else { continue }
            if line.activity == .sending { taking.insert(delivery.provider) }
            guard let next = line.next else { continue }
            switch line.activity {
            case .idle, .sending: continue
            case .closed: return "the link to \(delivery.provider) is closed until \(next.rfc3339())"
            case .resting:
                let error = line.lastError.map { ": \($0)" } ?? ""
                return "the results wait for \(delivery.provider), which is tried again at \(next.rfc3339())\(error)"
            }
        }
        guard !taking.isEmpty else { return nil }
        return "the results are being sent to \(taking.sorted().joined(separator: ", ")), or wait for their turn there"
    }
}
