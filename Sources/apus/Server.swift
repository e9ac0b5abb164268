import AsyncHTTPClient
import Cluster
import Commands
import DurableSQLite
import HTTPAPI
import Hummingbird
import Identity
import Logging
import Metrics
import Model
import NIOCore
import ObjectEngine
import Providers
import S3API
import S3Client
import Sandboxes
import Scheduling
import ServiceLifecycle
import Settings
import StateStore
import Synchronization
import SystemPackage
import Telemetry
import UnixSignals

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// One running cluster: all parts, made by hand in `build`, and the group that runs them.
struct Server {
    private let services: [any Service]
    private let sandboxes: SandboxSet
    private let scheduler: JobScheduler
    private let logger: Logger
    private let close: @Sendable () async -> Void

    /// Serves until a signal ends it.
    static func run(_ settings: ServeSettings) async throws {
        let format = Telemetry.LogFormat(rawValue: settings.logFormat.rawValue) ?? .text
        let level = Logger.Level(name: settings.logLevel) ?? .info
        LoggingSystem.bootstrap { ApusLogHandler(label: $0, format: format, level: level) }
        let logger = Logger(label: "apus")
        FileLimit.raise()
        let server = try await build(settings, logger: logger)
        try await server.serve(grace: settings.grace)
    }

