package import AsyncHTTPClient
import Identity
package import Logging
package import Model
package import ObjectEngine
import Providers
import Sandboxes
package import StateStore
import SystemPackage

/// Creates, changes and removes services. Steps that were taken are undone when a later one fails.
package actor ServiceRegistry {
    private let data: DataDirectory
    let store: ObjectStore
    let state: ClusterState
    let catalog: ServiceCatalog
    let scheduler: JobScheduler
    private let sandboxes: SandboxSet
    private let logs: JobLogs
    private let deliverySignal: Signal
    private let notifications: Notifications
    private let allowedImages: AllowedImages
    private let quotas: QuotaBook
    private let volumes: VolumeDesk?
    private let images: ImageFetcher?
    private let clusterStore: ServiceDefinition.ClusterStore
    private let httpClient: HTTPClient
    /// The groups whose members may use the cluster; empty where all may who log in.
    let organisations: [String]
    let now: @Sendable () -> Instant
    let logger: Logger
    private let zones = TimeZones()
    /// Services that are being changed right now: reserved before the first `await`.
    private var busy: Set<ServiceName> = []

    package init(
        data: DataDirectory,
        store: ObjectStore,
        state: ClusterState,
        catalog: ServiceCatalog,
        scheduler: JobScheduler,
        sandboxes: SandboxSet,
        logs: JobLogs,
        deliverySignal: Signal,
        notifications: Notifications,
        allowedImages: AllowedImages,
        quotas: QuotaBook = QuotaBook(),
        volumes: VolumeDesk? = nil,
        images: ImageFetcher? = nil,
        clusterStore: ServiceDefinition.ClusterStore,
        httpClient: HTTPClient,
        organisations: [String] = [],
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) {
        self.organisations = organisations
        self.data = data
        self.store = store
        self.state = state
        self.catalog = catalog
        self.scheduler = scheduler
        self.sandboxes = sandboxes
        self.logs = logs
        self.deliverySignal = deliverySignal
        self.notifications = notifications
        self.allowedImages = allowedImages
        self.quotas = quotas
        self.volumes = volumes
        self.images = images
        self.clusterStore = clusterStore
        self.httpClient = httpClient
        self.now = now
        self.logger = logger
    }

    // MARK: Start

    /// Brings the services of an earlier run back.
    ///
    /// One that cannot be read is reported and left in the store. One whose files cannot be written, on a full disk for
    /// example, gets its jobs at once, and starts them as soon as its files are there.
    package func load() async throws {
        let services = try await state.services()
        let pauses = try await state.pauses()
        try await removeOldConfigurations(services)
        for stored in services {
            do {
                let definition = try ServiceDefinition(stored: stored.definition)
                let service = RegisteredService(
                    definition: definition, version: stored.version,
                    configuration: configuration(stored.name, stored.version), sandbox: sandboxes.kind(for: definition),
                    madeBuckets: stored.madeBuckets, created: stored.created, updated: stored.updated,
                    pause: pauses[stored.name]
                )
                // Before anything can fail: an event that passes a service by makes no job for it, ever.
                catalog.set(service)
                await finishLoading(service)
            } catch {
                logger.error(
                    "a service cannot be loaded", metadata: ["service": "\(stored.name)", "error": "\(error)"])
            }
        }
    }

    private func finishLoading(_ service: RegisteredService) async {
        do {
            // The folder is made again where it was lost: all of it is in the definition.
            try await writeConfiguration(of: service)
            scheduler.serviceRegistered(service)
        } catch {
            logger.error(
                "the files of a service cannot be written; its jobs wait until they can",
                metadata: ["service": "\(service.name)", "error": "\(error)"]
            )
            // Nobody awaits this; it ends with its success, with the service, or with the program.
            Task { [weak self] in
                try await Task.sleep(for: .seconds(1))
                await self?.finishLoadingLater(service)
            }
        }
    }

    private func finishLoadingLater(_ service: RegisteredService) async {
        guard catalog[service.name]?.version == service.version else { return }
        await finishLoading(service)
    }

    func publish(_ service: RegisteredService) {
        catalog.set(service)
        store.watchRemovals(in: catalog.bucketsWithRemovals)
        scheduler.serviceRegistered(service)
    }

    // MARK: Create and update

    /// Makes a service that belongs to whoever wants it.
    ///
    /// - Throws: `ClusterError` with `invalid`, `alreadyExists`, `forbidden` where it would read or write what its owner
    ///   may not, `failed`. Nothing is left behind by a failure.
    @discardableResult
    package func create(_ json: JSONValue, by principal: Principal) async throws -> RegisteredService {
        var definition = try await accept(json)
        try chooseOrganisation(of: &definition, for: principal)
        let name = definition.name
        guard catalog[name] == nil else {
            throw ClusterError(code: .alreadyExists, message: "A service with the provided name already exists")
        }
        return try await reserving(name) {
            definition.token = ServiceToken.make()
            definition.owner = principal.ownerName
            try await BucketAccess(store: store).checkPlaces(of: definition)
            try checkQuota(definition)
            return try await install(definition, version: 1, replacing: nil)
        }
    }

    /// Replaces the definition of a service; its token and owner stay.
    ///
    /// - Throws: `ClusterError` with `invalid`, `notFound`, `forbidden` where it is not theirs or where it would read or
    ///   write what its owner may not, `failed`.
    @discardableResult
    package func update(_ json: JSONValue, by principal: Principal) async throws -> RegisteredService {
        var definition = try await accept(json)
        try chooseOrganisation(of: &definition, for: principal)
        let name = definition.name
        return try await reserving(name) {
            guard let old = catalog[name] else { throw JobBoard.noService(name) }
            // It may have got another owner since the request was let pass.
            guard principal.may(.update, old.definition) else { throw Self.notTheirs(name, principal) }
            definition.token = old.definition.token
            definition.owner = old.definition.owner
            definition.restoreHiddenValues(from: old.definition)
            try checkQuota(definition)
            guard definition.volume == old.definition.volume else {
                throw ClusterError(
                    code: .invalid, message: "volume updates are not supported after service creation")
            }
            try await BucketAccess(store: store).checkPlaces(of: definition)
            let service = try await install(definition, version: old.version + 1, replacing: old)
            try await state.retryDeliveries(of: name, at: now())
            deliverySignal.send()
            return service
        }
    }

    /// All that can be said of a definition before anything is changed.
    private func accept(_ json: JSONValue) async throws -> ServiceDefinition {
        let definition: ServiceDefinition
        do {
            definition = try ServiceDefinition.parse(json, defaultSandbox: sandboxes.defaultKind)
        } catch {
            throw ClusterError(code: .invalid, message: error.message)
        }
        let unsupported = definition.unsupportedFields()
        guard unsupported.isEmpty else {
            throw ClusterError(code: .invalid, message: unsupported.joined(separator: "; "))
        }
        try definition.checkOutputsLeaveInputs()
        try definition.checkFailureOutput(notifications)
        if let refusal = try await Notifications.refusal(of: definition, in: store) {
            throw ClusterError(code: .invalid, message: "output: \(refusal)")
        }
        try definition.checkProviders(httpClient)
        try await zones.check(definition.schedules)
        guard definition.image.isEmpty || allowedImages.allow(definition.image) else {
            throw ClusterError(
                code: .invalid,
                message: "image: \"\(definition.image)\" is not from one of the allowed repositories: "
                    + allowedImages.list.joined(separator: ", ")
            )
        }
        do { try await sandboxes.check(definition) } catch {
            throw ClusterError(code: .invalid, message: "The service cannot run here: \(error.message)")
        }
        return definition
    }

    private func checkQuota(_ definition: ServiceDefinition) throws(ClusterError) {
        guard let refusal = quotas.refusal(of: definition, owner: definition.owner) else { return }
        throw ClusterError(code: .invalid, message: "The service specification is not valid: \(refusal)")
    }

    func install(
        _ definition: ServiceDefinition,
        version: Int64,
        replacing old: RegisteredService?
    ) async throws -> RegisteredService {
        var service = RegisteredService(
            definition: definition, version: version, configuration: configuration(definition.name, version),
            sandbox: sandboxes.kind(for: definition), madeBuckets: old?.madeBuckets ?? [],
            created: old?.created ?? now(), updated: now(), pause: old?.pause
        )
        var saga = Saga()
        do {
            if old == nil, let undo = try await volumes?.attach(definition) {
                saga.did("make the volume", undo: undo)
            }
            let folder = service.configuration
            saga.did("write the configuration") { try await Folder.offload { try Folder.remove(folder) } }
            try await writeConfiguration(of: service)
            try await makeBuckets(of: &service, &saga)
            let stored = service.stored
            if old == nil { try await state.insert(stored) } else { try await state.update(stored) }
        } catch {
            for failure in await saga.undoAll() {
                logger.error(
                    "a step could not be undone", metadata: ["service": "\(service.name)", "step": "\(failure)"])
            }
            // A volume says itself what is wrong with it.
            if let refusal = error as? ClusterError { throw refusal }
            let isQuota = (error as? ObjectStoreError)?.code == .tooManyBuckets
            throw ClusterError(
                code: isQuota ? .forbidden : .failed, message: "Error creating the service: \(error)", cause: error
            )
        }
        publish(service)
        if service.sandbox == .container, definition.image != old?.definition.image {
            images?.fetchSoon(definition.image)
        }
        logger.info("service installed", metadata: ["service": "\(service.name)", "version": "\(version)"])
        return service
    }

    // MARK: Remove

    /// Removes a service with its jobs and logs.
    ///
    /// Buckets stay, but for those that were made for it, that nobody else uses, and that are empty.
    ///
    /// - Parameter deletingData: also remove the buckets that were made for the service, with all that is in them.
    /// - Throws: `ClusterError` with `notFound`, `failed`.
    package func remove(_ name: ServiceName, deletingData: Bool) async throws {
        try await reserving(name) {
            guard let service = catalog[name] else { throw JobBoard.noService(name) }
            // From here on no event and no call reaches it.
            catalog.remove(name)
            store.watchRemovals(in: catalog.bucketsWithRemovals)
            scheduler.serviceRemoved(name)
            let withFiles: [JobName]
            do {
                withFiles = try await state.jobsWithFiles(of: name)
                _ = try await state.deleteService(name)
            } catch {
                publish(service)
                throw ClusterError(code: .failed, message: "the service \"\(name)\" could not be removed", cause: error)
            }
            scheduler.cancelJobs(of: name)
            deliverySignal.send()
            await removeFiles(of: name, jobs: withFiles)
            await volumes?.detach(service)
            await scheduler.instances.attachments.forget(name)
            for bucket in service.madeBuckets where !catalog.isUsed(bucket, byOthersThan: name) {
                await removeBucket(bucket, includingContent: deletingData)
            }
            logger.info("service removed", metadata: ["service": "\(name)"])
        }
    }

    /// Removes what a service that is gone left on disk; what stays is removed at the next start.
    private func removeFiles(of name: ServiceName, jobs: [JobName]) async {
        let folders = [data.services.appending(name.text)] + jobs.map { data.deliveries.appending($0.text) }
        let events = jobs.map { data.events.appending($0.text) }
        do {
            try await logs.removeAll(of: name)
            try await Folder.offload {
                for folder in folders { try Folder.remove(folder) }
                for event in events { try Folder.removeFile(event) }
            }
        } catch {
            logger.warning(
                "files of a removed service are left", metadata: ["service": "\(name)", "error": "\(error)"])
        }
    }

    private func removeBucket(_ bucket: BucketName, includingContent: Bool) async {
        do {
            try await store.deleteBucket(bucket, includingContent: includingContent)
        } catch  where error.code == .bucketNotEmpty || error.code == .noSuchBucket {
            logger.info("bucket kept", metadata: ["bucket": "\(bucket)", "reason": "\(error.code)"])
        } catch {
            logger.warning("bucket kept", metadata: ["bucket": "\(bucket)", "error": "\(error)"])
        }
    }

    // MARK: Configuration on disk

    private func configuration(_ name: ServiceName, _ version: Int64) -> FilePath {
        data.services.appending(name.text).appending("\(version)")
    }

    private func writeConfiguration(of service: RegisteredService) async throws {
        let folder = service.configuration
        let mode = service.definition.mode
        let script = Array(service.definition.script.utf8)
        let configuration = service.definition.functionConfig(clusterStore: clusterStore).prettyText()
        try await Folder.offload {
            try Folder.make(folder, mode: 0o755)
            try Self.write(script, to: folder.appending("script.sh"), mode: 0o755)
            try Self.write(Array(configuration.utf8), to: folder.appending("function_config.yaml"), mode: 0o644)
            guard mode == .resident else { return }
            let helper = Array(FunctionHelpers.python.utf8)
            try Self.write(helper, to: folder.appending(FunctionHelpers.pythonName), mode: 0o644)
        }
    }

    /// Writes a file unless it has these bytes already: a start must not need room on a full disk.
    private static func write(_ bytes: [UInt8], to path: FilePath, mode: CInt) throws {
        if Folder.size(of: path) == bytes.count, let present = try? Folder.readFile(path), present == bytes { return }
        try Folder.writeDurably(path, bytes, mode: mode)
    }

    /// Removes the folders of services that are gone, and of earlier versions, which no job reads any more at the start.
    private func removeOldConfigurations(_ services: [StoredService]) async throws {
        let root = data.services
        let versions = Dictionary(uniqueKeysWithValues: services.map { ($0.name.text, "\($0.version)") })
        try await Folder.offload {
            for entry in try Folder.entries(root) {
                guard let version = versions[entry.name] else {
                    try Folder.remove(entry.path)
                    continue
                }
                for old in try Folder.entries(entry.path) where old.name != version { try Folder.remove(old.path) }
            }
        }
    }

    /// Runs a change while nobody else changes that service.
    func reserving<T>(
        _ name: ServiceName,
        _ change: () async throws -> T
    ) async throws -> T {
        guard busy.insert(name).inserted else {
            throw ClusterError(
                code: .busy, message: "the service \"\(name)\" is being changed by another request; try again"
            )
        }
        defer { busy.remove(name) }
        return try await change()
    }
}

