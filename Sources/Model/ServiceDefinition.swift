/// The definition of a service: what OSCAR's API and the Functions Definition Language say about one
/// (oscar-api.md 4.1).
///
/// Made from what a client sent by `parse(_:defaultSandbox:)`, which lets no invalid value through.
package struct ServiceDefinition: Sendable, Hashable {
    package var name: ServiceName
    package var clusterID = ""
    package var memory: Quantity = ServiceDefaults.memory
    package var cpu: Quantity = ServiceDefaults.cpu
    /// Caps over all concurrent jobs; `nil` for none.
    package var totalMemory: Quantity?
    package var totalCPU: Quantity?
    package var ephemeralStorage: Quantity?
    package var enableGPU = false
    package var enableSGX = false
    package var imagePrefetch = false
    package var synchronous = Synchronous()
    package var federation: Federation?
    package var logLevel = LogLevel.info
    /// An OCI reference; empty only where the sandbox is a process.
    package var image: String
    package var alpine = false
    /// The service's own bearer token; the server's choice, never the client's.
    package var token = ""
    /// OSCAR's name for the opposite: true means that the input is *not* brought into the sandbox.
    package var fileStageIn = false
    package var input: [StorageIO] = []
    package var output: [StorageIO] = []
    /// With line ends `\n`.
    package var script: String
    package var imagePullSecrets: [String] = []
    package var expose = Expose()
    package var environment = Environment()
    package var annotations: [String: String] = [:]
    package var labels: [String: String] = [:]
    package var virtualOrganisation = ""
    package var storageProviders = StorageProviders()
    /// Where members of the federation live, by cluster.
    package var clusters: [String: ClusterReference] = [:]
    package var owner = ""
    package var namespace = ""
    package var interLinkNode = ""
    package var visibility = Visibility.private
    package var allowedUsers: [String] = []
    package var isolationLevel = IsolationLevel.unset
    package var bucketList: [String] = []
    package var mount: StorageIO?
    package var volume: Volume?
    package var kserve: KServe?
    /// Ours: what surrounds the script; `nil` leaves the choice to the cluster.
    package var sandbox: SandboxKind?
    /// Ours: how long one invocation may take, from the script's start; `nil` leaves it to the cluster.
    package var timeout: Duration?
    /// Ours: when jobs are made by the clock.
    package var schedules: [ServiceSchedule] = []
    /// Ours: how much of its past is kept.
    package var retention = Retention()
    /// Ours: how often a job is tried again; `nil` for the defaults of `RetryPolicy`.
    package var retry: RetryPolicy?
    /// Ours: where jobs that failed are told of.
    package var failureOutput: FailureOutput?
    package var queue = QueueRules()
    /// Ours: how the script is run; `server` where the service is exposed.
    package var mode = FunctionMode.script
    /// Ours: how many instances are kept, and for how long.
    package var instances = InstanceRules()
    /// Ours: where the program listens; there exactly in the mode `server`.
    package var server: FunctionServer?

    package init(name: ServiceName, image: String, script: String) {
        self.name = name
        self.image = image
        self.script = script
    }

    /// The processor time that one invocation may use.
    package var cpuLimit: MilliCPU { (try? cpu.milliCPU()) ?? ServiceDefaults.cpuLimit }

    /// The memory that one invocation may use.
    package var memoryLimit: ByteCount { (try? memory.byteCount()) ?? ServiceDefaults.memoryLimit }

    /// The inputs that an object in the cluster's own store triggers.
    package func inputs(matching bucket: BucketName, key: ObjectKey) -> [StorageIO] {
        input.filter { $0.matches(bucket: bucket, key: key) }
    }

    /// The outputs that a result of that name, relative to the output directory, goes to.
    package func outputs(accepting relativeName: some StringProtocol) -> [StorageIO] {
        output.filter { $0.accepts(relativeName: relativeName) }
    }

    /// The buckets of the cluster's own store that inputs, outputs and the failure output name, without repetition, in order.
    package var ownBuckets: [BucketName] {
        var seen: Set<BucketName> = []
        var places = input + output
        if case .folder(let folder) = failureOutput { places.append(folder) }
        return places.filter { $0.provider == .clusterStore }.compactMap(\.bucketName)
            .filter { seen.insert($0).inserted }
    }
}

/// What a service has where its definition says nothing (fdl.md section 2).
package enum ServiceDefaults {
    package static let memoryLimit = ByteCount.mebibytes(256)
    package static let cpuLimit = MilliCPU(200)
    static let memory = Quantity(constant: "256Mi", digits: 256, binaryExponent: 20)
    static let cpu = Quantity(constant: "0.2", digits: 2, decimalExponent: -1)
}
