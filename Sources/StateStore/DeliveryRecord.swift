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
}

/// A delivery that is about to be committed.
package struct NewDelivery: Sendable, Hashable {
    package var provider: String
    package var path: String
    package var name: String
    package var file: String
    package var size: ByteCount

    package init(provider: String, path: String, name: String, file: String, size: ByteCount) {
        self.provider = provider
        self.path = path
        self.name = name
        self.file = file
        self.size = size
    }
}
