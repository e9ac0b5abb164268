package import Model
package import Scheduling
package import StateStore
import Synchronization
package import SystemPackage

/// A service that can be triggered and invoked.
package struct RegisteredService: Sendable {
    package var definition: ServiceDefinition
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

    package var name: ServiceName { definition.name }
    package var demand: Resources { Resources(cpu: definition.cpuLimit, memory: definition.memoryLimit) }

    /// What decides when its invocations start.
    var terms: AdmissionTerms {
        AdmissionTerms(
            demand: demand, owner: definition.owner, priority: definition.queue.priority,
            maximumParallel: definition.queue.maximumParallel, maximumRuns: definition.maximumRuns,
            totalCPU: definition.totalCPULimit, totalMemory: definition.totalMemoryLimit, isPaused: pause != nil
        )
    }
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

    /// The services that an object triggers, each once, by name.
    func services(triggeredBy location: (bucket: BucketName, key: ObjectKey)) -> [ServiceName] {
        let names = state.withLock { state in
            (state.triggers[location.bucket] ?? [])
                .filter { $0.input.matches(bucket: location.bucket, key: location.key) }
                .map(\.service)
        }
        return Array(Set(names)).sorted()
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
