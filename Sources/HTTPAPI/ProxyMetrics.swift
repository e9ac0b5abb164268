import Metrics
import NIOCore
import NIOHTTP1
import Synchronization

/// Counts what the proxy answers, in the metrics of all requests; instruments are looked up once.
final class ProxyMetrics: Sendable {
    private struct Key: Hashable {
        let route: ProxyTarget.Route
        let method: String
        let statusClass: Int
    }

    private static let methods: Set<String> = ["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS"]

    private let instruments = Mutex<[Key: (Counter, Timer)]>([:])

    /// An exchange has ended; one that nobody waited for any more is not counted.
    func record(_ exchange: ProxyExchange) {
        guard exchange.answer.hasBegun else { return }
        let method = exchange.head.method.rawValue
        let key = Key(
            route: exchange.target.route, method: Self.methods.contains(method) ? method : "other",
            statusClass: exchange.answer.status / 100)
        let (counter, timer) = instruments.withLock { instruments in
            if let known = instruments[key] { return known }
            let route = key.route.rawValue
            let made = (
                Counter(
                    label: "apus_http_requests_total",
                    dimensions: [("route", route), ("method", key.method), ("status", "\(key.statusClass)xx")]),
                Timer(label: "apus_http_request_seconds", dimensions: [("route", route)])
            )
            instruments[key] = made
            return made
        }
        counter.increment()
        timer.recordNanoseconds((NIODeadline.now() - exchange.start).nanoseconds)
    }
}
