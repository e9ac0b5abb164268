package import AsyncHTTPClient
package import Logging
import Metrics
package import Model
import Sandboxes
import Scheduling
import Synchronization
import SystemPackage

/// The instances that are alive: starts them, hands them to invocations, and clears away what they leave.
///
/// Which one takes what, and when one starts or ends, `Admission` decides; `JobScheduler` tells this.
package final class InstanceHost: Sendable {
    /// Somebody who waits for an instance, and the instance.
    private enum Entry {
        /// - Parameter start: what starts it, once that has begun.
        case starting(waiting: [UInt64: CheckedContinuation<SandboxInstance, any Error>], start: Task<Void, Never>?)
        case ready(SandboxInstance)
        /// It could not be started, or has ended; those in it still ask.
        case gone(any Error)
    }

    private struct State {
        var entries: [InstanceID: Entry] = [:]
        /// Those who wait until nothing is left of an instance.
        var mourning: [InstanceID: [CheckedContinuation<Void, Never>]] = [:]
        var lastWaiter: UInt64 = 0
        /// Starts are announced in the order of their numbers.
        var lastAnnounced = InstanceID(0)
        var isClosed = false
    }

    private let data: DataDirectory
    private let catalog: ServiceCatalog
    private let sandboxes: SandboxSet
    /// For programs that answer requests.
    let httpClient: HTTPClient
    let now: @Sendable () -> Instant
    /// Volumes and mounted buckets.
    let attachments: Attachments
    let logs: InstanceLogs
    private let logger: Logger
    private let state = Mutex(State())
    private let startTime = Timer(label: "apus_instance_start_seconds")
    private let started = Counter(label: "apus_instance_starts_total", dimensions: [("outcome", "ready")])
    private let failed = Counter(label: "apus_instance_starts_total", dimensions: [("outcome", "failed")])
    private let lost = Counter(label: "apus_instances_lost_total")

    package init(
        data: DataDirectory,
        catalog: ServiceCatalog,
        sandboxes: SandboxSet,
        httpClient: HTTPClient,
        attachments: Attachments = .none,
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) {
        self.data = data
        self.catalog = catalog
        self.sandboxes = sandboxes
        self.httpClient = httpClient
        self.attachments = attachments
        self.now = now
        self.logger = logger
        logs = InstanceLogs(now: now)
    }

    /// Whether instances can be had at all.
    var isAvailable: Bool { sandboxes.hasInstances }

    /// All services.
    var services: [RegisteredService] { catalog.all }

    // MARK: Use

    /// An instance for use, once it is ready.
    ///
    /// - Throws: why it could not be started; `SandboxError` with `instanceLost` where it is no more; `CancellationError`.
    func instance(_ id: InstanceID) async throws -> SandboxInstance {
        if let instance = ready(id) { return instance }
        let number = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let answer = state.withLock { state in Self.wait(continuation, number, for: id, in: &state) }
                if let answer { return continuation.resume(with: answer) }
                if Task.isCancelled { withdraw(number, from: id) }
            }
        } onCancel: {
            withdraw(number, from: id)
        }
    }

    /// The same where it is ready now.
    func ready(_ id: InstanceID) -> SandboxInstance? {
        state.withLock { state in
            if case .ready(let instance) = state.entries[id] { instance } else { nil }
        }
    }

    private static func wait(
        _ continuation: CheckedContinuation<SandboxInstance, any Error>,
        _ number: UInt64,
        for id: InstanceID,
        in state: inout State
    ) -> Result<SandboxInstance, any Error>? {
        switch state.entries[id] {
        case .ready(let instance): return .success(instance)
        case .gone(let error): return .failure(error)
        case .starting(var waiting, let start):
            waiting[number] = continuation
            state.entries[id] = .starting(waiting: waiting, start: start)
            return nil
        case nil:
            // Its start comes a moment later, unless nothing starts any more.
            guard !state.isClosed else { return .failure(JobScheduler.stopping) }
            state.entries[id] = .starting(waiting: [number: continuation], start: nil)
            return nil
        }
    }

    private func withdraw(_ number: UInt64, from id: InstanceID) {
        let continuation = state.withLock { state -> CheckedContinuation<SandboxInstance, any Error>? in
            guard case .starting(var waiting, let start) = state.entries[id],
                let continuation = waiting.removeValue(forKey: number)
            else { return nil }
            state.entries[id] = .starting(waiting: waiting, start: start)
            return continuation
        }
        continuation?.resume(throwing: CancellationError())
    }

    /// Returns when nothing is left of an instance, and `Admission` knows.
    func waitForEnd(of id: InstanceID) async {
        await withCheckedContinuation { continuation in
            let isGone = state.withLock { state in
                guard state.entries[id] != nil else { return true }
                state.mourning[id, default: []].append(continuation)
                return false
            }
            if isGone { continuation.resume() }
        }
    }

    // MARK: Life

    /// The start of an instance comes next; to be called in the order in which they were decided.
    func announce(_ id: InstanceID) {
        state.withLock { state in
            state.lastAnnounced = max(state.lastAnnounced, id)
            if state.entries[id] == nil { state.entries[id] = .starting(waiting: [:], start: nil) }
        }
    }

    /// Lives through the whole life of an instance: returns when nothing of it is left.
    ///
    /// - Parameter ready: called when it can be used.
    func live(_ id: InstanceID, of name: ServiceName, ready: @escaping @Sendable () -> Void) async {
        let began = ContinuousClock.now
        // Awaited below; a task of its own, so that `end` can cancel the start alone.
        let start = Task { [self] in await self.start(id, of: name) }
        if !adopt(id, start) { start.cancel() }
        await withTaskCancellationHandler {
            await start.value
        } onCancel: {
            start.cancel()
        }
        guard let instance = self.ready(id) else { return failed.increment() }
        if start.isCancelled {
            // It was told to end too late for its start to fail.
            await instance.stop()
        } else {
            startTime.recordNanoseconds((ContinuousClock.now - began).nanoseconds)
            started.increment()
            ready()
        }
        let end = await instance.waitForEnd()
        state.withLock { $0.entries[id] = .gone(SandboxError(.instanceLost, "the instance has ended: \(end)")) }
        var metadata: Logger.Metadata = ["service": "\(name)", "instance": "\(id)", "end": "\(end)"]
        metadata["seconds"] = "\((ContinuousClock.now - began).seconds)"
        if end == .stopped {
            logger.debug("instance ended", metadata: metadata)
        } else {
            lost.increment()
            logger.warning("an instance was lost", metadata: metadata)
        }
        logs.ended(id, of: name)
        await putBack(name)
        await removeFolder(folder(of: id, name))
    }

    /// What the program has written between invocations to the bucket that it mounts is put back.
    private func putBack(_ name: ServiceName) async {
        guard let service = catalog[name] else { return }
        do { try await attachments.release(service, principal: service.definition.owner) } catch {
            logger.warning(
                "an instance's files cannot be put back", metadata: ["service": "\(name)", "error": "\(error)"])
            logs.note("files could not be put back: \(JobFailure(error).message)", of: name)
        }
    }

    /// False where it was told to end before.
    private func adopt(_ id: InstanceID, _ start: Task<Void, Never>) -> Bool {
        state.withLock { state in
            guard case .starting(let waiting, _) = state.entries[id] else { return false }
            state.entries[id] = .starting(waiting: waiting, start: start)
            return true
        }
    }

    private func folder(of id: InstanceID, _ name: ServiceName) -> FilePath {
        data.instances.appending("\(id.number).\(name)")
    }

    private func start(_ id: InstanceID, of name: ServiceName) async {
        let folder = folder(of: id, name)
        do {
            guard let service = catalog[name] else { throw JobBoard.noService(name) }
            try await Folder.offload { try Folder.make(folder) }
            let sandbox = try await sandboxes.sandbox(for: service.sandbox)
            let logs = logs
            let places = try await attachments.acquire(service)
            var specification = service.instance(name: "\(name)-\(id)", in: folder)
            specification.binds = places.binds
            specification.environment.merge(places.environment) { $1 }
            let instance = try await sandbox.startInstance(
                specification,
                log: { logs.append($0, of: name, from: id) })
            try await probe(instance, service)
            settle(id, .success(instance))
        } catch {
            if !Task.isCancelled {
                logger.warning(
                    "an instance cannot be started", metadata: ["service": "\(name)", "error": "\(error)"])
                logs.note("an instance could not be started: \(JobFailure(error).message)", of: name)
            }
            settle(id, .failure(error))
            await removeFolder(folder)
        }
    }

    private func probe(_ instance: SandboxInstance, _ service: RegisteredService) async throws {
        guard let server = service.definition.server else { return }
        do { try await ServerProbe(client: httpClient).waitUntilReady(instance, path: server.healthPath) } catch {
            await instance.stop()
            throw error
        }
    }

    private func settle(_ id: InstanceID, _ result: Result<SandboxInstance, any Error>) {
        let waiting = state.withLock { state in
            var waiting: [CheckedContinuation<SandboxInstance, any Error>] = []
            if case .starting(let those, _) = state.entries[id] { waiting = Array(those.values) }
            switch result {
            case .success(let instance): state.entries[id] = .ready(instance)
            case .failure(let error): state.entries[id] = .gone(error)
            }
            return waiting
        }
        for continuation in waiting { continuation.resume(with: result) }
    }

    private func removeFolder(_ folder: FilePath) async {
        do { try await Folder.offload { try Folder.remove(folder) } } catch {
            logger.warning("the folder of an instance is left", metadata: ["path": "\(folder)", "error": "\(error)"])
        }
    }

    /// `Admission` knows that nothing is left of an instance.
    func forget(_ id: InstanceID) {
        let mourning = state.withLock { state in
            state.entries[id] = nil
            return state.mourning.removeValue(forKey: id) ?? []
        }
        for continuation in mourning { continuation.resume() }
    }

    /// Tells an instance to end; `live` returns when it has.
    func end(_ id: InstanceID) {
        let (instance, start) = state.withLock { state -> (SandboxInstance?, Task<Void, Never>?) in
            switch state.entries[id] {
            case .ready(let instance): return (instance, nil)
            case .starting(_, let start?): return (nil, start)
            case .starting(let waiting, nil) where waiting.isEmpty:
                state.entries[id] = .gone(Self.endedEarly)
                return (nil, nil)
            case .starting, .gone: return (nil, nil)
            case nil:
                // Its start may be on the way.
                if id > state.lastAnnounced { state.entries[id] = .gone(Self.endedEarly) }
                return (nil, nil)
            }
        }
        start?.cancel()
        // Nobody awaits this: `live` waits for the end itself.
        if let instance { Task { await instance.stop() } }
    }

    private static let endedEarly = SandboxError(.instanceLost, "the instance was told to end before it was started")

    /// Answers those who wait for an instance that will not be started any more.
    func close() {
        let waiting = state.withLock { state in
            state.isClosed = true
            var waiting: [CheckedContinuation<SandboxInstance, any Error>] = []
            for (id, entry) in state.entries {
                guard case .starting(let those, nil) = entry else { continue }
                waiting += those.values
                state.entries[id] = nil
            }
            return waiting
        }
        for continuation in waiting { continuation.resume(throwing: JobScheduler.stopping) }
    }
}
