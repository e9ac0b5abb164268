package import Model

/// A result on its way to a storage outside this cluster.
package struct DeliveryRecord: Sendable, Hashable {
    package var id: Int64
    package var job: Int64
    package var jobName: JobName
    package var service: ServiceName
    /// Which of the service's outputs, by provider and path.
    package var provider: String
    package var path: String
    /// Name of the result, relative to the output directory.
    package var name: String
    /// Name of the waiting file in the job's delivery folder.
    package var file: String
    package var size: ByteCount
    package var attempts: Int
    package var nextAttempt: Instant
    /// What the last try ran into.
    package var lastError: String?
    /// Names this delivery, and no other anywhere: the other side can tell by it what it has already.
    package var token: String
    /// The multipart upload that it is under way in.
    package var upload: String?
    package var created: Instant
    /// The `traceparent` of the script that made it, where that was in a trace.
    package var trace: String?
    /// Whether a delivery to the same place waits before it.
    package var isBehind: Bool

    /// Where it goes within its destination: deliveries of the same keep their order.
    package var key: String { "\(path)/\(name)" }
}

/// A line of deliveries: a storage as one service knows it, since its own providers say where that is.
package struct DeliveryDestination: Sendable, Hashable, CustomStringConvertible {
    package var service: ServiceName
    package var provider: String

    package init(service: ServiceName, provider: String) { (self.service, self.provider) = (service, provider) }

    /// Reads `service/provider`.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1)
        guard parts.count == 2, let service = try? ServiceName(String(parts[0])) else { return nil }
        self.init(service: service, provider: String(parts[1]))
    }

    package var description: String { "\(service)/\(provider)" }
}

/// What waits for one destination.
package struct DeliveryBacklog: Sendable, Hashable {
    package var destination: String
    package var waiting: Int
    package var bytes: ByteCount
    /// When the oldest came.
    package var oldest: Instant
    /// The tries in vain, of all that wait.
    package var attempts: Int
    /// What the latest try that failed ran into.
    package var lastError: String?
}

/// A multipart upload at another storage of which nobody will make anything.
package struct AbandonedUpload: Sendable, Hashable {
    package var id: Int64
    package var destination: DeliveryDestination
    package var path: String
    package var name: String
    package var upload: String
}

/// A delivery that is about to be committed.
package struct NewDelivery: Sendable, Hashable {
    package var provider: String
    package var path: String
    package var name: String
    package var file: String
    package var size: ByteCount
    /// The `traceparent` of the script that made it.
    package var trace = TraceContext.current?.traceparent

    package init(provider: String, path: String, name: String, file: String, size: ByteCount) {
        self.provider = provider
        self.path = path
        self.name = name
        self.file = file
        self.size = size
    }
}
