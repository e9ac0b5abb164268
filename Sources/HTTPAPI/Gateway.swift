package import Cluster
package import Hummingbird
package import Identity
package import Model
package import S3Wire
import StateStore
package import Telemetry

/// What the routes need: the use cases, and what the cluster says about itself.
package struct Gateway: Sendable {
    /// What `/system/info` and `/system/config` say.
    package struct Description: Sendable {
        package var version: String
        package var commit: String
        /// In Go's words: `amd64`, `arm64`.
        package var architecture: String
        /// Where clients reach the object store.
        package var store: ServiceDefinition.ClusterStore
        package var s3AccessKey: String
        package var s3SecretKey: String
        /// The groups of which a user must be in one; empty where that is not asked.
        package var groups: [String]

        package init(
            version: String,
            commit: String,
            architecture: String,
            store: ServiceDefinition.ClusterStore,
            s3AccessKey: String,
            s3SecretKey: String,
            groups: [String] = []
        ) {
            self.version = version
            self.commit = commit
            self.architecture = architecture
            self.store = store
            self.s3AccessKey = s3AccessKey
            self.s3SecretKey = s3SecretKey
            self.groups = groups
        }
    }

    /// The largest JSON document that is accepted.
    static let maximumDocument = 16 << 20

    let description: Description
    let authenticator: Authenticator
    let catalog: ServiceCatalog
    let services: ServiceRegistry
    let jobs: JobBoard
    let runs: RunDispatcher
    let runKeys: RunKeys
    let buckets: BucketDesk
    let images: ImageDesk
    let deliveries: DeliveryDesk
    let allowedImages: AllowedImages
    let status: ClusterStatus
    let triggers: TriggerDesks
    let quotas: QuotaDesk?
    let volumes: VolumeDesk?
    let servers: FunctionServers
    let exposed: ExposedDesk
    /// `nil` where nobody but the administrator can come in.
    let users: UserDesk?
    /// The keys of users that `users` does not know.
    private let userKeys: @Sendable (User) -> S3Credentials?
    /// Who changed what, and who was refused; `nil` where nobody keeps that.
    let audit: AuditLog?
    let metrics: PrometheusRegistry
    /// The largest event that `/job` and `/run` take.
    let maximumEvent: ByteCount
    let requests = RouteMetrics()
    let now: @Sendable () -> Instant

    package init(
        description: Description,
        authenticator: Authenticator,
        catalog: ServiceCatalog,
        services: ServiceRegistry,
        jobs: JobBoard,
        runs: RunDispatcher,
        buckets: BucketDesk,
        images: ImageDesk,
        deliveries: DeliveryDesk,
        allowedImages: AllowedImages,
        status: ClusterStatus,
        triggers: TriggerDesks,
        quotas: QuotaDesk? = nil,
        volumes: VolumeDesk? = nil,
        servers: FunctionServers = .none,
        exposed: ExposedDesk = .none,
        users: UserDesk? = nil,
        userKeys: @escaping @Sendable (User) -> S3Credentials? = { _ in nil },
        audit: AuditLog? = nil,
        metrics: PrometheusRegistry,
        maximumEvent: ByteCount,
        now: @escaping @Sendable () -> Instant
    ) {
        self.description = description
        self.authenticator = authenticator
        self.catalog = catalog
        self.services = services
        self.jobs = jobs
        self.runs = runs
        runKeys = RunKeys(now: now)
        self.buckets = buckets
        self.images = images
        self.deliveries = deliveries
        self.allowedImages = allowedImages
        self.status = status
        self.triggers = triggers
        self.quotas = quotas
        self.volumes = volumes
        self.servers = servers
        self.exposed = exposed
        self.users = users
        self.userKeys = userKeys
        self.audit = audit
        self.metrics = metrics
        self.maximumEvent = maximumEvent
        self.now = now
    }

    /// All routes.
    package func router() -> Router<APIContext> {
        let router = Router(context: APIContext.self)
        // Outside the errors, so that a page on another origin can read those, too.
        router.add(middleware: CORSHeaders())
        if let audit { router.add(middleware: AuditMiddleware(audit: audit, now: now)) }
        router.add(middleware: ErrorMiddleware(metrics: requests))
        addOpenRoutes(to: AuthorizedRoutes(router.group(), gateway: self))
        let authentication = AuthenticationMiddleware(authenticator: authenticator)
        addRoutes(to: AuthorizedRoutes(router.group().add(middleware: authentication), gateway: self))
        InvocationRoutes(gateway: self).add(
            to: AuthorizedRoutes(
                router.group().add(middleware: TraceMiddleware()).add(middleware: authentication), gateway: self))
        return router
    }

    /// For those who do not say who they are, too; who they are is not even looked at.
    private func addOpenRoutes(to routes: AuthorizedRoutes) {
        routes.get("health", .cluster(.readHealth)) { request, _ in
            request.query("verbose") == nil ? Response.text("Ok") : Response.json(status.healthJSON())
        }
        routes.get("metrics", .cluster(.readPrometheus)) { _, _ in await metricsText() }
        // Tells itself who may ask: a service's token can come in four ways.
        routes.get("system/services/:service/auth", .cluster(.askForAccess)) { request, context in
            try ExposedRoutes(gateway: self).authorize(request, context)
        }
    }

    private func addRoutes(to routes: AuthorizedRoutes) {
        let system = routes.group("system")
        SystemRoutes(gateway: self).add(to: system)
        ServiceRoutes(gateway: self).add(to: system.group("services"))
        ExposedRoutes(gateway: self).add(to: system.group("services"))
        LogRoutes(gateway: self).add(to: system.group("logs"))
        BucketRoutes(gateway: self).add(to: system.group("buckets"))
        if let volumes { VolumeRoutes(desk: volumes).add(to: system.group("volumes")) }
        if let quotas { QuotaRoutes(desk: quotas).add(to: system.group("quotas")) }
        ApusRoutes(gateway: self).add(to: routes.group("apus/v1"))
    }

    /// The keys with which somebody reaches the object store as themselves.
    func storeKeys(of principal: Principal) -> S3Credentials? {
        switch principal {
        case .administrator:
            S3Credentials(accessKey: description.s3AccessKey, secretKey: description.s3SecretKey)
        case .user(let user): users?.keys(of: user.id) ?? userKeys(user)
        case .service, .anonymous: nil
        }
    }

    /// Whose jobs somebody may see; `nil` for all.
    func jobAudience(_ principal: Principal) -> JobAudience? {
        if case .administrator = principal { return nil }
        let services = catalog.all.filter { principal.may(.readAllJobs, $0.definition) }.map(\.name)
        guard case .user(let user) = principal else { return JobAudience(services: Set(services), causer: nil) }
        return JobAudience(services: Set(services), causer: user.id.text)
    }

    private func metricsText() async -> Response {
        var response = Response.text(await metrics.text())
        response.headers[.contentType] = PrometheusRegistry.contentType
        return response
    }
}