    /// Builds the whole graph; what is made first is needed by what comes after.
    private static func build(_ settings: ServeSettings, logger: Logger) async throws -> Server {
        let now = Clock.now
        let registry = PrometheusRegistry(help: MetricDescriptions.all)
        MetricsSystem.bootstrap(registry)
        ProcessMetrics.register(in: registry)
        let data = try DataDirectory.open(at: FilePath(settings.data).madeAbsolute)
        let api = try settings.listen.reserved(flag: "listen")
        let s3 = try settings.s3Listen.reserved(flag: "s3-listen")
        let tls = try TLSIdentity.make(
            settings.identity, data: data.root, hosts: [api.host, s3.host], now: now, logger: logger)
        let (apiURL, s3URL) = (api.url(isSecure: tls != nil), s3.url(isSecure: tls != nil))
        let store = ServiceDefinition.ClusterStore(
            endpoint: settings.s3Endpoint ?? s3URL, verify: settings.identity.tls != .selfSigned, region: "us-east-1"
        )
        let identity = try CredentialFile(dataDirectory: data.root).prepare(
            given: settings.givenCredentials, endpoint: apiURL, s3Endpoint: s3URL,
            certificate: tls?.identity.certificate.string
        )
        for warning in identity.warnings { logger.warning("\(warning)") }
        let durability: Durability =
            switch settings.durability {
            case .always: .always
            case .batch: .batch
            case .never: .never
            }
        async let openedState = ClusterState.open(at: data.stateFile.string, durability: durability)
        let objects = try await ObjectStore.open(at: data.objects, durability: durability, logger: logger, now: now)
        let state = try await openedState
        try await objects.continueEvents(after: state.routerPosition())
        let images = try await ImageStore.open(at: data.images)
        let httpClient = HTTPClient(eventLoopGroupProvider: .singleton, configuration: .objectTransfers)
        let logins = try await Logins.open(
            settings.identity, administrator: identity.credentials, data: data.root, state: state,
            httpClient: httpClient,
            now: now, logger: logger)
        let sandboxes = SandboxSet.make(settings, data: data, images: images, logger: logger)
        let catalog = ServiceCatalog()
        let logs = JobLogs(folder: data.logs, limit: settings.jobLogLimit)
        let deliveries = Signal()
        let webhooks = settings.webhooks.map { Webhook(name: $0.name, url: $0.url, token: $0.token) }
        let notifications = try await Notifications.open(
            store: objects, state: state, catalog: catalog, webhooks: webhooks, logger: logger)
        let traces = TraceExport(settings.otlpEndpoint, httpClient: httpClient, logger: logger)
        let retries = Signal()
        let steps = JobSteps(
            data: data, store: objects, state: state, deliverySignal: deliveries, retrySignal: retries,
            notifications: notifications, now: now, logger: logger
        )
        let executor = JobExecutor(
            data: data, store: objects, state: state, catalog: catalog, sandboxes: sandboxes, logs: logs, steps: steps,
            deliverySignal: deliveries, node: HostName.current, now: now,
            recordSpan: traces.recorder, logger: logger
        )
        let book = QuotaBook(
            standard: settings.defaultQuota,
            administrators: [identity.credentials.username, identity.credentials.s3AccessKey])
        let volumes = VolumeDesk(data: data, state: state, catalog: catalog, quotas: book, now: now, logger: logger)
        try await volumes.load()
        let mounts = BucketMounts(data: data, store: objects, logger: logger)
        try await mounts.load()
        let instances = InstanceHost(
            data: data, catalog: catalog, sandboxes: sandboxes, httpClient: httpClient,
            attachments: Attachments(volumes: volumes, mounts: mounts), now: now, logger: logger)
        let scheduler = JobScheduler(
            capacity: Resources(cpu: settings.cpu, memory: settings.memory), shares: settings.shares, store: state,
            grace: settings.grace, instances: instances, logger: logger,
            execute: { await executor.execute($0, $1) }
        )
        let deliveryService = DeliveryService(
            data: data, state: state, catalog: catalog, httpClient: httpClient,
            longestPause: settings.deliveryPause, quota: settings.quota,
            hold: { scheduler.holdDeliverers(beyond: $0, among: catalog.all) }, recordSpan: traces.recorder,
            signal: deliveries, steps: steps, now: now, logger: logger
        )
        let resources = ResourceWatch(
            reserves: settings.reserves, scheduler: scheduler, state: state, deliveries: deliveryService,
            sample: { await ResourceProbe.sample(data.root) }, clocks: { ResourceProbe.clocks() }, logger: logger
        )
        await resources.look()
        let quotas = QuotaDesk(
            state: state, store: objects, scheduler: scheduler, book: book, volumes: volumes.usage)
        try await quotas.load()
        let allowedImages = try AllowedImages(file: data.root.appending("allowed-images.json"))
        let imageFetcher = ImageFetcher(sandboxes: sandboxes, logger: logger)
        let registryOfServices = ServiceRegistry(
            data: data, store: objects, state: state, catalog: catalog, scheduler: scheduler, sandboxes: sandboxes,
            logs: logs, deliverySignal: deliveries, notifications: notifications, allowedImages: allowedImages,
            quotas: book, volumes: volumes, images: imageFetcher, clusterStore: store, httpClient: httpClient,
            organisations: settings.identity.groups.map(IdentitySettings.group), now: now, logger: logger
        )
        try await Recovery(
            data: data, state: state, sandboxes: sandboxes, registry: registryOfServices, executor: executor,
            now: now, logger: logger
        ).run()
        let events = EventMemory(kept: settings.keepEvents)
        let schedules = ScheduleService(
            state: state, catalog: catalog, scheduler: scheduler, zones: TimeZones(), now: now, logger: logger)
        let backfills = BackfillService(
            store: objects, state: state, catalog: catalog, notifications: notifications, scheduler: scheduler,
            now: now, logger: logger)
        let lines = DeliveryLineReasons()
        let jobs = JobBoard(
            data: data, state: state, catalog: catalog, scheduler: scheduler, logs: logs, steps: steps, lines: lines,
            queueLimit: settings.queueLimit, now: now
        )
        lines.follow(deliveryService)
        let webhookService = WebhookService(
            state: state, webhooks: webhooks, notifications: notifications, httpClient: httpClient,
            longestPause: settings.deliveryPause, now: now, logger: logger
        )
        let desk = DeliveryDesk(
            state: state, deliveries: deliveryService, webhooks: webhookService, now: now, logger: logger)
        let status = ClusterStatus(
            store: objects, jobs: jobs, scheduler: scheduler, resources: resources, nodeName: HostName.current,
            started: now()
        )
        MetricDescriptions.register(status, in: registry)
        MetricDescriptions.register(scheduler, in: registry)
        MetricDescriptions.register(state, in: registry)
        MetricDescriptions.register(desk, now: now, in: registry)
        let authenticator = logins.authenticator(identity.credentials) { catalog.service(forToken: $0) }
        let audit = AuditLog(
            folder: data.root.appending("audit"), kept: settings.identity.keepAudit, now: now, logger: logger)
        let seats = InstanceDesk(scheduler: scheduler, catalog: catalog, registry: registryOfServices)
        let gateway = Gateway(
            description: .init(
                version: ApusVersion.text, commit: "", architecture: HostName.architecture, store: store,
                s3AccessKey: identity.credentials.s3AccessKey, s3SecretKey: identity.credentials.s3SecretKey,
                groups: settings.identity.groups
            ),
            authenticator: authenticator, catalog: catalog, services: registryOfServices, jobs: jobs,
            runs: RunDispatcher(
                data: data, store: objects, catalog: catalog, sandboxes: sandboxes, scheduler: scheduler,
                executor: executor, maximumEvent: settings.maxEvent, logger: logger
            ),
            buckets: BucketDesk(store: objects, catalog: catalog),
            images: ImageDesk(data: data, images: images, catalog: catalog), deliveries: desk,
            allowedImages: allowedImages, status: status,
            triggers: TriggerDesks(
                schedules: schedules, backfills: backfills, events: EventDesk(state: state, memory: events)),
            quotas: quotas, volumes: volumes,
            servers: seats.servers, exposed: seats.exposed, users: logins.users, audit: audit,
            metrics: registry, maximumEvent: settings.maxEvent, now: now
        )
        let banner = Banner(
            api: apiURL, s3: s3URL, data: data.root, isNew: identity.isNew, fingerprint: tls?.fingerprint)
        let faces = HTTPFaces(
            gateway: gateway, objects: objects, authenticator: authenticator, notifications: notifications,
            scheduler: scheduler, tls: tls?.identity, audit: audit,
            auditsObjects: settings.identity.auditsObjects, now: now, logger: logger)
        return Server(
            services: [
                // First in the list, so the last to stop: it sends what the others record until then.
                traces, AuditService(log: audit),
                Housekeeper(
                    data: data, state: state, catalog: catalog, logs: logs,
                    retention: Retention(
                        age: settings.keepJobs, logBytes: settings.keepLogs, jobs: settings.keepJobCount),
                    trustsAges: { resources.trustsAges }, now: now, logger: logger
                ),
                LifecycleService(
                    store: objects, trustsAges: { resources.trustsAges }, now: now, logger: logger),
                resources, VolumeWatch(volumes: volumes), imageFetcher,
                deliveryService,
                RetryService(
                    store: objects, state: state, scheduler: scheduler, signal: retries, now: now, logger: logger),
                webhookService,
                EventRouter(
                    store: objects, state: state, catalog: catalog, scheduler: scheduler, notifications: notifications,
                    memory: events, administrator: identity.credentials.username,
                    now: now, logger: logger
                ),
                schedules, backfills,
            ] + [tls?.identity].compactMap(\.self) + [
                faces.s3(on: s3, domains: settings.s3Domains, ready: { banner.faceIsUp() }),
                faces.api(on: api, ready: { banner.faceIsUp() }),
                // Last in the list, so the first to stop: from then on nothing starts, and uploads wait for the next start.
                scheduler,
            ],
            sandboxes: sandboxes, scheduler: scheduler, logger: logger,
            close: {
                await sandboxes.shutDown()
                await objects.close()
                await state.close()
                try? await httpClient.shutdown()  // The process ends right after.
                data.close()
            }
        )
    }

    private func serve(grace: Duration) async throws {
        // Jobs have the grace time and what they take to end, connections another 20 seconds.
        let deadline = ShutdownDeadline(limit: grace + .seconds(40), sandboxes: sandboxes, logger: logger)
        var configuration = ServiceGroupConfiguration(
            services: services + [deadline], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger
        )
        configuration.maximumGracefulShutdownDuration = grace + .seconds(20)
        let group = ServiceGroup(configuration: configuration)
        // Cancelled below, when the group has ended.
        let impatience = Task { await exitAtSecondInterrupt() }
        do {
            try await group.run()
        } catch {
            impatience.cancel()
            await close()
            throw error
        }
        impatience.cancel()
        await close()
        logger.info("stopped")
    }

    /// Ctrl-C twice: no more waiting for jobs.
    ///
    /// They are killed, and run again at the next start.
    private func exitAtSecondInterrupt() async {
        var count = 0
        for await _ in await UnixSignalsSequence(trapping: .sigint) {
            count += 1
            guard count >= 2 else { continue }
            logger.warning("stopped at once; jobs that ran will run again at the next start")
            scheduler.cancelAll()
            await sandboxes.killAll()
            _exit(130)
        }
    }
}
