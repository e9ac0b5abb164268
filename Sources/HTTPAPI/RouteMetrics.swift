import Metrics
import Synchronization

/// Counters and timers of requests, made once for each route, method and class of status.
final class RouteMetrics: Sendable {
    private struct Key: Hashable {
        let route: String
        let method: String
        let statusClass: Int
    }

    private let counters = Mutex<[Key: Counter]>([:])
    private let timers = Mutex<[String: Timer]>([:])

    /// - Parameters:
    ///   - route: the template, so that there are few of them.
    ///   - method: one of a closed set.
    ///   - status: its first digit counts.
    func answered(route: String, method: String, status: Int, after time: Duration) {
        let key = Key(route: route, method: method, statusClass: status / 100)
        let counter = counters.withLock { counters in
            if let counter = counters[key] { return counter }
            let counter = Counter(
                label: "apus_http_requests_total",
                dimensions: [("route", route), ("method", method), ("status", "\(status / 100)xx")])
            counters[key] = counter
            return counter
        }
        counter.increment()
        let timer = timers.withLock { timers in
            if let timer = timers[route] { return timer }
            let timer = Timer(label: "apus_http_request_seconds", dimensions: [("route", route)])
            timers[route] = timer
            return timer
        }
        timer.recordNanoseconds(time.nanoseconds)
    }
}