extension Request {
    /// The body as a JSON document.
    func json() async throws -> JSONValue {
        var bytes: [UInt8] = []
        for try await buffer in body {
            bytes.append(contentsOf: buffer.readableBytesView)
            guard bytes.count <= Gateway.maximumDocument else {
                throw TextError(.contentTooLarge, "the document is larger than \(Gateway.maximumDocument >> 20) MiB")
            }
        }
        do { return try JSONValue.parse(bytes: bytes) } catch {
            throw TextError(.badRequest, "the body is not valid JSON: \(error)")
        }
    }

    /// A query parameter, percent-decoded.
    func query(_ name: String) -> String? { uri.queryParameters[Substring(name)].map(String.init) }

    /// Whether a query parameter says yes.
    func flag(_ name: String) -> Bool { ["true", "1", "yes"].contains(query(name)?.lowercased() ?? "") }
}

extension APIContext {
    /// The service that the path names.
    ///
    /// - Throws: `TextError` 400 for what cannot be a service's name.
    func serviceName() throws -> ServiceName {
        do { return try ServiceName(parameters.require("service")) } catch is NameError {
            throw TextError(.badRequest, "invalid serviceName")
        }
    }

    /// The job that the path names; what cannot be one does not exist.
    func jobName() throws -> JobName {
        do { return try JobName(parameters.require("job")) } catch is NameError { throw TextError(.notFound, "") }
    }
}
