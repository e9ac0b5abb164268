package import Model
package import Scheduling
package import StateStore
import Synchronization
package import SystemPackage

/// A service that can be triggered and invoked.
package struct RegisteredService: Sendable {
    private var shared: SharedDefinition
    /// Grows with each update.
    package var version: Int64
    /// Where its script and configuration lie.
    package var configuration: FilePath
    /// What it runs in.
    package var sandbox: SandboxKind
    package var madeBuckets: [BucketName]
    package var created: Instant
    package var updated: Instant
    /// `nil` where it is not paused.
    package var pause: ServicePause?

    init(
        definition: ServiceDefinition,
        version: Int64,
        configuration: FilePath,
        sandbox: SandboxKind,
        madeBuckets: [BucketName],
        created: Instant,
        updated: Instant,
        pause: ServicePause? = nil
    ) {
        shared = SharedDefinition(definition)
        (self.version, self.configuration, self.sandbox) = (version, configuration, sandbox)
        (self.madeBuckets, self.created, self.updated, self.pause) = (madeBuckets, created, updated, pause)
    }

    package var definition: ServiceDefinition {
        _read { yield shared.definition }
        set { shared = SharedDefinition(newValue) }
    }

    package var name: ServiceName { definition.name }
    package var demand: Resources { Resources(cpu: definition.cpuLimit, memory: definition.memoryLimit) }

    /// What decides when its invocations start.
    var terms: AdmissionTerms {
        AdmissionTerms(
            demand: demand, owner: definition.owner, priority: definition.queue.priority,
            maximumParallel: definition.queue.maximumParallel, maximumRuns: definition.maximumRuns,
            totalCPU: definition.totalCPULimit, totalMemory: definition.totalMemoryLimit, isPaused: pause != nil,
            instances: instanceTerms
        )
    }

    /// How its instances are kept; `nil` where each invocation has a sandbox of its own.
    private var instanceTerms: InstanceTerms? {
        let rules = definition.instances
        guard !rules.isFresh else { return nil }
        return InstanceTerms(
            generation: version, minimum: definition.minimumInstances, maximum: definition.maximumInstances,
            places: rules.concurrency * (rules.batch?.files ?? 1), idle: rules.idle,
            maximumInvocations: rules.maximumInvocations, maximumAge: rules.maximumAge)
    }
}

/// A definition that is copied as a whole: it has dozens of parts, and each request would count the users of each of them, on
/// all threads at once.
private final class SharedDefinition: Sendable {
    let definition: ServiceDefinition

    init(_ definition: ServiceDefinition) { self.definition = definition }
}

/// All services of the cluster, in memory: what routers and gateways look up.
package final class ServiceCatalog: Sendable {
    private struct State {
        var services: [ServiceName: RegisteredService] = [:]
        var byToken: [String: ServiceName] = [:]
        /// Inputs in this cluster's store, by bucket: who is triggered by an object there.
        var triggers: [BucketName: [(input: StorageIO, service: ServiceName)]] = [:]
    }

    private let state = Mutex(State())
    /// Rings when services have changed; the schedules listen.
    let changes = Signal()

    package init() {}

    package subscript(_ name: ServiceName) -> RegisteredService? { state.withLock { $0.services[name] } }

    /// By name.
    package var all: [RegisteredService] {
        state.withLock { $0.services.values.sorted { $0.name < $1.name } }
    }

    package func service(forToken token: String) -> ServiceName? { state.withLock { $0.byToken[token] } }

    func set(_ service: RegisteredService) {
        state.withLock { state in
            if let old = state.services.updateValue(service, forKey: service.name) {
                state.byToken[old.definition.token] = nil
            }
            state.byToken[service.definition.token] = service.name
            Self.index(&state)
        }
        changes.send()
    }

    func remove(_ name: ServiceName) {
        state.withLock { state in
            if let old = state.services.removeValue(forKey: name) { state.byToken[old.definition.token] = nil }
            Self.index(&state)
        }
    }

    private static func index(_ state: inout State) {
        state.triggers = [:]
        for service in state.services.values {
            for input in service.definition.input where input.provider == .clusterStore {
                guard let bucket = input.bucketName else { continue }
                state.triggers[bucket, default: []].append((input, service.name))
            }
        }
    }

    /// The services whose inputs an event triggers, each once, by name.
    func services(triggeredBy event: ObjectEvent) -> [ServiceName] {
        let names = state.withLock { state in
            (state.triggers[event.bucket] ?? [])
                .filter {
                    $0.input.events.contains(event.cause.inputKind)
                        && $0.input.matches(bucket: event.bucket, key: event.key)
                }
                .map(\.service)
        }
        return Array(Set(names)).sorted()
    }

    /// Why an event triggers none of the services' inputs.
    func whyNobody(hears event: ObjectEvent) -> RoutedEvent.Reason {
        let inputs = state.withLock { $0.triggers[event.bucket] ?? [] }.map(\.input)
        if inputs.isEmpty { return .noInput }
        if !services(triggeredBy: event).isEmpty { return .notReadable }
        if event.key.text.utf8.last == UInt8(ascii: "/") { return .folder }
        return inputs.contains { $0.matches(bucket: event.bucket, key: event.key) } ? .otherKind : .otherFolder
    }

    /// The buckets with an input that asks for removals.
    var bucketsWithRemovals: Set<BucketName> {
        state.withLock { state in
            Set(state.triggers.filter { $0.value.contains { $0.input.events.contains(.removed) } }.keys)
        }
    }

    /// Whether any service but that one reads from or writes to the bucket.
    func isUsed(_ bucket: BucketName, byOthersThan name: ServiceName) -> Bool {
        state.withLock { state in
            state.services.values.contains { service in
                service.name != name && service.definition.ownBuckets.contains(bucket)
            }
        }
    }
}
