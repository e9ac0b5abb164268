import AsyncHTTPClient
package import Cluster
package import DurableSQLite
import Glibc
package import Logging
package import Model
package import ObjectEngine
import Sandboxes
package import Scheduling
import ServiceLifecycle
package import StateStore
package import SystemPackage

/// A whole cluster on a directory of its own, with process sandboxes and without HTTP.
package struct ClusterFixture: Sendable {
    /// What tests change.
    package struct Options: Sendable {
        package var capacity = Resources(cpu: MilliCPU(4000), memory: ByteCount(4 << 30))
        package var grace = Duration.seconds(20)
        package var maximumEvent = ByteCount(1 << 20)
        package var logLimit = ByteCount(1 << 20)
        /// The longest pause between two tries to deliver.
        package var deliveryPause = Duration.milliseconds(20)
        /// Whether services that name no sandbox run as processes.
        package var runsAllAsProcesses = true
        /// Whether services may run in containers, without a network, where the machine can.
        package var hasContainers = false
        package var retention = Retention()
        package var webhooks: [Webhook] = []
        /// What is larger is delivered in parts.
        package var deliveryPart = ByteCount.mebibytes(5)
        package var deliveryQuota: DeliveryQuota?
        package var queueLimit: Int?
        package var shares: [String: Int] = [:]
        /// What each user may have of whom nothing else was said.
        package var quota = Quota()
        package var mountLimits = BucketMounts.Limits()
        /// What the machine has left, as the watch over it finds it.
        package var sample: @Sendable () async -> [Pressure.Resource: Pressure.Level] = { [:] }
        package var clocks: ResourceWatch.Clocks = {
            (ClusterFixture.now(), ContinuousClock.now - ClusterFixture.begin)
        }
        /// How long one delivery to a webhook may take.
        package var webhookTimeout = Duration.seconds(10)
        /// What schedules and backfills take for the time.
        package var now = ClusterFixture.now
        package var backfill = BackfillService.Settings()
        package var recordSpan: SpanRecorder?
        package var stateDurability = Durability.never
        /// Stands around the syncs of the state's log, with `batch`.
        package var aroundStateSync: DurableDatabase.AroundLogSync?

        package init() {}
    }

    package let options: Options
    package let data: DataDirectory
    package let objects: ObjectStore
    package let state: ClusterState
    package let catalog: ServiceCatalog
    package let logs: JobLogs
    package let scheduler: JobScheduler
    package let allowedImages: AllowedImages
    package let quotas: QuotaDesk
    package let volumes: VolumeDesk
    package let registry: ServiceRegistry
    package let jobs: JobBoard
    package let runs: RunDispatcher
    package let buckets: BucketDesk
    package let images: ImageDesk
    package let status: ClusterStatus
    package let resources: ResourceWatch
    package let housekeeper: Housekeeper
    private let sandboxes: SandboxSet
    package let logger: Logger
    package let notifications: Notifications
    private let webhooks: WebhookService
    private let router: EventRouter
    private let deliveries: DeliveryService
    package let desk: DeliveryDesk
    package let steps: JobSteps
    private let retries: RetryService
    private let recovery: Recovery
    package let schedules: ScheduleService
    package let backfills: BackfillService
    package let events: EventDesk

    private static let begin = ContinuousClock.now

    package static let now: @Sendable () -> Instant = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// Shared, and never shut down; it fails at once where nobody listens, as that of `apus serve` does.
    private static let httpClient: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    package static let clusterStore = ServiceDefinition.ClusterStore(
        endpoint: "http://127.0.0.1:9000", verify: true, region: "us-east-1"
    )

    /// Opens a cluster as `apus serve` does, up to but without the recovery and what runs.
    package init(at path: FilePath, _ options: Options = Options()) async throws {
        let now = Self.now
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        self.options = options
        self.logger = logger
        data = try DataDirectory.open(at: path)
        objects = try await ObjectStore.open(at: data.objects, durability: .never, logger: logger, now: now)
        state = try await ClusterState.open(
            at: data.stateFile.string, durability: options.stateDurability, aroundLogSync: options.aroundStateSync)
        let images = try await ImageStore.open(at: data.images)
        sandboxes = Self.sandboxes(data, images, options)
        let httpClient = Self.httpClient
        catalog = ServiceCatalog()
        logs = JobLogs(folder: data.logs, limit: options.logLimit)
        let signal = Signal()
        notifications = try await Notifications.open(
            store: objects, state: state, catalog: catalog, webhooks: options.webhooks, logger: logger)
        let retrySignal = Signal()
        steps = JobSteps(
            data: data, store: objects, state: state, deliverySignal: signal, retrySignal: retrySignal,
            notifications: notifications, now: now, jitter: { 0 }, logger: logger
        )
        let executor = JobExecutor(
            data: data, store: objects, state: state, catalog: catalog, sandboxes: sandboxes, logs: logs, steps: steps,
            deliverySignal: signal, node: "node", now: now, recordSpan: options.recordSpan, logger: logger
        )
        let book = QuotaBook(standard: options.quota)
        volumes = VolumeDesk(data: data, state: state, catalog: catalog, quotas: book, now: now, logger: logger)
        try await volumes.load()
        let mounts = BucketMounts(data: data, store: objects, limits: options.mountLimits, logger: logger)
        try await mounts.load()
        scheduler = JobScheduler(
            capacity: options.capacity, shares: options.shares, store: state, grace: options.grace,
            instances: InstanceHost(
                data: data, catalog: catalog, sandboxes: sandboxes, httpClient: httpClient,
                attachments: Attachments(volumes: volumes, mounts: mounts), now: now, logger: logger),
            logger: logger, execute: { await executor.execute($0, $1) }
        )
        allowedImages = try AllowedImages(file: data.root.appending("allowed-images.json"))
        quotas = QuotaDesk(
            state: state, store: objects, scheduler: scheduler, book: book, volumes: volumes.usage)
        try await quotas.load()
        registry = ServiceRegistry(
            data: data, store: objects, state: state, catalog: catalog, scheduler: scheduler, sandboxes: sandboxes,
            logs: logs, deliverySignal: signal, notifications: notifications, allowedImages: allowedImages,
            quotas: book, volumes: volumes, clusterStore: Self.clusterStore,
            httpClient: httpClient, now: now, logger: logger
        )
        recovery = Recovery(
            data: data, state: state, sandboxes: sandboxes, registry: registry, executor: executor, now: now,
            logger: logger
        )
        let lines = DeliveryLineReasons()
        jobs = JobBoard(
            data: data, state: state, catalog: catalog, scheduler: scheduler, logs: logs, steps: steps, lines: lines,
            queueLimit: options.queueLimit, now: now)
        deliveries = DeliveryService(
            data: data, state: state, catalog: catalog, httpClient: httpClient, longestPause: options.deliveryPause,
            partSize: options.deliveryPart, quota: options.deliveryQuota,
            hold: { [scheduler, catalog] in scheduler.holdDeliverers(beyond: $0, among: catalog.all) },
            recordSpan: options.recordSpan, signal: signal, steps: steps, now: now, logger: logger
        )
        resources = ResourceWatch(
            scheduler: scheduler, state: state, deliveries: deliveries, sample: options.sample,
            clocks: options.clocks, logger: logger)
        status = ClusterStatus(
            store: objects, jobs: jobs, scheduler: scheduler, resources: resources, nodeName: "node",
            started: Instant(seconds: 1_700_000_000)
        )
        runs = RunDispatcher(
            data: data, store: objects, catalog: catalog, sandboxes: sandboxes, scheduler: scheduler,
            executor: executor, maximumEvent: options.maximumEvent, logger: logger
        )
        buckets = BucketDesk(store: objects, catalog: catalog)
        self.images = ImageDesk(data: data, images: images, catalog: catalog)
        housekeeper = Housekeeper(
            data: data, state: state, catalog: catalog, logs: logs, retention: options.retention, now: now,
            logger: logger
        )
        lines.follow(deliveries)
        retries = RetryService(
            store: objects, state: state, scheduler: scheduler, signal: retrySignal, now: now, logger: logger)
        webhooks = WebhookService(
            state: state, webhooks: options.webhooks, notifications: notifications, httpClient: httpClient,
            longestPause: options.deliveryPause, timeout: options.webhookTimeout, now: now,
            logger: logger
        )
        schedules = ScheduleService(
            state: state, catalog: catalog, scheduler: scheduler, zones: TimeZones(), now: options.now, logger: logger)
        backfills = BackfillService(
            store: objects, state: state, catalog: catalog, notifications: notifications, scheduler: scheduler,
            settings: options.backfill, now: options.now, logger: logger)
        let memory = EventMemory()
        events = EventDesk(state: state, memory: memory)
        desk = DeliveryDesk(
            state: state, deliveries: deliveries, webhooks: webhooks, now: now, logger: logger)
        router = EventRouter(
            store: objects, state: state, catalog: catalog, scheduler: scheduler, notifications: notifications,
            memory: memory,
            now: now,
            logger: logger
        )
    }

    private static func sandboxes(_ data: DataDirectory, _ images: ImageStore, _ options: Options) -> SandboxSet {
        let process = ProcessSandbox(.init(dataDirectory: data.root))
        guard options.hasContainers else {
            return SandboxSet(
                process: process,
                container: { () async throws(SandboxError) in
                    throw SandboxError(.unavailable, "there is no container runtime here: install crun")
                },
                runsAllAsProcesses: options.runsAllAsProcesses)
        }
        let settings = ContainerSandbox.Settings(dataDirectory: data.root, network: .none)
        let search = SandboxSearch { () async -> Result<any Sandbox, SandboxError> in
            do throws(SandboxError) {
                return .success(try await ContainerSandbox.open(settings, images: images))
            } catch {
                return .failure(error)
            }
        }
        return SandboxSet(
            process: process,
            container: { () async throws(SandboxError) in try await search.sandbox() },
            knownContainer: { await search.known }, runsAllAsProcesses: options.runsAllAsProcesses)
    }

    /// Brings back what an earlier run left; once, before `whileServing`.
    package func recover() async throws { try await recovery.run() }

    /// Runs router, scheduler and deliveries for the time of `body`, then stops them gracefully.
    package func whileServing<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> T {
        let services: [any Service] = [deliveries, retries, webhooks, scheduler, backfills, router]
        let group = ServiceGroup(configuration: ServiceGroupConfiguration(services: services, logger: logger))
        return try await withThrowingTaskGroup(of: T?.self) { tasks in
            tasks.addTask {
                try await group.run()
                return nil
            }
            tasks.addTask {
                do {
                    let value = try await body()
                    await group.triggerGracefulShutdown()
                    return value
                } catch {
                    await group.triggerGracefulShutdown()
                    throw error
                }
            }
            var value: T?
            for try await result in tasks { if let result { value = result } }
            guard let value else { throw CancellationError() }
            return value
        }
    }

    /// Closes all files; another fixture can open the directory then.
    package func close() async {
        await sandboxes.shutDown()
        await objects.close()
        await state.close()
        data.close()
    }
}