extension RegisteredService {
    fileprivate var stored: StoredService {
        StoredService(
            name: name, definition: definition.storedJSON(), madeBuckets: madeBuckets, version: version,
            created: created, updated: updated
        )
    }
}

extension ServiceDefinition {
    /// Refuses a service whose results would trigger the service itself for ever.
    fileprivate func checkOutputsLeaveInputs() throws(ClusterError) {
        for target in output where target.provider == .clusterStore { try checkLeavesInputs(target, "output") }
        if case .folder(let folder) = failureOutput { try checkLeavesInputs(folder, "failure_output") }
    }

    private func checkLeavesInputs(_ target: StorageIO, _ field: String) throws(ClusterError) {
        for source in input where source.provider == .clusterStore {
            guard target.bucket == source.bucket,
                "\(target.folder)/".utf8.starts(with: source.folder.isEmpty ? "".utf8 : "\(source.folder)/".utf8)
            else { continue }
            throw ClusterError(
                code: .invalid,
                message:
                    "\(field): \"\(target.path)\" lies in the service's own input \"\(source.path)\", so each result "
                    + "would trigger the service again; choose another folder"
            )
        }
    }

    /// Refuses a failure output that nobody would read.
    fileprivate func checkFailureOutput(_ notifications: Notifications) throws(ClusterError) {
        guard case .webhook(let name) = failureOutput, !notifications.isDeclared(name) else { return }
        throw ClusterError(
            code: .invalid,
            message: "failure_output.webhook: there is no webhook \"\(name)\"; the operator declares webhooks with "
                + "--webhook NAME=URL"
        )
    }

    /// Refuses outputs whose provider cannot be made from what the definition says.
    fileprivate func checkProviders(_ httpClient: HTTPClient) throws(ClusterError) {
        for target in output where target.provider != .clusterStore {
            do {
                _ = try ProviderFactory.make(for: target.provider, in: storageProviders, httpClient: httpClient)
            } catch {
                throw ClusterError(code: .invalid, message: "storage_providers: \(error.message)")
            }
        }
    }
}
