import Metrics
import Synchronization

/// Counts requests and bytes.
///
/// Instruments are made once and kept.
final class S3Metrics: Sendable {
    private struct Label: Hashable {
        let operation: String
        /// The first digit of the status.
        let statusClass: Int
    }

    private let requests = Mutex<[Label: Counter]>([:])
    private let receivedBytes = Counter(label: "apus_s3_received_bytes_total")
    private let sentBytes = Counter(label: "apus_s3_sent_bytes_total")

    /// - Parameters:
    ///   - operation: S3's name, or `Unknown`.
    ///   - status: of the answer.
    func answered(_ operation: String, status: Int) {
        let label = Label(operation: operation, statusClass: status / 100)
        let counter = requests.withLock { counters in
            if let counter = counters[label] { return counter }
            let counter = Counter(
                label: "apus_s3_requests_total",
                dimensions: [("operation", label.operation), ("status_class", "\(label.statusClass)xx")]
            )
            counters[label] = counter
            return counter
        }
        counter.increment()
    }

    func received(_ bytes: Int) { receivedBytes.increment(by: bytes) }
    func sent(_ bytes: Int) { sentBytes.increment(by: bytes) }
}
