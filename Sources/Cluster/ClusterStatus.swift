package import Model
package import ObjectEngine
package import Scheduling

/// What the cluster says of itself at this moment.
package struct ClusterStatus: Sendable {
    private let store: ObjectStore
    private let jobs: JobBoard
    private let scheduler: JobScheduler
    private let resources: ResourceWatch
    private let nodeName: String
    private let started: Instant

    package init(
        store: ObjectStore,
        jobs: JobBoard,
        scheduler: JobScheduler,
        resources: ResourceWatch,
        nodeName: String,
        started: Instant
    ) {
        self.store = store
        self.jobs = jobs
        self.scheduler = scheduler
        self.resources = resources
        self.nodeName = nodeName
        self.started = started
    }

    /// Jobs by state, each state named.
    package func jobCounts() async throws -> [JobState: Int] {
        let counts = try await jobs.counts()
        return Dictionary(uniqueKeysWithValues: JobState.allCases.map { ($0, counts[$0] ?? 0) })
    }

    /// `GET /health?verbose`.
    package func healthJSON() -> JSONValue { resources.healthJSON() }

    /// The resources of the machine, each with whether it is short.
    package var shortages: [Pressure.Resource: Bool] { resources.shortages }

    package func waitingDeliveries() async throws -> Int { try await jobs.deliveryCount() }

    /// `GET /system/status` (oscar-api.md section 9.1): this machine as the only node, processors in thousandths.
    package func json() async throws -> JSONValue {
        let counts = try await jobCounts()
        let statistics = try await store.statistics()
        return .object([
            "cluster": clusterJSON, "oscar": oscarJSON(counts),
            "minio": .object([
                "buckets_count": .integer(statistics.buckets), "total_objects": .integer(statistics.objects),
            ]),
        ])
    }

    private var clusterJSON: JSONValue {
        let (capacity, free) = (scheduler.capacity, scheduler.free)
        let cpu = JSONValue.integer(free.cpu.thousandths)
        let memory = JSONValue.integer(free.memory.bytes)
        let used = capacity - free
        let node = JSONValue.object([
            "name": .string(nodeName),
            "cpu": Self.usage(
                "cores", capacity: capacity.cpu.thousandths, used: used.cpu.thousandths
            ),
            "memory": Self.usage("bytes", capacity: capacity.memory.bytes, used: used.memory.bytes),
            "gpu": .integer(0), "is_interlink": .bool(false), "status": .string("Ready"),
            "conditions": .array([.object(["type": .string("Ready"), "status": .bool(true)])]),
        ])
        return .object([
            "nodes_count": .integer(1),
            "metrics": .object([
                "cpu": .object([
                    "total_free_cores": cpu, "max_free_on_node_cores": cpu, "total_schedulable_cores": cpu,
                    "total_schedulable_on_node_cores": cpu,
                ]),
                "memory": .object([
                    "total_free_bytes": memory, "max_free_on_node_bytes": memory, "total_schedulable_bytes": memory,
                    "max_schedulable_on_node_bytes": memory,
                ]),
                "gpu": .object(["total_gpu": .integer(0)]),
            ]),
            "nodes": .array([node]),
        ])
    }

    /// Zero values are left out, as OSCAR does.
    private static func usage(_ unit: String, capacity: Int64, used: Int64) -> JSONValue {
        var object: JSONObject = ["capacity_\(unit)": .integer(capacity)]
        if used > 0 {
            object["usage_\(unit)"] = .integer(used)
            object["request_\(unit)"] = .integer(used)
        }
        return .object(object)
    }

    private func oscarJSON(_ counts: [JobState: Int]) -> JSONValue {
        var states = ["Failed": 0, "Pending": 0, "Running": 0, "Succeeded": 0, "Unknown": 0]
        for (state, count) in counts { states[state.oscarStatus, default: 0] += count }
        let total = counts.values.reduce(0, +)
        return .object([
            "deployment_name": .string("oscar"), "ready": .bool(true),
            "deployment": .object([
                "available_replicas": .integer(1), "ready_replicas": .integer(1), "replicas": .integer(1),
                "creation_timestamp": .string(started.rfc3339()), "strategy": .string("RollingUpdate"),
                "labels": .object([:]),
            ]),
            "jobs_count": .integer(total),
            "pods": .object([
                "total": .integer(total),
                "states": .object(JSONObject(states.sorted { $0.key < $1.key }.map { ($0.key, .integer($0.value)) })),
            ]),
            "oidc": .object(["enabled": .bool(false), "issuers": .array([]), "groups": .array([])]),
        ])
    }
}
